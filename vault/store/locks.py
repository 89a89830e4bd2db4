"""What holds for every lock: whole seconds, the floor at birth, the ceiling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from vault.clock import format_span, format_time
from vault.errors import LockRefused
from vault.limits import MAX_LOCK, MIN_LOCK


class LockTerms(msgspec.Struct, frozen=True):
    """The floor of a new object's lock and the ceiling of any, counted from now."""

    minimum: timedelta = MIN_LOCK
    ceiling: timedelta = MAX_LOCK


def round_up(at: datetime) -> datetime:
    """The whole second at or after `at`, in UTC: stores keep no fractions of a lock."""
    at = at.astimezone(UTC)
    whole = at.replace(microsecond=0)
    return whole if whole == at else whole + timedelta(seconds=1)


def refuse_past(until: datetime, now: datetime) -> None:
    """Raise LockRefused where a lock would lapse before it begins."""
    if until <= now:
        raise LockRefused(
            f"a lock until {format_time(until)} would already be over",
            safe="What is stored keeps the lock it has.",
            hint="Compare this host's clock with the store's: vault doctor.",
        )


def refuse_beyond(until: datetime, now: datetime, ceiling: timedelta) -> None:
    """Raise LockRefused where a lock would outlast the ceiling."""
    if until > now + ceiling:
        raise LockRefused(
            f"a lock until {format_time(until)} exceeds the ceiling of {format_span(ceiling)}",
            safe="No lock was changed: nobody can shorten a lock once it is set.",
            hint="Choose a shorter retention; the ceiling is max_lock in the charter.",
        )
