"""Hold and release: while a hold is on a tombstone, nothing of its volume is purged or expires.

An undelete brings the data back all the same; whoever deletes them again finds the hold on the new
tombstone.
"""

from __future__ import annotations

from collections.abc import Iterable

from vault.errors import TransitionRefused
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone, step
from vault.operations.gate import Question, admit
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, exclusive
from vault.repository.journal import StoredEvent


def hold(unit: WriteUnit, identifier: str, reason: str) -> Tombstone:
    """Put a hold on a tombstone. Raises TombstoneUnknown, TransitionRefused, StoreError."""
    return _flag(unit, identifier, EventType.HELD, reason)


def release(unit: WriteUnit, identifier: str, reason: str = "") -> Tombstone:
    """Take a hold off. Raises TombstoneUnknown, TransitionRefused, Denied, StoreError;
    ApprovalNeeded: people agree first, in a protected environment.
    """
    return _flag(unit, identifier, EventType.RELEASED, reason)


def _flag(unit: WriteUnit, identifier: str, kind: EventType, reason: str) -> Tombstone:
    verb = Verb.HOLD if kind is EventType.HELD else Verb.RELEASE
    tombstone = unit.catalog.tombstones.get(identifier)
    name, environment = tombstone.volume_name, tombstone.environment
    about = "" if verb is Verb.HOLD else about_release(tombstone)
    admit(unit, Question(verb, name, tombstone.volume, environment, reason, about=about))
    return flag(unit, tombstone, kind, reason)


def about_release(tombstone: Tombstone) -> str:
    """What people read and sign: whose hold, and why it is on."""
    return f"takes the hold off {tombstone.id}: {tombstone.hold}"


def flag(unit: WriteUnit, tombstone: Tombstone, kind: EventType, reason: str) -> Tombstone:
    """Record a hold, or that it is taken off, once that was let pass."""
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        tombstone = unit.catalog.tombstones.get(tombstone.id)
        if kind is EventType.HELD or not tombstone.hold:
            step(tombstone.state, kind)
        draft = Draft(type=kind, volume=tombstone.volume, tombstone=tombstone.id, reason=reason)
        record(unit, events[-1], draft)
        if kind is EventType.HELD:
            # A purger that has not seen it recorded its own step before: seen here, it has won.
            events = refresh(unit, tombstone.volume)
            state = unit.catalog.tombstones.get(tombstone.id).state
            step(state, kind)
            if state is not State.STORE_ONLY:
                _refuse_begun(tombstone, events)
        return unit.catalog.tombstones.get(tombstone.id)


def _refuse_begun(tombstone: Tombstone, events: Iterable[StoredEvent]) -> None:
    """An undelete that was given up hides from the state that a purge began and may still go on."""
    kind = EventType.PURGE_STARTED
    if any(s.event.tombstone == tombstone.id and s.event.type is kind for s in events):
        raise TransitionRefused(
            f"a purge of {tombstone.id} had begun before: it may not see this hold",
            safe="The hold is on record, and keeps every later purge from beginning.",
            hint="To be sure of the data undelete them.",
        )
