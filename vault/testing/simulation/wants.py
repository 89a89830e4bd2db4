"""What must not be collected, reckoned once more, from nothing but what the oracle has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

SILENCE: Final = timedelta(days=14)
FINAL: Final = timedelta(days=30)
KEEP: Final = {"hourly": 24, "daily": 7, "weekly": 5, "monthly": 12}
"""What the charter keeps at least: of so many periods with a snapshot, the last one each."""


@dataclass(slots=True, eq=False)
class Stored:
    """A snapshot that was committed; `seen` are the bytes that its capture was given."""

    id: str
    volume: str
    stored_at: datetime
    key: str
    packs: tuple[str, ...]
    sessions: tuple[str, ...]
    final_for: str
    seen: dict[bytes, bytes]
    acknowledged: bool = False


@dataclass(slots=True, eq=False)
class Kept:
    """A volume: the `inode` that it is, the one `found` instead, and why it is `frozen`."""

    id: str
    name: str
    environment: str
    location: str
    inode: str
    found: str = ""
    grave: str = ""
    frozen: set[str] = field(default_factory=set)
    gone: bool = False
    paused: bool = False
    closed_at: datetime | None = None
    keep: dict[str, int] = field(default_factory=lambda: dict(KEEP))


def at_least(text: str) -> dict[str, int]:
    """What a volume keeps, written as `hourly=24,daily=7`, and never less than the charter."""
    own = dict(term.split("=") for term in text.split(","))
    return {name: max(least, int(own.get(name, 0))) for name, least in KEEP.items()}


def still_wanted(
    volume: Kept | None, snapshots: list[Stored], now: datetime, *, silent: bool
) -> list[Stored]:
    """Those of one volume's snapshots that somebody may still ask for."""
    if volume is None or silent or volume.frozen:
        return snapshots
    if volume.closed_at is None:
        newest = max(snapshots, key=_age)
        return [s for s in snapshots if s is newest or _has_place(s, snapshots, volume.keep)]
    fresh_end = volume.closed_at + FINAL > now
    return [
        s
        for s in snapshots
        if (fresh_end and s.final_for) or _has_place_until(s, snapshots, volume.keep, now)
    ]


def _has_place(one: Stored, snapshots: Iterable[Stored], keep: dict[str, int]) -> bool:
    """Whether it is the last of a period, and few enough periods with snapshots are later."""
    for name, period in _PERIODS.items():
        own = period(one.stored_at)
        later = {period(s.stored_at) for s in snapshots if _age(s) > _age(one)}
        if own not in later and len(later) < keep[name]:
            return True
    return False


def _has_place_until(
    one: Stored, snapshots: Iterable[Stored], keep: dict[str, int], now: datetime
) -> bool:
    """As above, for a closed volume: periods are counted by the calendar, up to now."""
    for name, period in _PERIODS.items():
        own = period(one.stored_at)
        later = {period(s.stored_at) for s in snapshots if _age(s) > _age(one)}
        if own not in later and period(now) - own < keep[name]:
            return True
    return False


def _age(snapshot: Stored) -> tuple[datetime, str]:
    return snapshot.stored_at, snapshot.id


def _week(at: datetime) -> int:
    """Whole weeks since a Monday."""
    return (at.toordinal() - 1) // 7


_PERIODS: Final[dict[str, Callable[[datetime], int]]] = {
    "hourly": lambda at: at.toordinal() * 24 + at.hour,
    "daily": lambda at: at.toordinal(),
    "weekly": _week,
    "monthly": lambda at: at.year * 12 + at.month,
}

_FREEZES: Final = {
    "quarantine_started": "tombstoned",
    "source_vanished": "alarm",
    "source_replaced": "alarm",
    "found_destroyed": "alarm",
    "attack_suspected": "alarm",
}
_GONE: Final = ("source_vanished", "source_replaced", "found_destroyed")
_THAWS: Final = ("quarantine_abandoned", "undeleted", "purged", "found_destroyed")
_CLOSES: Final = ("volume_removed", "purged")


def new_volume(volume: str, details: dict[str, str]) -> Kept:
    """A volume as the event says that registered it."""
    inode = details["identity"].rpartition("=")[2]
    keep = at_least(details["keep"])
    name, environment = details["name"], details["environment"]
    return Kept(volume, name, environment, details["location"], inode, keep=keep)


def follow(kept: Kept, event: dict[str, Any], now: datetime) -> None:
    """What an event means for a volume."""
    kind, details = event["type"], event.get("details", {})
    if kind == "quarantine_started":
        kept.grave = event["tombstone"]
    if kind in _THAWS and event["tombstone"] != kept.grave:
        return  # a request that never touched the volume
    if kind in _FREEZES:
        kept.frozen.add(_FREEZES[kind])
    if kind in _GONE:
        kept.gone = kind != "source_replaced"
        kept.found = details.get("identity", "").rpartition("=")[2]
    if kind in _THAWS:
        kept.frozen.discard("tombstoned")
    if kind in _CLOSES or (kind == "source_acknowledged" and kept.gone):
        kept.closed_at = kept.closed_at or now
    if kind == "source_acknowledged":
        kept.frozen.discard("alarm")
        kept.inode, kept.found = kept.found or kept.inode, ""
    if kind in ("volume_paused", "volume_resumed"):
        kept.paused = kind == "volume_paused"
        kept.gone, kept.found = False, ""
