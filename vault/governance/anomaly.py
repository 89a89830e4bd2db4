"""Signals: what is unusual about a request beside what is known of its identity. Each a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from vault.governance.facts import Signal

_KNOWN: Final = 20
"""So many requests make a habit; with fewer nothing of an identity's hours or rate is unusual."""
_HOURS_APART: Final = 3
_FASTER: Final = 10.0
_REFUSALS: Final = 5
_RATE_SPAN: Final = timedelta(minutes=10)


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One earlier request of the same identity."""

    verb: str
    volume: str
    at: datetime
    allowed: bool


def signals(past: Sequence[Past], verb: str, volume: str, now: datetime) -> tuple[Signal, ...]:
    """Everything unusual about this request, `past` the identity's own, the oldest first."""
    return tuple(_signals(past, verb, volume, now))


def _signals(past: Sequence[Past], verb: str, volume: str, now: datetime) -> Iterator[Signal]:
    if past and all(former.verb != verb for former in past):
        yield Signal("first-verb", len(past), f"its first {verb} in {len(past)} requests")
    if past and volume and all(former.volume != volume for former in past):
        yield Signal("first-volume", len(past), "it never touched this volume before")
    hours = [former.at.hour for former in past]
    apart = min((_apart(hour, now.hour) for hour in hours), default=0)
    if len(hours) >= _KNOWN and apart >= _HOURS_APART:
        yield Signal("unusual-hour", apart, f"{apart} hours from any that it was ever seen at")
    faster = _faster(past, now)
    if len(past) >= _KNOWN and faster >= _FASTER:
        yield Signal("unusual-rate", faster, f"{faster:.0f} times its usual rate")
    refused = _refused_in_a_row(past)
    if refused >= _REFUSALS:
        yield Signal("refusals", refused, f"refused {refused} times in a row")


def _apart(one: int, other: int) -> int:
    across = abs(one - other)
    return min(across, 24 - across)


def _faster(past: Sequence[Past], now: datetime) -> float:
    """Its rate in the last ten minutes, as a multiple of what it was before, one at least.

    Where all that is looked at lies within them it is nothing less: a burst hides no burst.
    """
    since = now - _RATE_SPAN
    lately = sum(former.at > since for former in past) + 1
    before = [former for former in past if former.at <= since]
    if not before:
        return float(lately)
    spans = max((since - before[0].at) / _RATE_SPAN, 1.0)
    return lately / max(len(before) / spans, 1.0)


def _refused_in_a_row(past: Sequence[Past]) -> int:
    count = 0
    for former in reversed(past):
        if former.allowed:
            break
        count += 1
    return count
