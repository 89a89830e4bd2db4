"""Quarantine: a crash at any step loses nothing and is taken up again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.directory import beside, inside, kernel
from tests.unit.adapters.directory.waiting import (
    ADAPTER,
    TOMBSTONE,
    TRASH,
    permit,
    planned,
)
from vault.errors import (
    SourceVanished,
)
from vault.provider import Whereabouts
from vault.testing.trees import read_tree


class Crash(BaseException):
    """The process dies here."""


class Countdown:
    """Lets so many calls that change a file system pass, then dies before the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 10**9
        for name in ("mkdir", "rename", "rmdir", "unlink", "fsync", "utime", "chmod"):
            monkeypatch.setattr(os, name, self.counted(getattr(os, name)))
        for module in (beside, inside, kernel):
            monkeypatch.setattr(module, "rename_new", self.counted(kernel.rename_new))

    def counted(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self.left -= 1
            if self.left < 0:
                raise Crash
            return real(*arguments, **options)

        return call

    def crashes(self, after: int, call: Callable[[], None]) -> bool:
        """Whether the call died when only so many steps were let through."""
        self.left = after
        try:
            call()
        except Crash:
            return True
        finally:
            self.left = 10**9
        return False


def test_a_crash_at_any_step_of_quarantine_and_undelete_loses_nothing(
    either: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    countdown = Countdown(monkeypatch)
    before = read_tree(either)
    place = planned(either)
    step, crashed = 0, True
    while crashed:
        crashed = countdown.crashes(step, lambda: ADAPTER.quarantine(place))
        where = ADAPTER.whereabouts(place)
        assert where in {Whereabouts.IN_PLACE, Whereabouts.QUARANTINED}
        if where is Whereabouts.IN_PLACE:  # it may be abandoned here: then nothing is missing
            assert {"d", "g0", "g4"} <= set(os.listdir(either))
        ADAPTER.quarantine(place)
        assert ADAPTER.whereabouts(place) is Whereabouts.QUARANTINED
        ADAPTER.undelete(place)
        os.utime(either, ns=(5, 10**18 + 7))  # a mount point's own time may be lost in a crash
        assert read_tree(either) == before, step
        step += 1
    assert step > 5
    step, crashed = 0, True
    while crashed:
        ADAPTER.quarantine(place)
        crashed = countdown.crashes(step, lambda: ADAPTER.undelete(place))
        assert ADAPTER.whereabouts(place) is not Whereabouts.GONE
        ADAPTER.undelete(place)
        assert ADAPTER.whereabouts(place) is Whereabouts.IN_PLACE
        os.utime(either, ns=(5, 10**18 + 7))
        assert read_tree(either) == before, step
        step += 1
    assert step > 3


def test_an_unfinished_quarantine_can_be_undone(
    either: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    countdown = Countdown(monkeypatch)
    before = read_tree(either)
    for step in range(12):
        place = planned(either, f"{TOMBSTONE}{step}")
        countdown.crashes(step, lambda place=place: ADAPTER.quarantine(place))  # type: ignore[misc]
        ADAPTER.undelete(place)
        os.utime(either, ns=(5, 10**18 + 7))
        assert read_tree(either) == before


def test_a_crash_at_any_step_of_a_purge_is_taken_up_again(
    either: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    countdown = Countdown(monkeypatch)
    step, crashed = 0, True
    while crashed:
        either.mkdir(exist_ok=True)
        (either / "d").mkdir(exist_ok=True)
        (either / "d" / "f").touch()
        (either / "g").touch()
        place = planned(either, f"{TOMBSTONE}{step}")
        ADAPTER.quarantine(place)
        crashed = countdown.crashes(step, lambda place=place: ADAPTER.purge(permit(place)))  # type: ignore[misc]
        where = ADAPTER.whereabouts(place)
        if where is not Whereabouts.QUARANTINED:
            assert where in {Whereabouts.PURGING, Whereabouts.GONE}
            with pytest.raises(SourceVanished):
                ADAPTER.undelete(place)
        ADAPTER.purge(permit(place))
        assert ADAPTER.whereabouts(place) is Whereabouts.GONE
        step += 1
        if either.is_mount():
            shutil.rmtree(either / TRASH)
    assert step > 5
