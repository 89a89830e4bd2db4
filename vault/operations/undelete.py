"""Undelete: the same path back. Who deleted may undo, and needs no reason.

Order: `undelete_started` recorded → the provider's rename back → `undeleted` recorded, which is the
acknowledgement. A crash in between is finished by `settle`. Against a purger that began at the same
moment the provider's rename decides; exactly one of both succeeds.
"""

from __future__ import annotations

from datetime import datetime

from vault.errors import PlaceTaken, SourceError, SourceVanished, TransitionRefused
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations.delete import quarantine_of
from vault.operations.gate import Question, admit
from vault.operations.identity import insist_own
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, exclusive
from vault.provider import Whereabouts
from vault.repository.journal import StoredEvent


def undelete(unit: WriteUnit, identifier: str) -> Tombstone:
    """Bring a deleted volume back to its place; O(1).

    Raises TombstoneUnknown, TransitionRefused, PlaceTaken, SourceVanished, StoreError. On any of
    them the data stay where they are.
    """
    tombstone = unit.catalog.tombstones.get(identifier)
    name, environment = tombstone.volume_name, tombstone.environment
    admit(unit, Question(Verb.UNDELETE, name, tombstone.volume, environment))
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        tombstone = unit.catalog.tombstones.get(tombstone.id)
        if tombstone.state is State.RESTORED:
            return tombstone
        if not tombstone.can_undo():
            raise _too_late(tombstone)
        _insist_here(unit, tombstone)
        draft = Draft(
            type=EventType.UNDELETE_STARTED, volume=tombstone.volume, tombstone=tombstone.id
        )
        _finish(unit, tombstone, record(unit, events[-1], draft))
        return unit.catalog.tombstones.get(tombstone.id)


def _insist_here(unit: WriteUnit, tombstone: Tombstone) -> None:
    """Another host's quarantine is not judged by this one's disks, unless they are here now."""
    where = unit.provider(tombstone.provider).whereabouts(quarantine_of(tombstone))
    if where is Whereabouts.GONE:
        insist_own(unit, unit.catalog.volumes.resolve(tombstone.volume))


def undoable_since(unit: WriteUnit, since: datetime, by: str = "") -> list[Tombstone]:
    """The tombstones made since then (by one identity) that can be undone."""
    return [
        tombstone
        for tombstone in unit.catalog.tombstones.all()
        if tombstone.can_undo()
        and tombstone.created_at >= since
        and by in ("", tombstone.deleted_by.name if tombstone.deleted_by else "")
    ]


def settle(unit: WriteUnit, tombstone: Tombstone) -> str:
    """Finish an undelete that a crash left half done; says what was done, empty for nothing."""
    if tombstone.state is not State.RESTORING:
        return ""
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        tombstone = unit.catalog.tombstones.get(tombstone.id)
        if tombstone.state is not State.RESTORING:
            return ""
        try:
            _finish(unit, tombstone, events[-1])
        except SourceError as error:
            return f"{tombstone.id}: {error.message}"
        return f"{tombstone.id}: the undelete was finished"


def _finish(unit: WriteUnit, tombstone: Tombstone, started: StoredEvent) -> None:
    place = quarantine_of(tombstone)
    provider = unit.provider(tombstone.provider)
    draft = Draft(type=EventType.UNDELETED, volume=tombstone.volume, tombstone=tombstone.id)
    try:
        provider.undelete(place)
    except PlaceTaken:
        _abandon(unit, tombstone, started)
        raise
    except SourceVanished:
        if provider.whereabouts(place) is Whereabouts.GONE:
            kind = EventType.FOUND_DESTROYED
            record(unit, started, Draft(type=kind, volume=tombstone.volume, tombstone=tombstone.id))
        raise
    record(unit, started, draft)


def _abandon(unit: WriteUnit, tombstone: Tombstone, started: StoredEvent) -> None:
    draft = Draft(
        type=EventType.UNDELETE_ABANDONED, volume=tombstone.volume, tombstone=tombstone.id
    )
    record(unit, started, draft)


def _too_late(tombstone: Tombstone) -> TransitionRefused:
    where = f"vault restore {tombstone.id} --to DIR"
    return TransitionRefused(
        f"{tombstone.id} is {tombstone.state.replace('_', ' ')} and cannot be undeleted",
        safe="What the store holds of it is not affected.",
        hint=f"Bring its contents back from the store: {where}",
    )
