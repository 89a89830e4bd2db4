"""A clock that tests move by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from vault.clock import BootTime

START: Final = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved; wall and boot time move together unless told otherwise."""

    def __init__(self, at: datetime = START, *, boot: str = "boot-1") -> None:
        self._at = at
        self._boot = BootTime(boot, 1000.0)

    def now(self) -> datetime:
        """See Clock."""
        return self._at

    def boot_time(self) -> BootTime:
        """See Clock."""
        return self._boot

    def sleep(self, seconds: float) -> None:
        """See Clock: time passes at once."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self._at += span
        self._boot = BootTime(self._boot.boot, self._boot.seconds + span.total_seconds())

    def set_wall(self, at: datetime) -> None:
        """Set the wall clock as root can, without any time passing."""
        self._at = at

    def reboot(self, boot: str, *, off: timedelta = timedelta(0)) -> None:
        """Begin another boot after `off` without power; boot time counts from zero."""
        self._at += off
        self._boot = BootTime(boot, 0.0)
