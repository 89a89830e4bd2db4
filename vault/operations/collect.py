"""Collect: the only place that is handed a Reaper; deletes what lapsed and nobody wants.

What is wanted is recomputed here from the charter, signed events and the store's own times, and
less of it only by what people provably agreed to; the catalog is not asked. A clock that disagrees,
an owner gone silent, or a panic, collects nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from vault import limits
from vault.audit.entry import Entry, EntryKind
from vault.errors import LockRefused
from vault.governance.request import Verb
from vault.lifecycle.retention import Standing, retained
from vault.lifecycle.tombstone import OPEN
from vault.lifecycle.volume import fold_volume, standing
from vault.operations.audit import commit
from vault.operations.extend import facts_of
from vault.operations.freeze import insist_calm
from vault.operations.gate import Question, admit
from vault.operations.items import CollectReport
from vault.operations.ledger import fulfil, intend, intended
from vault.operations.loosening import Proofs
from vault.operations.record import insist_complete
from vault.operations.unit import CollectUnit, check_clocks, exclusive
from vault.repository.collector import CollectionPlan, plan_collection
from vault.repository.journal import StoredEvent, read_events
from vault.repository.snapshot import SnapshotRecord, list_snapshots, snapshot_of
from vault.store.contract import Reaper
from vault.store.names import content_digest

_WHAT: Final = "collection"
_NAMED: Final = 100
"""So many snapshots an entry names; of all others it has the number and a digest."""


def collect(unit: CollectUnit, *, dry_run: bool) -> CollectReport:
    """Plan and, unless `dry_run`, delete. Raises ClockDisagrees, PurgeRefused, Denied, StoreError.

    A crash in the middle leaves fewer lapsed versions and nothing wanted touched. What was planned
    is wanted anew only with a new lock, so a plan must not outlive one: a host may be suspended.
    Order: planned → judged → the round's entry remembered here → deleted → entered.
    """
    if dry_run:
        return _report(plan_collect(unit), None)
    with exclusive(unit.home, _WHAT):
        fulfil(unit, _WHAT, intended(unit, _WHAT))  # of a round that was cut short
        commit(unit)
        begun = unit.clock.now()
        plan = plan_collect(unit)
        done = _Done()
        if plan.versions:
            told = _judged(unit, plan)
            _delete(unit, plan, begun, done)
            counts = {"deleted": done.deleted, "bytes": done.bytes, "ended": True}
            fulfil(unit, _WHAT, replace(told, body=told.body | counts))
        commit(unit)
    return _report(plan, done)


class _Done(msgspec.Struct):
    """What a round has deleted so far, and why not all."""

    deleted: int = 0
    bytes: int = 0
    reasons: list[str] = msgspec.field(default_factory=list)


def _judged(unit: CollectUnit, plan: CollectionPlan) -> Entry:
    """The entry of a round that the gate has let pass; it is remembered until it is over."""
    size = sum(version.size for version in plan.versions)
    about = f"{len(plan.versions)} versions, {size} bytes, plan {plan.digest}"
    request = admit(unit, Question(Verb.COLLECT, about=about)).request
    ids = sorted({snapshot for v in plan.versions if (snapshot := snapshot_of(v.key))})
    named, others = ids[:_NAMED], ids[_NAMED:]
    body = {
        "plan": plan.digest,
        "versions": len(plan.versions),
        "deleted": 0,
        "bytes": size,
        "snapshots": named,
        "others": {"count": len(others), "digest": content_digest(msgspec.json.encode(others))},
        "ended": False,
    }
    return intend(unit, _WHAT, EntryKind.COLLECTED, body, about=request)


def _delete(unit: CollectUnit, plan: CollectionPlan, begun: datetime, done: _Done) -> None:
    for version in plan.versions:
        if unit.clock.now() - begun > limits.PLAN_LIFE:
            done.reasons.append("the plan has grown old; the next run makes a new one")
            return
        try:
            _reap(unit.store, version.key, version.version)
        except LockRefused as error:
            done.reasons.append(error.message)
            continue
        done.deleted += 1
        done.bytes += version.size


def _report(plan: CollectionPlan, done: _Done | None) -> CollectReport:
    planned = _Done(len(plan.versions), sum(version.size for version in plan.versions))
    counted = planned if done is None else done
    return CollectReport(
        deleted=counted.deleted,
        bytes=counted.bytes,
        kept=plan.kept,
        digest=plan.digest,
        dry_run=done is None,
        reasons=(*plan.reasons, *counted.reasons),
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
