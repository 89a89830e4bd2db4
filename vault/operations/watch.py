"""Watch: notice a volume that vanished or became another, and data taken out of quarantine."""

from __future__ import annotations

from vault.errors import SourceError
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.lifecycle.volume import Volume, VolumeState
from vault.operations.capture import CapturePlan, check_source
from vault.operations.delete import quarantine_of
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import WriteUnit, exclusive
from vault.provider import Whereabouts


def watch_volume(unit: WriteUnit, volume: Volume) -> str:
    """Compare who stands there with who is registered; says what was found, empty for nothing.

    The loss is in the store, as an event, before this returns. A source that came back as it was
    is captured again; the alarm stays until a person has acknowledged it.
    """
    provider = unit.provider(volume.provider)
    try:
        check_source(unit, provider, CapturePlan(volume=volume, location=volume.location))
    except SourceError as error:
        return error.message
    if volume.state in (VolumeState.VANISHED, VolumeState.REPLACED):
        with exclusive(unit.home, f"volume-{volume.id}"):
            events = refresh(unit, volume.id)
            draft = Draft(
                type=EventType.VOLUME_RESUMED,
                volume=volume.id,
                reason="the source is back as it was",
            )
            record(unit, events[-1] if events else None, draft)
        return f"{volume.name}: the source is back as it was"
    return ""


def watch_tombstone(unit: WriteUnit, tombstone: Tombstone) -> str:
    """Record quarantined data that somebody else destroyed; says so, empty for nothing."""
    if tombstone.state is not State.TOMBSTONED:
        return ""
    where = unit.provider(tombstone.provider).whereabouts(quarantine_of(tombstone))
    if where is not Whereabouts.GONE:
        return ""
    with exclusive(unit.home, f"volume-{tombstone.volume}"):
        events = refresh(unit, tombstone.volume)
        if unit.catalog.tombstones.get(tombstone.id).state is not State.TOMBSTONED:
            return ""
        draft = Draft(
            type=EventType.FOUND_DESTROYED, volume=tombstone.volume, tombstone=tombstone.id
        )
        record(unit, events[-1], draft)
    return f"{tombstone.id}: the data are gone from {tombstone.held_at}"
