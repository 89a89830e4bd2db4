"""A process that does one thing over and over."""

from __future__ import annotations

import os
import signal
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
