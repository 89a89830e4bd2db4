"""What is due now, asked of the state: no job is stored, so none is lost or run twice."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from vault import limits
from vault.lifecycle.schedule import next_after
from vault.lifecycle.tombstone import HALF_DONE, State, Tombstone
from vault.lifecycle.volume import Volume, VolumeState


class Task(StrEnum):
    """What a daemon does of its own accord."""

    RESUME = "resume"
    FINALIZE = "finalize"
    WARN = "warn"
    CAPTURE = "capture"
    LOOK = "look"
    EXTEND = "extend"
    STAMP = "stamp"
    VERIFY = "verify"


class Duty(msgspec.Struct, frozen=True):
    """One thing to do now; `since` is when it became due."""

    task: Task
    since: datetime
    volume: str = ""
    tombstone: str = ""


class Rhythm(msgspec.Struct, frozen=True):
    """How often the daemon does what has no schedule of its own; None is never."""

    verify: timedelta = timedelta(days=1)
    extend: timedelta = timedelta(hours=6)
    look: timedelta = limits.LOOK_INTERVAL
    retry: timedelta = limits.RETRY_INTERVAL
    stamp: timedelta | None = None


class Facts(msgspec.Struct, frozen=True):
    """What was done last, by the same clock as `now`; None or absent is never.

    `captured` holds when each volume's newest snapshot was stored, `attempted` when a duty was last
    begun, whatever came of it, by (task, volume or tombstone id or ""). `warned` names the
    tombstones whose purge was announced.
    """

    started_at: datetime
    captured: Mapping[str, datetime] = msgspec.field(default_factory=dict)
    attempted: Mapping[tuple[Task, str], datetime] = msgspec.field(default_factory=dict)
    extended_at: datetime | None = None
    verified_at: datetime | None = None
    stamped_at: datetime | None = None
    warned: Collection[str] = ()


_TRIAL: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LOOKED_AT: Final = (VolumeState.ACTIVE, VolumeState.VANISHED, VolumeState.REPLACED)


def due(
    volumes: Sequence[Volume],
    tombstones: Sequence[Tombstone],
    facts: Facts,
    rhythm: Rhythm,
    *,
    now: datetime,
) -> list[Duty]:
    """Everything to do at `now`, the most urgent first.

    However many strikes of a schedule were missed, one capture is due. What failed is due again
    after `rhythm.retry`. A volume without a schedule is captured by hand only. What is said to lie
    in the future was done by a clock that was wrong, and keeps nothing waiting.
    """
    facts = _believable(facts, now)
    candidates = [
        *_of_tombstones(tombstones),
        *_warnings(tombstones, facts),
        *_captures(volumes, facts, now),
        *_looks(volumes, facts, rhythm),
        *_looks_at_quarantine(tombstones, facts, rhythm),
        _periodic(Task.EXTEND, facts.extended_at, facts, rhythm.extend),
        _periodic(Task.VERIFY, facts.verified_at, facts, rhythm.verify),
        *(
            [_periodic(Task.STAMP, facts.stamped_at, facts, rhythm.stamp)]
            if rhythm.stamp is not None
            else []
        ),
    ]
    ready = [duty for duty in candidates if _ready(duty, facts, rhythm, now)]
    order = list(Task)
    return sorted(ready, key=lambda duty: (order.index(duty.task), duty.since, duty.volume))


def check_schedule(schedule: str) -> None:
    """Accept what a person gave as a schedule; empty means by hand only. Raises UsageError."""
    if schedule:
        next_after(schedule, _TRIAL)


def next_capture(volume: Volume, captured: datetime | None) -> datetime | None:
    """When the next scheduled capture is due: at once for the first; None without a schedule."""
    if not volume.schedule or volume.state is not VolumeState.ACTIVE:
        return None
    if captured is None:
        return volume.created_at
    strike = next_after(volume.schedule, captured)
    return strike + jitter(volume.id, next_after(volume.schedule, strike) - strike)


def jitter(identifier: str, period: timedelta) -> timedelta:
    """How much later than its strike this volume goes: the same always, spread over volumes.

    At most a tenth of the period and limits.JITTER_MAX, so that hosts do not all begin at once.
    """
    bound = min(limits.JITTER_MAX, period / 10)
    return bound * (zlib.crc32(identifier.encode()) / 2**32)


def _believable(facts: Facts, now: datetime) -> Facts:
    """Without what a clock that was ahead has left; the store's own may be a little ahead."""

    def past(at: datetime | None, tolerance: timedelta = timedelta(0)) -> bool:
        return at is not None and at <= now + tolerance

    ahead = limits.CLOCK_TOLERANCE
    return replace(
        facts,
        started_at=min(facts.started_at, now),
        captured={name: at for name, at in facts.captured.items() if past(at, ahead)},
        attempted={name: at for name, at in facts.attempted.items() if past(at)},
        extended_at=facts.extended_at if past(facts.extended_at) else None,
        verified_at=facts.verified_at if past(facts.verified_at) else None,
        stamped_at=facts.stamped_at if past(facts.stamped_at) else None,
    )


def _of_tombstones(tombstones: Sequence[Tombstone]) -> Iterator[Duty]:
    for tombstone in tombstones:
        since = tombstone.quarantined_at or tombstone.created_at
        if tombstone.state in HALF_DONE:
            yield Duty(Task.RESUME, since, tombstone.volume, tombstone.id)
        if tombstone.state is State.TOMBSTONED and not tombstone.snapshot:
            yield Duty(Task.FINALIZE, since, tombstone.volume, tombstone.id)


def _warnings(tombstones: Sequence[Tombstone], facts: Facts) -> Iterator[Duty]:
    """That a window ends soon is said once, where it is long enough for that to be news."""
    for tombstone in tombstones:
        over, waits = tombstone.undo_until, tombstone.state is State.TOMBSTONED
        told = tombstone.hold or tombstone.id in facts.warned
        if over and waits and not told and tombstone.window > limits.PURGE_NOTICE:
            yield Duty(Task.WARN, over - limits.PURGE_NOTICE, tombstone.volume, tombstone.id)


def _captures(volumes: Sequence[Volume], facts: Facts, now: datetime) -> Iterator[Duty]:
    for volume in volumes:
        captured = facts.captured.get(volume.id)
        since = next_capture(volume, captured)
        if since is not None:
            yield Duty(Task.CAPTURE, since if captured else min(since, now), volume.id)


def _looks(volumes: Sequence[Volume], facts: Facts, rhythm: Rhythm) -> Iterator[Duty]:
    for volume in volumes:
        if volume.state in _LOOKED_AT:
            looked = facts.attempted.get((Task.LOOK, volume.id))
            since = facts.started_at if looked is None else looked + rhythm.look
            yield Duty(Task.LOOK, since, volume.id)


def _looks_at_quarantine(
    tombstones: Sequence[Tombstone], facts: Facts, rhythm: Rhythm
) -> Iterator[Duty]:
    """Whether the data are still there, and what the purger has recorded meanwhile."""
    for tombstone in tombstones:
        if tombstone.state in (State.TOMBSTONED, State.PURGING):
            looked = facts.attempted.get((Task.LOOK, tombstone.id))
            since = facts.started_at if looked is None else looked + rhythm.look
            yield Duty(Task.LOOK, since, tombstone.volume, tombstone.id)


def _periodic(task: Task, done: datetime | None, facts: Facts, every: timedelta) -> Duty:
    return Duty(task, facts.started_at if done is None else done + every)


def _ready(duty: Duty, facts: Facts, rhythm: Rhythm, now: datetime) -> bool:
    if duty.since > now:
        return False
    attempted = facts.attempted.get((duty.task, duty.tombstone or duty.volume))
    return duty.task is Task.LOOK or attempted is None or now >= attempted + rhythm.retry
