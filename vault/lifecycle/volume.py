"""A volume: what is protected, and how it stands, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from vault.clock import format_time
from vault.errors import TransitionRefused, UsageError
from vault.lifecycle.event import Event, EventType
from vault.lifecycle.retention import Keep, Standing, parse_keep


class VolumeState(StrEnum):
    """How a volume stands; the words are part of the command line's output."""

    ABSENT = "absent"
    ACTIVE = "active"
    PAUSED = "paused"
    VANISHED = "vanished"
    REPLACED = "replaced"
    TOMBSTONED = "tombstoned"
    REMOVED = "removed"


# A vanished or replaced source that is back as it was is resumed, or deleted; only an
# acknowledgement by a person ends the alarm, and with it the freeze of what is stored. Acknowledged
# while it is gone, the volume is closed; acknowledged while another stands there, that one is
# accepted.
VOLUME_TABLE: Final[dict[tuple[VolumeState, EventType], VolumeState]] = {
    (VolumeState.ABSENT, EventType.VOLUME_ADDED): VolumeState.ACTIVE,
    (VolumeState.ACTIVE, EventType.VOLUME_PAUSED): VolumeState.PAUSED,
    (VolumeState.PAUSED, EventType.VOLUME_RESUMED): VolumeState.ACTIVE,
    (VolumeState.VANISHED, EventType.VOLUME_RESUMED): VolumeState.ACTIVE,
    (VolumeState.REPLACED, EventType.VOLUME_RESUMED): VolumeState.ACTIVE,
    (VolumeState.ACTIVE, EventType.SOURCE_VANISHED): VolumeState.VANISHED,
    (VolumeState.PAUSED, EventType.SOURCE_VANISHED): VolumeState.VANISHED,
    (VolumeState.REPLACED, EventType.SOURCE_VANISHED): VolumeState.VANISHED,
    (VolumeState.ACTIVE, EventType.SOURCE_REPLACED): VolumeState.REPLACED,
    (VolumeState.PAUSED, EventType.SOURCE_REPLACED): VolumeState.REPLACED,
    (VolumeState.VANISHED, EventType.SOURCE_REPLACED): VolumeState.REPLACED,
    (VolumeState.ACTIVE, EventType.SOURCE_ACKNOWLEDGED): VolumeState.ACTIVE,
    (VolumeState.PAUSED, EventType.SOURCE_ACKNOWLEDGED): VolumeState.PAUSED,
    (VolumeState.VANISHED, EventType.SOURCE_ACKNOWLEDGED): VolumeState.REMOVED,
    (VolumeState.REPLACED, EventType.SOURCE_ACKNOWLEDGED): VolumeState.ACTIVE,
    (VolumeState.REMOVED, EventType.SOURCE_ACKNOWLEDGED): VolumeState.REMOVED,
    (VolumeState.ACTIVE, EventType.ATTACK_SUSPECTED): VolumeState.ACTIVE,
    (VolumeState.PAUSED, EventType.ATTACK_SUSPECTED): VolumeState.PAUSED,
    (VolumeState.TOMBSTONED, EventType.ATTACK_SUSPECTED): VolumeState.TOMBSTONED,
    (VolumeState.ACTIVE, EventType.VOLUME_REMOVED): VolumeState.REMOVED,
    (VolumeState.PAUSED, EventType.VOLUME_REMOVED): VolumeState.REMOVED,
    (VolumeState.VANISHED, EventType.VOLUME_REMOVED): VolumeState.REMOVED,
    (VolumeState.REPLACED, EventType.VOLUME_REMOVED): VolumeState.REMOVED,
    (VolumeState.ACTIVE, EventType.KEEP_CHANGED): VolumeState.ACTIVE,
    (VolumeState.PAUSED, EventType.KEEP_CHANGED): VolumeState.PAUSED,
    (VolumeState.VANISHED, EventType.KEEP_CHANGED): VolumeState.VANISHED,
    (VolumeState.REPLACED, EventType.KEEP_CHANGED): VolumeState.REPLACED,
    (VolumeState.ACTIVE, EventType.VOLUME_MOVED): VolumeState.ACTIVE,
    (VolumeState.PAUSED, EventType.VOLUME_MOVED): VolumeState.PAUSED,
    (VolumeState.VANISHED, EventType.VOLUME_MOVED): VolumeState.VANISHED,
    (VolumeState.REPLACED, EventType.VOLUME_MOVED): VolumeState.REPLACED,
    (VolumeState.ACTIVE, EventType.QUARANTINE_STARTED): VolumeState.TOMBSTONED,
    (VolumeState.PAUSED, EventType.QUARANTINE_STARTED): VolumeState.TOMBSTONED,
    (VolumeState.VANISHED, EventType.QUARANTINE_STARTED): VolumeState.TOMBSTONED,
    (VolumeState.REPLACED, EventType.QUARANTINE_STARTED): VolumeState.TOMBSTONED,
    (VolumeState.TOMBSTONED, EventType.QUARANTINE_ABANDONED): VolumeState.ACTIVE,
    (VolumeState.TOMBSTONED, EventType.UNDELETED): VolumeState.ACTIVE,
    (VolumeState.TOMBSTONED, EventType.PURGED): VolumeState.REMOVED,
    (VolumeState.TOMBSTONED, EventType.FOUND_DESTROYED): VolumeState.VANISHED,
}

_EVENTS: Final = frozenset(event for _, event in VOLUME_TABLE)
_RESULTS: Final = frozenset((event, result) for (_, event), result in VOLUME_TABLE.items())
_ALARMS: Final = {
    EventType.SOURCE_VANISHED: "vanished",
    EventType.SOURCE_REPLACED: "replaced",
    EventType.FOUND_DESTROYED: "destroyed",
    EventType.ATTACK_SUSPECTED: "attacked",
}


class Volume(msgspec.Struct, frozen=True):
    """One volume. All times are the store's.

    `alarm` (vanished, replaced, destroyed, attacked, or empty) stays until a person has
    acknowledged it, whatever the state has become. `found` is the identity that stands in the place
    of a replaced one. `keep` is text that `parse_keep` reads; `kept` has what it was before, each
    until when: what was stored by then goes on by it. `tombstone` is that of the delete under way
    or last done. `owner` is the key id of the writer that looks after it. `closed_at` is set while
    removed. `refused` lists stored events that the table did not allow; they changed nothing.
    """

    id: str
    created_at: datetime
    name: str = ""
    environment: str = ""
    provider: str = ""
    location: str = ""
    identity: str = ""
    schedule: str = ""
    keep: str = str(Keep())
    state: VolumeState = VolumeState.ABSENT
    alarm: str = ""
    found: str = ""
    tombstone: str = ""
    owner: str = ""
    was_paused: bool = False
    kept: tuple[tuple[datetime, str], ...] = ()
    closed_at: datetime | None = None
    refused: tuple[str, ...] = ()


def step_volume(state: VolumeState, event: EventType) -> VolumeState:
    """The state after one more event. Raises TransitionRefused where the table has no such step."""
    result = VOLUME_TABLE.get((state, event))
    if result is None:
        raise TransitionRefused(
            f"a volume that is {state} cannot take “{event}”", safe="Nothing was changed."
        )
    return result


def fold_volume(events: Iterable[tuple[Event, datetime]]) -> Volume:
    """One volume from its events, each with the time at which the store received it.

    As `tombstone.fold`: in the order of ids, tolerant of repetition, never failing.
    """
    ordered = sorted(events, key=lambda pair: (pair[0].id, pair[1]))
    volume = Volume(id=ordered[0][0].volume, created_at=ordered[0][1])
    for event, stored_at in ordered:
        if event.type in _EVENTS:
            volume = _advance(volume, event, stored_at)
    return volume


def standing(volume: Volume, floor: Keep, *, held: bool = False) -> Standing:
    """How this volume stands with retention: at least the charter's `floor`, frozen while open.

    `held` says that a hold is on one of its tombstones.
    """
    frozen = volume.alarm or ("held" if held else "")
    if volume.state is VolumeState.TOMBSTONED:
        frozen = "tombstoned"
    kept = tuple((until, parse_keep(text).at_least(floor)) for until, text in volume.kept)
    return Standing(parse_keep(volume.keep).at_least(floor), frozen, volume.closed_at, kept)


def _advance(volume: Volume, event: Event, stored_at: datetime) -> Volume:
    ours = event.tombstone == volume.tombstone
    if event.type is EventType.QUARANTINE_ABANDONED and not ours:
        return volume  # a request that never touched the volume
    result = VOLUME_TABLE.get((volume.state, event.type))
    if result is None or (volume.state is VolumeState.TOMBSTONED and not ours):
        if (ours or not event.tombstone) and _was_taken(volume, event.type):
            return volume
        line = f"{event.id} {event.type} while {volume.state} at {format_time(stored_at)}"
        return replace(volume, refused=(*volume.refused, line))
    if volume.state is VolumeState.TOMBSTONED and volume.was_paused:
        result = VolumeState.PAUSED if result is VolumeState.ACTIVE else result
    closed_at = (volume.closed_at or stored_at) if result is VolumeState.REMOVED else None
    moved = replace(volume, state=result, closed_at=closed_at)
    if event.type is EventType.KEEP_CHANGED:
        return _keep_from(moved, event, stored_at)
    return _apply(moved, volume.state, event)


def _was_taken(volume: Volume, event: EventType) -> bool:
    """Whether this is the step that led here, appended twice by a resumed operation."""
    undone = volume.state is VolumeState.PAUSED and volume.was_paused
    return (event, VolumeState.ACTIVE if undone else volume.state) in _RESULTS


def _apply(volume: Volume, former: VolumeState, event: Event) -> Volume:
    details = event.details.get
    match event.type:
        case EventType.VOLUME_ADDED:
            return replace(
                volume,
                name=details("name", ""),
                environment=details("environment", ""),
                provider=details("provider", ""),
                location=details("location", ""),
                identity=details("identity", ""),
                schedule=details("schedule", ""),
                keep=recorded_keep(details("keep", "")),
                owner=details("owner", ""),
            )
        case EventType.VOLUME_MOVED:
            return replace(volume, environment=details("environment", "") or volume.environment)
        case EventType.SOURCE_VANISHED | EventType.FOUND_DESTROYED:
            return replace(volume, alarm=_ALARMS[event.type], found="")
        case EventType.SOURCE_REPLACED:
            return replace(volume, alarm=_ALARMS[event.type], found=details("identity", ""))
        case EventType.ATTACK_SUSPECTED:
            return replace(volume, alarm=volume.alarm or _ALARMS[event.type])
        case EventType.SOURCE_ACKNOWLEDGED:
            accepted = details("identity", "") or (
                volume.found if former is VolumeState.REPLACED else ""
            )
            return replace(
                volume,
                alarm="",
                found="",
                identity=accepted or volume.identity,
                owner=details("owner", "") or volume.owner,
            )
        case EventType.VOLUME_RESUMED:
            return replace(volume, found="")
        case EventType.QUARANTINE_STARTED:
            paused = former is VolumeState.PAUSED
            return replace(volume, tombstone=event.tombstone, was_paused=paused)
        case _:
            return volume


def _keep_from(volume: Volume, event: Event, stored_at: datetime) -> Volume:
    """What is stored later, by the store's time, is kept by the new terms."""
    since = max([stored_at, *(until for until, _ in volume.kept)])
    keep = recorded_keep(event.details.get("keep", ""))
    return replace(volume, keep=keep, kept=(*volume.kept, (since, volume.keep)))


def recorded_keep(text: str) -> str:
    """What was recorded; the default where it cannot be read."""
    try:
        return str(parse_keep(text))
    except UsageError:
        return str(Keep())
