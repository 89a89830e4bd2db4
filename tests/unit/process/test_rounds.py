"""A process that does one thing over and over."""

from __future__ import annotations

import gc
import os
import signal
import weakref
from pathlib import Path

import pytest

from vault.errors import StoreUnreachable
from vault.process.rounds import keep_doing


def test_rounds_go_on_after_an_error_and_end_with_a_signal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first round fails, the second is the last."""
    rounds: list[int] = []

    def work() -> dict[str, object]:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise StoreUnreachable("gone for a moment")
        os.kill(os.getpid(), signal.SIGTERM)
        return {"purged": 1}

    keep_doing("purger", tmp_path, 0.01, work)
    assert rounds == [0, 1]
    log = capsys.readouterr().err
    assert '"code": "store_unreachable"' in log
    assert '"purged": 1' in log
    assert '"event": "stopped"' in log


class _Client:
    """What knows itself, as those of botocore do."""

    def __init__(self) -> None:
        self.own = self


def test_no_round_finds_what_the_one_before_it_has_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However rarely they come, and however little else is made meanwhile."""
    left: list[weakref.ref[_Client]] = []
    found: list[int] = []

    def work() -> dict[str, object]:
        found.append(sum(client() is not None for client in left))
        left.append(weakref.ref(_Client()))
        if len(left) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return {}

    gc.disable()
    try:
        keep_doing("purger", tmp_path, 0.01, work)
    finally:
        gc.enable()
    assert found == [0, 0, 0]
    assert '"event": "stopped"' in capsys.readouterr().err
