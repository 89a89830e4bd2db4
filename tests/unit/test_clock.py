"""Clocks: what is read of the host, and how times are written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vault import clock
from vault.clock import SystemClock, parse_span
from vault.errors import UsageError


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


@pytest.mark.parametrize("text", ["36526d", "900794d", "99999999999w", "9" * 99 + "s"])
def test_a_span_can_be_added_to_a_time(text: str) -> None:
    """A hundred years at most, so that no sum of a time and a span is beyond counting."""
    with pytest.raises(UsageError, match="hundred years"):
        parse_span(text)
    assert (SystemClock().now() - parse_span("36525d")).year == SystemClock().now().year - 100
