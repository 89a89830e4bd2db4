"""Purge: the only place that makes a PurgePermit, after re-checking everything from the store.

Nothing here trusts the catalog: the tombstone is folded from signed events, the final snapshot is
verified byte for byte, the lock is read from the store, and quarantine is looked at once more.
Order: evidence → judged → let pass by the gate → `purge_started` recorded, and in the audit log →
the records looked at once more → the provider's deciding step → `purged` recorded, and in the audit
log when the pass ends. A crash after the deciding step is finished by the next pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from vault import limits
from vault.errors import GateError, SourceError, SourceVanished, VaultError
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.purge_plan import FinalSnapshot, PurgeEvidence, Refusal, judge
from vault.lifecycle.tombstone import State, Tombstone, fold
from vault.operations.audit import commit
from vault.operations.delete import quarantine_of
from vault.operations.early import agreed_early, was_protected_elsewhere
from vault.operations.finalize import still_since
from vault.operations.freeze import insist_calm
from vault.operations.gate import Question, admit
from vault.operations.identity import read_identity
from vault.operations.items import PurgeItem, PurgeReport
from vault.operations.loosening import Proofs
from vault.operations.reconcile import reconcile
from vault.operations.record import Draft, insist_complete, record
from vault.operations.render import shown
from vault.operations.unit import RecordUnit, window_of
from vault.operations.uptime import accumulated_uptime
from vault.provider import PurgePermit, Whereabouts
from vault.repository.checker import CheckTerms, check
from vault.repository.journal import StoredEvent, read_events
from vault.repository.snapshot import SnapshotRecord, list_snapshots
from vault.store.names import content_digest

_CONCERNED: Final = (State.TOMBSTONED, State.PURGING, State.RESTORING)
"""Restoring, too: the purger may have won the rename and died before it could say so."""


def purge(unit: RecordUnit, *, dry_run: bool) -> PurgeReport:
    """Look at every tombstone and destroy what nothing speaks for any more.

    `dry_run` judges and does nothing. One tombstone's error does not keep the others waiting. What
    was done is in the audit log on return. Raises PurgeRefused, StoreError.
    """
    if not dry_run:
        reconcile(unit)
    open_tombstones = tuple(_open_tombstones(unit))
    insist_complete(unit)
    insist_calm(unit)
    items = [
        _one(unit, tombstone, events, dry_run=dry_run) for tombstone, events in open_tombstones
    ]
    if not dry_run:
        commit(unit)
    return PurgeReport(items=tuple(items))


def _one(
    unit: RecordUnit, tombstone: Tombstone, events: Sequence[StoredEvent], *, dry_run: bool
) -> PurgeItem:
    try:
        verdict, reasons = _judged(unit, tombstone, events, dry_run=dry_run)
    except VaultError as error:
        verdict, reasons = "failed", (error.message,)
    return PurgeItem(
        tombstone=tombstone.id, volume=tombstone.volume_name, verdict=verdict, reasons=reasons
    )


def _judged(
    unit: RecordUnit, tombstone: Tombstone, events: Sequence[StoredEvent], *, dry_run: bool
) -> tuple[str, tuple[str, ...]]:
    provider, former = unit.provider(tombstone.provider), events[-1]
    where = provider.whereabouts(quarantine_of(tombstone))
    # Only a purger can have recorded this; a name on the disk alone proves nothing.
    started_by = {s.signer_hex for s in events if s.event.type is EventType.PURGE_STARTED}
    begun = bool(started_by) and where is Whereabouts.PURGING
    own = unit.signer.public_hex in started_by  # on another host nothing is there to begin with
    if begun or (own and tombstone.state is State.PURGING and where is Whereabouts.GONE):
        return _finish(unit, tombstone, former, dry_run=dry_run)
    if where is Whereabouts.IN_PLACE:
        return "refused", ("the volume is back in its place",)
    final = _final_snapshot(unit, tombstone)
    agreed = agreed_early(unit, tombstone)
    must_wait = _must_wait(_evidence(unit, tombstone, None, agreed))
    found = None if final is None else _verified(unit, final, deep=not must_wait)
    evidence = _evidence(unit, tombstone, found, agreed)  # times are those after verifying
    refusals = judge(evidence) + _moved(unit, tombstone, final)
    if refusals:
        return "refused", tuple(refusal.sentence for refusal in refusals)
    if dry_run:
        return "would-purge", ()
    assert final is not None
    what = (tombstone.volume_name, tombstone.volume, tombstone.environment)
    try:
        admit(unit, Question(Verb.PURGE, *what, about=tombstone.id))
    except GateError as error:
        return "refused", (error.message,)
    draft = Draft(type=EventType.PURGE_STARTED, volume=tombstone.volume, tombstone=tombstone.id)
    started = former
    if tombstone.state is not State.PURGING:
        started = record(unit, former, draft)
    commit(unit)
    if _spoken_for(unit, tombstone, (*events, started)):
        return "refused", ("something was recorded of it meanwhile: the next pass judges anew",)
    insist_calm(unit)
    return _destroy(unit, tombstone, started, _permit(evidence, final))


def _permit(evidence: PurgeEvidence, final: SnapshotRecord) -> PurgePermit:
    return PurgePermit(
        quarantine=quarantine_of(evidence.tombstone),
        snapshot=final.header.id,
        granted_at=evidence.store_now,
        evidence=content_digest(repr(evidence).encode()),
    )


def _destroy(
    unit: RecordUnit, tombstone: Tombstone, started: StoredEvent, permit: PurgePermit
) -> tuple[str, tuple[str, ...]]:
    try:
        unit.provider(tombstone.provider).purge(permit)
    except SourceVanished as error:
        return "restored", (error.message,)
    if _was_undeleted(unit, tombstone):
        return "restored", ("it was undeleted, and its data are elsewhere by now",)
    draft = Draft(
        type=EventType.PURGED,
        volume=tombstone.volume,
        tombstone=tombstone.id,
        details={"snapshot": permit.snapshot, "evidence": permit.evidence},
    )
    record(unit, started, draft)
    return "purged", ()


def _was_undeleted(unit: RecordUnit, tombstone: Tombstone) -> bool:
    """Data that are not there may have been undeleted, and deleted again under another tombstone.

    The other delete began after `undeleted` was stored, so this sees it.
    """
    events = read_events(unit.reader, unit.charter, unit.tampering, tombstone.volume)
    mine = [stored for stored in events if stored.event.tombstone == tombstone.id]
    return _folded(mine).state is State.RESTORED


def _finish(
    unit: RecordUnit, tombstone: Tombstone, former: StoredEvent, *, dry_run: bool
) -> tuple[str, tuple[str, ...]]:
    """The deciding step of an earlier pass was taken: what is left has no way back."""
    if dry_run:
        return "would-purge", ("a former pass began it",)
    permit = PurgePermit(
        quarantine=quarantine_of(tombstone),
        snapshot=tombstone.snapshot,
        granted_at=unit.reader.now(),
        evidence=former.key,
    )
    return _destroy(unit, tombstone, former, permit)


def _open_tombstones(unit: RecordUnit) -> Iterator[tuple[Tombstone, Sequence[StoredEvent]]]:
    """Each that is concerned, with its events; its window is at least what is owed to it.

    Of one that is owed more than where it was deleted nobody's agreement makes it shorter.
    """
    stored = tuple(read_events(unit.reader, unit.charter, unit.tampering))
    for tombstone, events in Proofs(unit).tombstones(stored):
        if tombstone.state in _CONCERNED:
            said = _said(unit, tombstone, stored)
            owed = max(window_of(unit, environment) for environment in said)
            elsewhere = was_protected_elsewhere(unit, tombstone, said)
            yield (
                replace(
                    tombstone,
                    window=max(tombstone.window, owed),
                    early_at=None if elsewhere else tombstone.early_at,
                ),
                events,
            )


def _said(unit: RecordUnit, tombstone: Tombstone, stored: Iterable[StoredEvent]) -> set[str]:
    """Every environment in which this volume, or its source, was ever said to be.

    The longest of their windows counts: whoever gets hold of a writer's key cannot talk a volume
    into one with a shorter window.
    """
    said = {tombstone.environment}
    provider, source = unit.provider(tombstone.provider), read_identity(tombstone.identity)
    for event in (one.event for one in stored):
        named = event.details.get("environment")
        if named is None:
            continue
        other = read_identity(event.details.get("identity", ""))
        if event.volume == tombstone.volume or provider.is_same(other, source):
            said.add(named)
    return said


def _folded(events: Iterable[StoredEvent]) -> Tombstone:
    return fold((stored.event, stored.stored_at) for stored in events)


def _spoken_for(unit: RecordUnit, tombstone: Tombstone, known: Iterable[StoredEvent]) -> bool:
    """Whether anything was recorded since the evidence was gathered, which may take hours.

    A hold looks for `purge_started` after it was recorded, as this looks for a hold: of two that
    meet at least one gives way.
    """
    keys = {stored.key for stored in known}
    stored = tuple(read_events(unit.reader, unit.charter, unit.tampering, tombstone.volume))
    insist_complete(unit)
    return any(one.event.tombstone == tombstone.id and one.key not in keys for one in stored)


def _must_wait(evidence: PurgeEvidence) -> bool:
    """Whether it is refused whatever its final snapshot is: then not every byte need be read."""
    return any(not refusal.code.startswith("final") for refusal in judge(evidence))


def _evidence(
    unit: RecordUnit, tombstone: Tombstone, final: FinalSnapshot | None, agreed: tuple[str, ...]
) -> PurgeEvidence:
    return PurgeEvidence(
        tombstone=tombstone,
        store_now=unit.reader.now(),
        local_now=unit.clock.now(),
        clocked=unit.reader.clocked,
        uptime=accumulated_uptime(unit),
        window=window_of(unit, tombstone.environment),
        final=final,
        final_lock=timedelta(seconds=unit.charter.final_lock_seconds),
        agreed=agreed,
    )


def _final_snapshot(unit: RecordUnit, tombstone: Tombstone) -> SnapshotRecord | None:
    stored = list_snapshots(unit.reader, unit.charter, unit.tampering, volume=tombstone.volume)
    return next((record for record in stored if record.header.id == tombstone.snapshot), None)


def _verified(unit: RecordUnit, final: SnapshotRecord, *, deep: bool) -> FinalSnapshot:
    report = check(
        unit.reader,
        unit.charter,
        [final],
        terms=CheckTerms(deep, unit.tampering, unit.progress),
    )
    return FinalSnapshot(
        id=final.header.id,
        volume=final.header.volume,
        final_for=final.header.final_for,
        stored_at=final.stored_at,
        verified={finding.what for finding in report.findings} <= {"unsealed"},  # locked it is
        unread=final.header.findings,
        locked_until=report.locked_until,
    )


def _moved(
    unit: RecordUnit, tombstone: Tombstone, final: SnapshotRecord | None
) -> tuple[Refusal, ...]:
    """Data that changed in quarantine after the final snapshot are in no snapshot.

    What is not to be seen now, and was for that one, may have changed.
    """
    if final is None:
        return ()
    if abs(final.header.finished_at - final.stored_at) > limits.CLOCK_TOLERANCE:
        sentence = "the final snapshot was taken by a clock that disagrees with the store's"
        return (Refusal("final_clock", sentence),)
    moment: datetime = final.header.started_at
    try:
        walk = unit.provider(tombstone.provider).capture(tombstone.held_at)
        still = still_since(walk, moment)
    except SourceError as error:
        return (Refusal("quarantine", error.message),)
    if still and walk.findings:
        first = walk.findings[0]
        what = shown(first.path) or tombstone.held_at
        sentence = f"“{what}” could not be looked at once more: {first.detail}"
        return (Refusal("final_unseen", sentence),)
    sentence = "the quarantined data changed after the final snapshot was taken"
    return () if still else (Refusal("final_moved", sentence),)
