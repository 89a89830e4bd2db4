"""Extend: keep what is wanted locked, long before its lock lapses; locks only ever grow.

A snapshot is promoted from hourly to daily, weekly, monthly by extending the locks of its objects,
never by writing anything anew. What is no longer wanted is left to lapse.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from vault import limits
from vault.lifecycle.retention import SnapshotFacts, Standing, lock_target, retained
from vault.lifecycle.tombstone import OPEN
from vault.lifecycle.volume import VolumeState, standing
from vault.operations.items import ExtendReport
from vault.operations.unit import ReadUnit, WriteUnit
from vault.repository.audit_log import read_segments
from vault.repository.extension import extend_records, extend_snapshots
from vault.repository.journal import StoredEvent, read_events
from vault.repository.locks import LockTerms
from vault.repository.snapshot import SnapshotRecord, list_snapshots


def extend(unit: WriteUnit) -> ExtendReport:
    """Extend the locks of every wanted snapshot and of all that it needs, and of the audit log.

    Raises StoreError; what was extended before stays extended.
    """
    now = unit.reader.now()
    scope = unit.catalog.environment
    listed = list_snapshots(unit.reader, unit.charter, unit.tampering)
    records = tuple(record for record in listed if scope in ("", record.header.environment))
    wanted = retained(
        [facts_of(record) for record in records],
        standings(unit),
        now=now,
        owner_seen=now,
        final_lock=timedelta(seconds=unit.charter.final_lock_seconds),
    )
    chosen = [record for record in records if record.header.id in wanted]
    terms = _terms(unit, now)
    extend_records(terms, _events_of_interest(unit))
    extend_records(terms, read_segments(unit.reader, unit.charter, unit.tampering))
    short = extend_snapshots(terms, chosen)
    missing = {record.header.id for record in short}
    for record in chosen:
        if record.header.id not in missing:
            unit.catalog.snapshots.mark_locked(record.header.id, terms.needed)
    return ExtendReport(extended=len(chosen) - len(short), short=tuple(sorted(missing)))


def facts_of(record: SnapshotRecord) -> SnapshotFacts:
    """What retention wants to know of a stored snapshot."""
    header = record.header
    return SnapshotFacts(
        header.id, header.volume, record.stored_at, header.final_for, record.signer_hex
    )


def standings(unit: ReadUnit) -> dict[str, Standing]:
    """How each volume stands with retention, by id, as the catalog folds it."""
    held = {t.volume for t in unit.catalog.tombstones.all() if t.hold and t.state in OPEN}
    return {
        volume.id: standing(volume, unit.charter.keep, held=volume.id in held)
        for volume in unit.catalog.volumes.all()
    }


def _events_of_interest(unit: WriteUnit) -> Iterator[StoredEvent]:
    """Those of every volume that is not closed: without them nobody knows what it is."""
    closed = {v.id for v in unit.catalog.volumes.all() if v.state is VolumeState.REMOVED}
    for stored in read_events(unit.reader, unit.charter, unit.tampering):
        if stored.event.volume not in closed:
            yield stored


def _terms(unit: WriteUnit, now: datetime) -> LockTerms:
    """Locks shorter than a final snapshot needs, with a margin, are extended by whole epochs."""
    ceiling = timedelta(seconds=unit.charter.max_lock_seconds)
    least = max(unit.charter.min_lock_seconds, unit.charter.final_lock_seconds)
    need = min(timedelta(seconds=least) + limits.EXTEND_MARGIN, ceiling)
    return LockTerms(
        store=unit.store,
        index=unit.index,
        charter=unit.charter,
        writer=unit.signer.public_hex,
        needed=now + need,
        target=lock_target(now, minimum=need, ceiling=ceiling),
        tampering=unit.tampering,
    )
