"""Time in the simulation: the true one, and what hosts and the store believe of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from vault.clock import BootTime

BEGIN: Final = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)


class TrueTime:
    """What time it is; it only goes forward."""

    def __init__(self) -> None:
        self.at = BEGIN

    def advance(self, span: timedelta) -> None:
        """Let time pass."""
        self.at += span


class StoreClock:
    """The store's own clock: whole seconds of the true time, or those of a host's clock.

    A store without a clock of its own has that of the host it lies on.
    """

    def __init__(self, told: Callable[[], datetime]) -> None:
        self._told = told

    def now(self) -> datetime:
        """See Clock."""
        return self._told().replace(microsecond=0)

    def boot_time(self) -> BootTime:
        """See Clock: nobody asks a store."""
        return BootTime("store", 0.0)

    def sleep(self, seconds: float) -> None:
        """See Clock: a store waits for nobody."""


class HostClock:
    """A host's clocks: the wall clock, which root can set, and the time since boot, which not.

    `waiting` is told when a process sleeps.
    """

    def __init__(self, time: TrueTime, waiting: Callable[[float], None]) -> None:
        self.offset = timedelta(0)
        self.boots = 1
        self._time = time
        self._waiting = waiting
        self._booted = time.at - timedelta(hours=1)
        self._up = timedelta(0)

    @property
    def up(self) -> timedelta:
        """How long this host has been up in all."""
        return self._up + (self._time.at - self._booted)

    def now(self) -> datetime:
        """See Clock."""
        return self._time.at + self.offset

    def boot_time(self) -> BootTime:
        """See Clock."""
        return BootTime(f"boot-{self.boots}", (self._time.at - self._booted).total_seconds())

    def sleep(self, seconds: float) -> None:
        """See Clock."""
        self._waiting(seconds)

    def shut_down(self) -> None:
        """The power goes."""
        self._up = self.up

    def start(self) -> None:
        """Another boot begins; boot time counts from zero."""
        self.boots += 1
        self._booted = self._time.at
