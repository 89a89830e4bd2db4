"""Accumulated boot time: how long the host was up, which setting a clock does not change."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from vault.clock import BootTime


class Uptime(msgspec.Struct, frozen=True):
    """A fold of observations: seconds `before` this `boot`, and from `first` to `last` in it."""

    before: float
    boot: str
    first: float
    last: float

    @classmethod
    def start(cls, now: BootTime) -> Uptime:
        """The first look: nothing has passed yet."""
        return cls(0.0, now.boot, now.seconds, now.seconds)

    @property
    def total(self) -> float:
        """Seconds that this host was seen or known to be up since the first observation."""
        return self.before + self.last - self.first

    def observe(self, now: BootTime) -> Uptime:
        """One more look. Of a later boot all counts; what lay between two boots does not."""
        if now.boot == self.boot:
            return replace(self, last=max(self.last, now.seconds))
        return Uptime(self.total, now.boot, 0.0, now.seconds)
