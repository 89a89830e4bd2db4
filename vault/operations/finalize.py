"""Finalize: the snapshot that a purge rests on, of quarantined data that hold still.

Open descriptors may still write after the rename. So a final snapshot counts only where nothing in
quarantine has changed since a moment before it began, and the purger looks once more.
"""

from __future__ import annotations

from datetime import datetime

from vault import limits
from vault.errors import PurgeRefused
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations.capture import CapturePlan, capture
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, check_clocks, exclusive
from vault.provider import Capture, Provider
from vault.repository.snapshot import SnapshotRecord

_ATTEMPTS = 5


def finalize(unit: WriteUnit, tombstone: Tombstone) -> SnapshotRecord:
    """Capture what is in quarantine until it holds still, and put the snapshot on record.

    Raises PurgeRefused where it does not come to rest, ClockDisagrees: the tombstone stays, and the
    next call tries again.
    """
    check_clocks(unit)  # what held still is told by this host's clock
    volume = unit.catalog.volumes.resolve(tombstone.volume)
    provider = unit.provider(volume.provider)
    plan = CapturePlan(volume=volume, location=tombstone.held_at, final_for=tombstone.id)
    for _attempt in range(_ATTEMPTS):
        _let_settle(unit, provider, plan.location)
        snapshot, findings = capture(unit, plan)
        torn = any(finding.what == "changing" for finding in findings)
        walk = provider.capture(plan.location)
        if not torn and still_since(walk, snapshot.header.started_at):
            return _put_on_record(unit, tombstone, snapshot)
    raise PurgeRefused(
        f"the quarantined data of “{volume.name}” are still being written to",
        safe="They stay in quarantine; what was captured of them is stored.",
        hint=f"Find the process that holds files open below {tombstone.held_at}",
    )


def still_since(walk: Capture, moment: datetime) -> bool:
    """Whether nothing there has changed since a moment (host time), with the margin for ticks."""
    limit = _nanoseconds(moment - limits.CTIME_MARGIN)
    return all(entry.ctime_ns < limit for entry in walk.entries())


def _let_settle(unit: WriteUnit, provider: Provider, location: str) -> None:
    """Wait until the newest change is older than the margin; a volume just renamed is the case."""
    if not still_since(provider.capture(location), unit.clock.now()):
        unit.clock.sleep(limits.CTIME_MARGIN.total_seconds() + 0.1)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000


def _put_on_record(
    unit: WriteUnit, tombstone: Tombstone, snapshot: SnapshotRecord
) -> SnapshotRecord:
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        if unit.catalog.tombstones.get(tombstone.id).state is State.TOMBSTONED:
            draft = Draft(
                type=EventType.FINAL_SNAPSHOT,
                volume=tombstone.volume,
                tombstone=tombstone.id,
                details={"snapshot": snapshot.header.id},
            )
            record(unit, events[-1], draft)
    return snapshot
