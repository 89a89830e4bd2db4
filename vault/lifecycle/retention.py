"""Which snapshots are still wanted, and until when locks must reach.

Times are those at which the store says that a snapshot arrived, so a writer cannot steer them.
What is wanted only shrinks as time passes: a snapshot that was let go is never asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from vault import limits
from vault.errors import LockRefused, UsageError

_EPOCH_ZERO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Period = Callable[[datetime], int]
_TERM: Final = re.compile(r"(hourly|daily|weekly|monthly)\s*=\s*(\d{1,6})")


class Keep(msgspec.Struct, frozen=True):
    """How many hours, days, ISO weeks and months keep their last snapshot."""

    hourly: int = 24
    daily: int = 7
    weekly: int = 5
    monthly: int = 12

    def at_least(self, floor: Keep) -> Keep:
        """The larger of both in every class."""
        return Keep(
            max(self.hourly, floor.hourly),
            max(self.daily, floor.daily),
            max(self.weekly, floor.weekly),
            max(self.monthly, floor.monthly),
        )

    def __str__(self) -> str:
        terms = (f"{name}={getattr(self, name)}" for name in self.__struct_fields__)
        return ",".join(terms)


def parse_keep(text: str) -> Keep:
    """Read `hourly=24,daily=7,weekly=5,monthly=12`; a class not named keeps none.

    Raises UsageError; the text must name at least one snapshot.
    """
    counts: dict[str, int] = {}
    for term in text.split(","):
        found = _TERM.fullmatch(term.strip())
        if found is None or found[1] in counts:
            raise UsageError(
                f"“{text}” does not say what to keep",
                hint="Write for example hourly=24,daily=7,weekly=5,monthly=12.",
            )
        counts[found[1]] = int(found[2])
    keep = Keep(*(counts.get(name, 0) for name in Keep.__struct_fields__))
    if not any(counts.values()):
        raise UsageError("keeping nothing at all is not offered", hint="Keep at least daily=1.")
    return keep


# --- locks ---------------------------------------------------------------------------------------


def epoch_ceiling(at: datetime, epoch: timedelta) -> datetime:
    """The first whole epoch (counted from 1970) that is not before `at`."""
    return _EPOCH_ZERO - ((_EPOCH_ZERO - at) // epoch) * epoch


def lock_target(now: datetime, *, minimum: timedelta, ceiling: timedelta) -> datetime:
    """Until when to lock at `now`: `minimum` rounded up to a whole epoch, never past `ceiling`.

    Raises LockRefused where `minimum` itself is beyond the ceiling.
    """
    if minimum > ceiling:
        raise LockRefused(
            f"a lock of {minimum.days} days is beyond the ceiling of {ceiling.days} days",
            safe="Nothing was locked.",
            hint="Ask for a shorter lock; the ceiling stands in the charter.",
        )
    return min(epoch_ceiling(now + minimum, limits.EPOCH), now + ceiling)


# --- what is wanted ------------------------------------------------------------------------------


class Claim(StrEnum):
    """Why a snapshot is wanted."""

    NEWEST = "newest"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    LATER = "later"
    FINAL = "final"
    FROZEN = "frozen"
    UNKNOWN_VOLUME = "unknown_volume"
    OWNER_SILENT = "owner_silent"


class SnapshotFacts(msgspec.Struct, frozen=True):
    """What retention knows of a snapshot: `stored_at` is the store's time, `writer` who signed."""

    id: str
    volume: str
    stored_at: datetime
    final_for: str = ""
    writer: str = ""


class Standing(msgspec.Struct, frozen=True):
    """How a volume stands with retention.

    `frozen` says why nothing of it may expire (vanished, replaced, tombstoned, held) or is empty.
    `closed_at` is when it was removed or purged; from then on its snapshots age by the calendar.
    `kept` has what was kept before `keep`, each until when, the oldest first.
    """

    keep: Keep
    frozen: str = ""
    closed_at: datetime | None = None
    kept: tuple[tuple[datetime, Keep], ...] = ()

    def keep_of(self, stored_at: datetime) -> Keep:
        """What held when a snapshot was stored, which is what it goes by for good."""
        return next((keep for until, keep in self.kept if stored_at <= until), self.keep)


def wanted(
    snapshots: Sequence[SnapshotFacts], keep: Keep, now: datetime, *, closed: bool = False
) -> dict[str, frozenset[Claim]]:
    """The snapshots of one or more volumes that `keep` asks for, each with its reasons.

    Of each of the last `hourly` hours *in which there is a snapshot* the last one is wanted, and so
    for days, ISO weeks and months: while nothing new is stored, nothing old is let go.
    Each writer's snapshots count apart, so that no key takes the places of another's.
    The newest is always wanted. What was stored after `now` is wanted and does not count. Where the
    volumes are `closed`, periods count back from `now` instead, so that in the end all expire.
    """
    claims: dict[str, set[Claim]] = {}
    by_writer: dict[tuple[str, str], list[SnapshotFacts]] = {}
    for facts in snapshots:
        if facts.stored_at > now:
            claims[facts.id] = {Claim.LATER}
        else:
            by_writer.setdefault((facts.volume, facts.writer), []).append(facts)
    for series in by_writer.values():
        series.sort(key=lambda facts: (facts.stored_at, facts.id), reverse=True)
        if not closed:
            claims.setdefault(series[0].id, set()).add(Claim.NEWEST)
        for claim, period, count in _classes(keep):
            for identifier in _last_of_each(series, period, count, now if closed else None):
                claims.setdefault(identifier, set()).add(claim)
    return {identifier: frozenset(reasons) for identifier, reasons in claims.items()}


def retained(
    snapshots: Iterable[SnapshotFacts],
    standings: Mapping[str, Standing],
    *,
    now: datetime,
    owner_seen: datetime,
    final_lock: timedelta = limits.FINAL_LOCK_AFTER_PURGE,
) -> dict[str, frozenset[Claim]]:
    """Everything that must not be collected at `now`, over all volumes, each with its reasons.

    All of it where the owner was last seen longer ago than limits.OWNER_SILENCE; all of a volume
    that is frozen or unknown; the final snapshot of a closed one for `final_lock`; what `keep`
    asks for of the others.
    """
    by_volume: dict[str, list[SnapshotFacts]] = {}
    for facts in snapshots:
        by_volume.setdefault(facts.volume, []).append(facts)
    silent = now - owner_seen > limits.OWNER_SILENCE
    result: dict[str, frozenset[Claim]] = {}
    for volume, series in by_volume.items():
        standing = standings.get(volume)
        if silent:
            result |= _all(series, Claim.OWNER_SILENT)
        elif standing is None:
            result |= _all(series, Claim.UNKNOWN_VOLUME)
        elif standing.frozen:
            result |= _all(series, Claim.FROZEN)
        else:
            result |= _of_standing(series, standing, now, final_lock)
    return result


def _of_standing(
    series: list[SnapshotFacts], standing: Standing, now: datetime, final_lock: timedelta
) -> dict[str, frozenset[Claim]]:
    closed_at = standing.closed_at
    asked = {
        keep: wanted(series, keep, now, closed=closed_at is not None)
        for keep in {standing.keep_of(facts.stored_at) for facts in series}
    }
    claims = {
        facts.id: asked[keep][facts.id]
        for facts in series
        if facts.id in asked[keep := standing.keep_of(facts.stored_at)]
    }
    if closed_at is not None and now < closed_at + final_lock:
        for facts in series:
            if facts.final_for:
                claims[facts.id] = claims.get(facts.id, frozenset()) | {Claim.FINAL}
    return claims


def _all(series: Iterable[SnapshotFacts], claim: Claim) -> dict[str, frozenset[Claim]]:
    return {facts.id: frozenset((claim,)) for facts in series}


def _hour(at: datetime) -> int:
    return (at - _EPOCH_ZERO) // timedelta(hours=1)


def _day(at: datetime) -> int:
    return (at - _EPOCH_ZERO).days


def _week(at: datetime) -> int:
    return (_day(at) + 3) // 7  # 1970-01-01 was a Thursday; ISO weeks begin on Monday


def _month(at: datetime) -> int:
    utc = at.astimezone(UTC)
    return utc.year * 12 + utc.month


def _classes(keep: Keep) -> tuple[tuple[Claim, _Period, int], ...]:
    return (
        (Claim.HOURLY, _hour, keep.hourly),
        (Claim.DAILY, _day, keep.daily),
        (Claim.WEEKLY, _week, keep.weekly),
        (Claim.MONTHLY, _month, keep.monthly),
    )


def _last_of_each(
    newest_first: list[SnapshotFacts], period: _Period, count: int, now: datetime | None
) -> list[str]:
    """The last snapshot of each of the last `count` periods that have one (or that end at now)."""
    last: dict[int, str] = {}
    oldest = None if now is None else period(now) - count + 1
    for facts in newest_first:
        number = period(facts.stored_at)
        if number in last:
            continue
        if len(last) >= count or (oldest is not None and number < oldest):
            break
        last[number] = facts.id
    return list(last.values())
