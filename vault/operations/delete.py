"""Delete: a volume becomes a tombstone that can be undone; O(1) whatever its size.

Order: gate → place decided (no effect) → request and start recorded in the store → the provider's
rename → `quarantined` recorded in the store, which is the acknowledgement. A crash before the
rename leaves the volume in place and `settle` abandons the delete; a crash after it is finished by
`settle`. With the store out of reach the first record fails and nothing has changed.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

import msgspec

from vault.errors import SourceError, SourceReplaced, TransitionRefused, VolumeTombstoned
from vault.governance.request import Verb
from vault.ids import new_id
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.lifecycle.volume import Volume
from vault.operations.gate import admit, question_of
from vault.operations.hold import carried_hold
from vault.operations.identity import (
    identity_text,
    insist_own,
    is_registered,
    read_identity,
    refuse_closed,
)
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, exclusive, window_of
from vault.operations.uptime import accumulated_uptime
from vault.provider import Quarantine, Whereabouts
from vault.repository.journal import StoredEvent

_UNSETTLED: Final = (State.REQUESTED, State.QUARANTINING)


class DeletePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One delete, decided and without effect: which volume, where it goes, how long undoable.

    `sent` are the details by which a rebuild knows a request again that came with a key.
    """

    volume: Volume
    place: Quarantine
    window: timedelta
    reason: str
    task: str
    sent: dict[str, str] = {}


def plan_delete(unit: WriteUnit, name: str, *, reason: str, task: str = "") -> DeletePlan:
    """Decide a delete. Raises VolumeUnknown, VolumeTombstoned, Denied, SourceError."""
    volume = unit.catalog.volumes.resolve(name)
    _refuse_closed(volume)
    admit(unit, question_of(Verb.DELETE, volume, reason=reason, task=task))
    insist_own(unit, volume)
    try:
        place = _place(unit, volume)
    except SourceError:
        with exclusive(unit.home, f"volume-{volume.id}"):  # another delete may be under way
            _refuse_closed(unit.catalog.volumes.resolve(volume.id))
        raise
    return DeletePlan(
        volume=volume,
        place=place,
        window=_window(unit, volume),
        reason=reason,
        task=task,
    )


def _window(unit: WriteUnit, volume: Volume) -> timedelta:
    """The longest of the environments that it was ever in: so long the purger waits, too."""
    told = (row.event.details.get("environment") for row in unit.catalog.events.of(volume.id))
    said = {volume.environment, *(environment for environment in told if environment)}
    return max(window_of(unit, environment) for environment in said)


def _place(unit: WriteUnit, volume: Volume) -> Quarantine:
    """Where its data would go. Raises SourceError where they are not there, or others are."""
    provider = unit.provider(volume.provider)
    place = provider.plan_quarantine(volume.location, new_id("tomb", unit.clock.now()))
    if not is_registered(provider, place.identity, volume):
        raise _replaced(volume)
    return place


def execute_delete(unit: WriteUnit, plan: DeletePlan) -> Tombstone:
    """Carry a plan out; on return the tombstone is in the store and the data are set aside."""
    volume, place = plan.volume, plan.place
    with exclusive(unit.home, f"volume-{volume.id}"):
        events = refresh(unit, volume.id)
        present = unit.catalog.volumes.resolve(volume.id)
        _refuse_closed(present)
        if present.environment != volume.environment:
            raise _moved(volume)
        former = unit.catalog.whole().tombstones.former(volume.id)
        provider = unit.provider(volume.provider)
        draft = _requested(plan, carried_hold(former, volume.id, provider, place.identity))
        requested = record(unit, events[-1] if events else None, draft)
        started = record(unit, requested, _started(plan))
        try:
            unit.provider(volume.provider).quarantine(place)
        except Exception:
            _settle_quarantining(unit, place, volume.provider, started)
            raise
        _acknowledge(unit, place.tombstone, started)
        return unit.catalog.tombstones.get(place.tombstone)


def settle(unit: WriteUnit, tombstone: Tombstone) -> str:
    """Finish a delete that a crash left half done; says what was done, empty for nothing."""
    if tombstone.state not in _UNSETTLED:
        return ""
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        tombstone = unit.catalog.tombstones.get(tombstone.id)
        if tombstone.state not in _UNSETTLED:
            return ""
        if tombstone.state is State.REQUESTED:
            return _abandon(unit, tombstone.id, events[-1])
        place = quarantine_of(tombstone)
        return _settle_quarantining(unit, place, tombstone.provider, events[-1])


def quarantine_of(tombstone: Tombstone) -> Quarantine:
    """The provider's terms of a tombstone, as they were recorded before anything moved."""
    return Quarantine(
        tombstone=tombstone.id,
        location=tombstone.location,
        held_at=tombstone.held_at,
        identity=read_identity(tombstone.identity),
    )


def _settle_quarantining(
    unit: WriteUnit, place: Quarantine, provider: str, former: StoredEvent
) -> str:
    where = unit.provider(provider).whereabouts(place)
    if where is Whereabouts.IN_PLACE:
        with suppress(SourceError):  # nothing is left of a quarantine that was only prepared
            unit.provider(provider).undelete(place)
        return _abandon(unit, place.tombstone, former)
    if where is Whereabouts.QUARANTINED:
        # The rename may not have been durable: the provider makes sure, it is idempotent.
        unit.provider(provider).quarantine(place)
        _acknowledge(unit, place.tombstone, former)
        return f"{place.tombstone}: the delete was finished"
    _acknowledge(unit, place.tombstone, former)
    return f"{place.tombstone}: the data are not at {place.held_at}"


def _abandon(unit: WriteUnit, tombstone: str, former: StoredEvent) -> str:
    reason = "the volume never left its place"
    kind, volume = EventType.QUARANTINE_ABANDONED, former.event.volume
    record(unit, former, Draft(type=kind, volume=volume, tombstone=tombstone, reason=reason))
    return f"{tombstone}: abandoned, {reason}"


def _acknowledge(unit: WriteUnit, tombstone: str, former: StoredEvent) -> None:
    details = {"uptime": f"{accumulated_uptime(unit):.0f}"}
    draft = Draft(
        type=EventType.QUARANTINED,
        volume=former.event.volume,
        tombstone=tombstone,
        details=details,
    )
    record(unit, former, draft)


def _refuse_closed(volume: Volume) -> None:
    if volume.state == "tombstoned":
        raise VolumeTombstoned(
            f"“{volume.name}” is deleted already",
            safe="Its data wait in quarantine.",
            hint="See it with: vault tombstones; bring it back with: vault undelete",
        )
    refuse_closed(volume)


def _moved(volume: Volume) -> TransitionRefused:
    return TransitionRefused(
        f"“{volume.name}” belongs to another environment by now",
        safe="Nothing was moved or deleted.",
        hint="Ask again: the rules of that one hold.",
    )


def _replaced(volume: Volume) -> SourceReplaced:
    return SourceReplaced(
        f"another source stands at {volume.location} than the one registered",
        safe="Nothing was moved or deleted.",
        hint=f"Look at it; if it is right so: vault volume acknowledge {volume.name}",
    )


def _requested(plan: DeletePlan, hold: str) -> Draft:
    volume = plan.volume
    carried = {"hold": hold} if hold else {}
    return Draft(
        type=EventType.DELETE_REQUESTED,
        volume=volume.id,
        tombstone=plan.place.tombstone,
        reason=plan.reason,
        task=plan.task,
        details={
            "volume_name": volume.name,
            "environment": volume.environment,
            "provider": volume.provider,
            "window_seconds": str(int(plan.window.total_seconds())),
            **carried,
            **plan.sent,
        },
    )


def _started(plan: DeletePlan) -> Draft:
    return Draft(
        type=EventType.QUARANTINE_STARTED,
        volume=plan.volume.id,
        tombstone=plan.place.tombstone,
        details={
            "location": plan.place.location,
            "held_at": plan.place.held_at,
            "identity": identity_text(plan.place.identity),
        },
    )
