"""Collect: the only place that is handed a Reaper; deletes what lapsed and nobody wants.

What is wanted is recomputed here from the charter, signed events and the store's own times, and
less of it only by what people provably agreed to; the catalog is not asked. A clock that disagrees,
an owner gone silent, or a panic, collects nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from vault import limits
from vault.errors import LockRefused
from vault.lifecycle.retention import Standing, retained
from vault.lifecycle.tombstone import OPEN
from vault.lifecycle.volume import fold_volume, standing
from vault.operations.extend import facts_of
from vault.operations.freeze import insist_calm
from vault.operations.items import CollectReport
from vault.operations.loosening import Proofs
from vault.operations.record import insist_complete
from vault.operations.unit import CollectUnit, check_clocks
from vault.repository.collector import CollectionPlan, plan_collection
from vault.repository.journal import StoredEvent, read_events
from vault.repository.snapshot import SnapshotRecord, list_snapshots
from vault.store.contract import Reaper


def collect(unit: CollectUnit, *, dry_run: bool) -> CollectReport:
    """Plan and, unless `dry_run`, delete. Raises ClockDisagrees, PurgeRefused, StoreError.

    A crash in the middle leaves fewer lapsed versions and nothing wanted touched. What was planned
    is wanted anew only with a new lock, so a plan must not outlive one: a host may be suspended.
    """
    begun = unit.clock.now()
    plan = plan_collect(unit)
    deleted = size = 0
    reasons = list(plan.reasons)
    for version in () if dry_run else plan.versions:
        if unit.clock.now() - begun > limits.PLAN_LIFE:
            reasons.append("the plan has grown old; the next run makes a new one")
            break
        try:
            _reap(unit.store, version.key, version.version)
        except LockRefused as error:
            reasons.append(error.message)
            continue
        deleted += 1
        size += version.size
    if dry_run:
        deleted, size = len(plan.versions), sum(version.size for version in plan.versions)
    return CollectReport(
        deleted=deleted,
        bytes=size,
        kept=plan.kept,
        digest=plan.digest,
        dry_run=dry_run,
        reasons=tuple(reasons),
    )


def plan_collect(unit: CollectUnit) -> CollectionPlan:
    """What would be deleted now, and why the rest stays; without effect."""
    now = check_clocks(unit)
    events = tuple(read_events(unit.reader, unit.charter, unit.tampering))
    records = tuple(list_snapshots(unit.reader, unit.charter, unit.tampering))
    insist_complete(unit)
    insist_calm(unit)
    wanted = retained(
        [facts_of(record) for record in records],
        _standings(unit, events),
        now=now,
        owner_seen=_owner_seen(events, records),
        final_lock=timedelta(seconds=unit.charter.final_lock_seconds),
    )
    return plan_collection(unit.reader, unit.charter, records, wanted=frozenset(wanted), now=now)


def _reap(reaper: Reaper, key: str, version: str) -> None:
    reaper.delete(key, version=version)


def _standings(unit: CollectUnit, events: Iterable[StoredEvent]) -> dict[str, Standing]:
    by_volume: dict[str, list[StoredEvent]] = {}
    for stored in events:
        by_volume.setdefault(stored.event.volume, []).append(stored)
    proofs = Proofs(unit)
    return {
        volume: standing(
            fold_volume((s.event, s.stored_at) for s in proofs.counting(history)),
            unit.charter.keep,
            held=_held(history, proofs),
        )
        for volume, history in by_volume.items()
    }


def _held(history: Iterable[StoredEvent], proofs: Proofs) -> bool:
    tombstones = (tombstone for tombstone, _ in proofs.tombstones(history))
    return any(tombstone.hold and tombstone.state in OPEN for tombstone in tombstones)


def _owner_seen(events: tuple[StoredEvent, ...], records: tuple[SnapshotRecord, ...]) -> datetime:
    """When a writer was last heard of; what a purger says of its own work does not count."""
    times = [stored.stored_at for stored in events if stored.role == "writer"]
    times += [record.stored_at for record in records]
    return max(times, default=datetime.min.replace(tzinfo=UTC))
