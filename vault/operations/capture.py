"""Capture: merge the walk over a volume with its last manifest, store what changed, commit.

Nothing of the parent is opened anew that did not change; what moved while it was read is read
again, and marked as torn where it would not hold still. The last put is the commit.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from vault import limits
from vault.errors import (
    ObjectMissing,
    RepositoryError,
    SourceReplaced,
    SourceVanished,
)
from vault.lifecycle.event import EventType
from vault.lifecycle.retention import lock_target, parse_keep
from vault.lifecycle.volume import Volume, VolumeState
from vault.operations.identity import (
    found_at,
    identity_text,
    insist_own,
    is_registered,
    refuse_closed,
)
from vault.operations.record import Draft, record, refresh
from vault.operations.suspect import look_for_attack
from vault.operations.unit import WriteUnit, exclusive
from vault.provider import Capture, Entry, Finding, Kind, Provider, SourceIdentity
from vault.repository.index_objects import sync_index
from vault.repository.snapshot import SnapshotRecord, read_snapshot
from vault.repository.writer import Recording, VolumeFacts, WriterParts


class CapturePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is captured from where: the volume itself, or its quarantined data for a tombstone.

    `saved_for` is the snapshot that is about to be restored over it.
    """

    volume: Volume
    location: str
    final_for: str = ""
    saved_for: str = ""


class _Tally(msgspec.Struct):
    """What a merge met: findings, and inodes whose first name could not be stored."""

    lost: dict[int, bytes] = msgspec.field(default_factory=dict)
    findings: list[Finding] = msgspec.field(default_factory=list)


def capture(unit: WriteUnit, plan: CapturePlan) -> tuple[SnapshotRecord, tuple[Finding, ...]]:
    """Make one snapshot; on return it is committed, read back and locked.

    Raises SourceVanished, SourceReplaced (both recorded first), SourceDenied, StoreError. Nothing
    is committed then, and what was stored before stays as it is.
    """
    with exclusive(unit.home, f"capture-{plan.volume.id}"):
        provider = unit.provider(plan.volume.provider)
        accepted = check_source(unit, provider, plan)
        parent = newest_record(unit, plan.volume.id)
        walk = provider.capture(plan.location)
        if walk.identity != accepted:  # a disk went away since it was looked at
            raise _replaced(plan)
        tally = _Tally()
        sync_index(unit.index, unit.reader, unit.charter, keys=unit.keys, tampering=unit.tampering)
        with Recording(
            _parts(unit), _facts(plan, walk), parent=parent, retain_until=_retain_until(unit)
        ) as recording:
            _merge(walk, recording, tally)
            findings = [*walk.findings, *tally.findings]
            stored = recording.commit(findings)
        unit.catalog.snapshots.put(stored)
    return stored, (*findings, *look_for_attack(unit, plan.volume.id))


def check_source(unit: WriteUnit, provider: Provider, plan: CapturePlan) -> SourceIdentity:
    """Make sure that the source is the one that was registered; record it where it is not.

    Returns the identity that was accepted. A delete that is under way in another process
    is no loss: it is looked at again under the volume's lock.

    Raises SourceVanished, SourceReplaced, VolumeTombstoned, VolumeElsewhere.
    """
    if plan.final_for:
        found = found_at(provider, plan.location)
        if found is None or not is_registered(provider, found, plan.volume):
            raise _lost(plan, "is not in quarantine any more")
        return found
    refuse_closed(plan.volume)
    insist_own(unit, plan.volume)
    found = found_at(provider, plan.location)
    if found is not None and is_registered(provider, found, plan.volume):
        return found
    with exclusive(unit.home, f"volume-{plan.volume.id}"):
        events = refresh(unit, plan.volume.id)
        volume = unit.catalog.volumes.resolve(plan.volume.id)
        refuse_closed(volume)
        found = found_at(provider, plan.location)
        if found is not None and is_registered(provider, found, volume):
            return found
        if found is not None and identity_text(found) != volume.found:
            kind, details = EventType.SOURCE_REPLACED, {"identity": identity_text(found)}
            record(unit, events[-1], Draft(type=kind, volume=volume.id, details=details))
        elif found is None and volume.state is not VolumeState.VANISHED:
            record(unit, events[-1], Draft(type=EventType.SOURCE_VANISHED, volume=volume.id))
    if found is not None:
        raise _replaced(plan)
    raise _lost(plan, "is not there any more")


def _lost(plan: CapturePlan, how: str) -> SourceVanished:
    return SourceVanished(
        f"“{plan.volume.name}” {how}: nothing is at {plan.location}",
        safe="Its snapshots are stored, and none of them expires until you have acknowledged this.",
        hint=f"Mount it, or accept its loss: vault volume acknowledge {plan.volume.name}",
    )


def _replaced(plan: CapturePlan) -> SourceReplaced:
    name, place = plan.volume.name, plan.location
    return SourceReplaced(
        f"“{name}” is not what it was: another source stands at {place}",
        safe="Its snapshots are stored, and none of them expires until you have acknowledged this.",
        hint=f"Look at {place}; if it is right so: vault volume acknowledge {name}",
    )


def newest_record(unit: WriteUnit, volume: str) -> SnapshotRecord | None:
    """The newest snapshot of a volume that the store still gives back; None where there is none.

    A parent only spares reading: that one is damaged or gone keeps nothing from being captured.
    """
    for row in reversed(unit.catalog.snapshots.of(volume)):
        try:
            return read_snapshot(unit.reader, unit.charter, row.key, unit.tampering)
        except (RepositoryError, ObjectMissing):
            continue
    return None


def _parts(unit: WriteUnit) -> WriterParts:
    return WriterParts(
        store=unit.store,
        charter=unit.charter,
        keys=unit.keys,
        index=unit.index,
        clock=unit.clock,
        home=unit.home,
        progress=unit.progress,
    )


def _facts(plan: CapturePlan, walk: Capture) -> VolumeFacts:
    volume = plan.volume
    return VolumeFacts(
        volume=volume.id,
        volume_name=volume.name,
        environment=volume.environment,
        adapter=volume.provider,
        source={"kind": walk.identity.kind, **dict(walk.identity.terms)},
        keep=parse_keep(volume.keep),
        final_for=plan.final_for,
        saved_for=plan.saved_for,
    )


def _retain_until(unit: WriteUnit) -> datetime:
    return lock_target(
        unit.reader.now(),
        minimum=timedelta(seconds=unit.charter.min_lock_seconds),
        ceiling=timedelta(seconds=unit.charter.max_lock_seconds),
    )


def _merge(walk: Capture, recording: Recording, tally: _Tally) -> None:
    for entry in walk.entries():
        if not recording.keep(entry):
            _store_entry(walk, recording, entry, tally)


def _store_entry(walk: Capture, recording: Recording, entry: Entry, tally: _Tally) -> None:
    if entry.link is not None and entry.inode in tally.lost:
        entry = msgspec.structs.replace(entry, link=tally.lost[entry.inode] or None)
    if entry.kind != Kind.FILE or entry.link is not None:
        complete = walk.complete(entry)
        if complete is not None:
            recording.add(complete, None)
        return
    stored = _store_file(walk, recording, entry, tally)
    if not stored or entry.inode in tally.lost:
        # The first name of a hard-linked file went missing: the next one takes its place.
        tally.lost[entry.inode] = entry.path if stored else b""


def _store_file(walk: Capture, recording: Recording, entry: Entry, tally: _Tally) -> bool:
    for attempt in range(limits.CHANGE_RETRIES + 1):
        with walk.open(entry) as content:
            if content is None:
                return False
            span = recording.write(content.blocks())
            if content.stable:
                recording.add(content.entry, span)
                return True
            if attempt == limits.CHANGE_RETRIES:
                recording.add(msgspec.structs.replace(content.entry, torn=True), span)
                detail = f"kept changing while it was read {attempt + 1} times; stored as torn"
                tally.findings.append(Finding("changing", entry.path, detail))
                return True
    return False
