"""Hold and release: while a hold is on a tombstone, nothing of its volume is purged or expires.

An undelete brings the data back all the same; whoever deletes them again, as another volume, too,
finds the hold on the new tombstone. One hold does not take another's place: both reasons stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vault.errors import TransitionRefused
from vault.governance.principal import PrincipalKind
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone, step
from vault.operations.gate import Question, admit
from vault.operations.identity import read_identity
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, exclusive
from vault.provider import Provider, SourceIdentity
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


def carried_hold(
    former: Sequence[Tombstone], volume: str, provider: Provider | None, source: SourceIdentity
) -> str:
    """The hold that was on a volume when it was last undeleted: by that way nobody gets rid of one.

    `former` are tombstones, the oldest first. Those of the same source count, too: to register it
    anew is no way either.
    """
    for tombstone in reversed(former):
        back = tombstone.state is State.RESTORED and tombstone.identity
        if tombstone.volume == volume or (
            back
            and provider is not None
            and provider.is_same(read_identity(tombstone.identity), source)
        ):
            return tombstone.hold
    return ""


def flag(unit: WriteUnit, tombstone: Tombstone, kind: EventType, reason: str) -> Tombstone:
    """Record a hold, or that it is taken off, once that was let pass.

    `tombstone` is as it was then: only the hold that was on it is taken off.
    """
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events, seen = refresh(unit, tombstone.volume), tombstone.hold
        tombstone = unit.catalog.tombstones.get(tombstone.id)
        if kind is EventType.HELD or not tombstone.hold:
            step(tombstone.state, kind)
        if kind is EventType.HELD and tombstone.hold:
            if unit.principal.kind is not PrincipalKind.HUMAN:
                return tombstone  # it is held as they wish, for a reason that a person gave
            reason = _both(tombstone.hold, reason)
        if kind is EventType.RELEASED and tombstone.hold not in ("", seen):
            raise _another(tombstone)
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


def _both(former: str, reason: str) -> str:
    return former if reason in former.split("; ") else f"{former}; {reason}"


def _another(tombstone: Tombstone) -> TransitionRefused:
    return TransitionRefused(
        f"another hold came on {tombstone.id} meanwhile: {tombstone.hold}",
        safe="Nothing was changed.",
        hint=f"Look at it, and ask again: vault release {tombstone.id}",
    )


def _refuse_begun(tombstone: Tombstone, events: Iterable[StoredEvent]) -> None:
    """An undelete that was given up hides from the state that a purge began and may still go on."""
    kind = EventType.PURGE_STARTED
    if any(s.event.tombstone == tombstone.id and s.event.type is kind for s in events):
        raise TransitionRefused(
            f"a purge of {tombstone.id} had begun before: it may not see this hold",
            safe="The hold is on record, and keeps every later purge from beginning.",
            hint="To be sure of the data undelete them.",
        )
