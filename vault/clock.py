"""The only door to time: wall clock, boot clock, waiting. All datetimes are aware and in UTC."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec

from vault.errors import UsageError

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SPAN: Final = re.compile(r"(\d+)\s*([smhdw])")
_SPAN_MAX: Final = 100  # characters
_LONGEST: Final = timedelta(days=36_525)
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class BootTime(msgspec.Struct, frozen=True):
    """How long this boot has lasted: `boot` names the boot, `seconds` count suspend too."""

    boot: str
    seconds: float


class Clock(Protocol):
    """What a process may know of time; passed in, never looked up."""

    def now(self) -> datetime:
        """The host's wall clock, aware, UTC."""

    def boot_time(self) -> BootTime:
        """The time since boot, which no one can set."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The host's own clocks."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def boot_time(self) -> BootTime:
        """See Clock. Where the system has no boot id, all boots count as one, and less time passes.

        A boot named by when it began would become another whenever somebody sets the clock.
        """
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        seconds = time.clock_gettime(clock)
        try:
            boot = _BOOT_ID.read_text("ascii").strip()
        except OSError:
            boot = ""
        return BootTime(boot, seconds)

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        time.sleep(seconds)


def format_time(at: datetime) -> str:
    """RFC 3339 in UTC with a `Z`; fractions only where there are any.

    What others have told, and UTC has no year for, stays in its own offset.
    """
    spec = "microseconds" if at.microsecond else "seconds"
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        return at.isoformat(timespec=spec)
    return at.replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def parse_time(text: str) -> datetime:
    """Read RFC 3339 (an offset or `Z` is required). Raises UsageError."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or none that UTC has a year for
        pass
    raise UsageError(
        f"“{text}” is not a time", hint="Write RFC 3339, for example 2026-04-24T09:30:00Z."
    )


def parse_span(text: str) -> timedelta:
    """Read a span such as `90s`, `10m`, `2h`, `30d`, `1w` or `1d12h`. Raises UsageError."""
    compact = text.strip().lower()
    parts = _SPAN.findall(compact[:_SPAN_MAX])  # of very many digits each is looked at very often
    if not parts or "".join(n + u for n, u in parts) != compact.replace(" ", ""):
        raise UsageError(
            f"“{text[:_SPAN_MAX]}” is not a span of time", hint="Write 90s, 10m, 2h, 30d or 1d12h."
        )
    seconds = sum(int(n) * _UNIT_SECONDS[u] for n, u in parts)
    if seconds > _LONGEST.total_seconds():  # whoever adds it to a time gets a time
        raise UsageError(
            "a span of time is longer than a hundred years", hint="Write 90s, 10m, 2h or 30d."
        )
    return timedelta(seconds=seconds)


def format_span(span: timedelta) -> str:
    """Write a span in its two largest units: `1d 4h`, `47h 59m`, `12s`."""
    left = max(0, int(span.total_seconds()))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
