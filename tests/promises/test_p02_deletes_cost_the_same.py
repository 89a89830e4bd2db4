"""P2: a delete is O(1): the same calls, one by one, for one file and for twenty thousand.

Calls are counted, not timed: those to the store, and those to the system by whoever makes them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.promises.embedded import Embedded, embed
from tests.promises.scenes import make_scene
from tests.rgw import RgwBucket
from vault.store.opening import open_store

MANY = 20_000


class Counting:
    """Passes every call on and counts it by name."""

    def __init__(self, store: object, calls: Counter[str]) -> None:
        self._store = store
        self._calls = calls

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def counted(*words: object, **named: object) -> object:
            self._calls[name] += 1
            return found(*words, **named)

        return counted


@contextmanager
def store_calls() -> Iterator[Counter[str]]:
    """Calls to every store that is opened within, counted above all decorators."""
    calls: Counter[str] = Counter()
    opened: Callable[..., object] = open_store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "vault.compose.open_store", lambda *a, **named: Counting(opened(*a, **named), calls)
        )
        yield calls


@contextmanager
def system_calls() -> Iterator[Counter[str]]:
    """What this thread calls of the `os` module, and foreign functions such as renameat2."""
    calls: Counter[str] = Counter()

    def note(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__module__", "") == "posix":
            calls[function.__name__] += 1
        elif event == "call" and _frame.f_code.co_filename.endswith("directory/kernel.py"):
            calls[_frame.f_code.co_name] += 1

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def fill(place: Path, files: int) -> None:
    """So many files, a hundred to a folder."""
    for number in range(files):
        folder = place / f"folder-{number // 100}"
        if number % 100 == 0:
            folder.mkdir()
        (folder / f"file-{number}").touch()


def measured(site: Embedded, *, snapshot: bool) -> list[tuple[Counter[str], Counter[str]]]:
    """The calls of a delete and of its undelete."""
    found = []
    with store_calls() as stored, site.vault() as vault:
        if snapshot:
            vault.snapshot("db")
        vault.volumes()
        stored.clear()
        with system_calls() as system:
            tombstone = vault.delete("db", reason="test")
        found.append((stored.copy(), system))
        assert not site.source.exists()
        stored.clear()
        with system_calls() as system:
            vault.undelete([tombstone.id])
        found.append((stored.copy(), system))
        assert site.source.exists()
    return found


@pytest.mark.parametrize("snapshot", [False, True])
def test_the_same_calls_for_one_file_and_for_twenty_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: bool
) -> None:
    # How often the time up is recorded depends on time, which is not counted here.
    monkeypatch.setattr("vault.operations.uptime._TOLD_SECONDS", 1e9)
    costs = []
    for place, files in (("warm", 1), ("one", 1), ("many", MANY)):
        (tmp_path / place).mkdir()
        site = embed(tmp_path / place, tree=False)
        fill(site.source, files)
        costs.append(measured(site, snapshot=snapshot))
    costs.pop(0)  # the first of a process loads modules
    assert costs[0] == costs[1]
    for stored, system in costs[1]:
        assert 0 < stored["put"] <= 5  # three events, and the log before and behind them
        assert system["rename_new"] == 1  # of the volume
        assert not {"listdir", "scandir"} & system.keys() or system["listdir"] < 40
        assert sum(stored.values()) < 50
        assert sum(system.values()) < 1000


@pytest.mark.rgw
def test_on_a_server_it_is_as_many_requests(rgw_bucket: RgwBucket, tmp_path: Path) -> None:
    """Deleted and brought back when it is small, and again when it is large."""
    scene = make_scene(rgw_bucket, tmp_path, tree=False)
    costs = []
    for files in (1, MANY):
        fill(scene.source, files) if files > 1 else (scene.source / "file").touch()
        with store_calls() as stored, scene.vault() as vault:
            vault.volumes()
            tombstone = vault.delete("db", reason="test")
            writes = {name: stored[name] for name in ("put", "extend", "now")}
            vault.undelete([tombstone.id])
        costs.append(writes)
    assert costs[0] == costs[1]
