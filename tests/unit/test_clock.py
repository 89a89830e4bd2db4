"""Clocks: what is read of the host, and how times are written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vault import clock
from vault.clock import SystemClock


def test_without_a_boot_id_a_clock_that_is_set_makes_no_other_boot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each boot counts from its own zero: a new name would add up all of it once more."""
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "none")
    before = SystemClock().boot_time()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    after = SystemClock().boot_time()
    assert before.boot == after.boot
    assert before.seconds <= after.seconds
