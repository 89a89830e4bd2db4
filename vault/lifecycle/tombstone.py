"""A tombstone: what became of one delete, folded from its events by one table of states."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from vault import limits
from vault.clock import format_time
from vault.errors import TransitionRefused
from vault.lifecycle.event import Actor, Event, EventType


class State(StrEnum):
    """Where a delete has got to; the words are part of the command line's output."""

    ABSENT = "absent"
    REQUESTED = "requested"
    AWAITING_APPROVAL = "awaiting_approval"
    DENIED = "denied"
    QUARANTINING = "quarantining"
    ABANDONED = "abandoned"
    TOMBSTONED = "tombstoned"
    RESTORING = "restoring"
    RESTORED = "restored"
    STORE_ONLY = "store_only"
    PURGING = "purging"
    PURGED = "purged"


# Complete approvals lead back to REQUESTED, where the gate judges again. Undelete and purge may
# begin at once in two processes: the provider's atomic step decides, the table takes either end.
TABLE: Final[dict[tuple[State, EventType], State]] = {
    (State.ABSENT, EventType.DELETE_REQUESTED): State.REQUESTED,
    (State.REQUESTED, EventType.DELETE_DENIED): State.DENIED,
    (State.REQUESTED, EventType.APPROVAL_ASKED): State.AWAITING_APPROVAL,
    (State.REQUESTED, EventType.QUARANTINE_STARTED): State.QUARANTINING,
    (State.REQUESTED, EventType.QUARANTINE_ABANDONED): State.ABANDONED,
    (State.AWAITING_APPROVAL, EventType.APPROVAL_GIVEN): State.REQUESTED,
    (State.AWAITING_APPROVAL, EventType.DELETE_DENIED): State.DENIED,
    (State.QUARANTINING, EventType.QUARANTINED): State.TOMBSTONED,
    (State.QUARANTINING, EventType.QUARANTINE_ABANDONED): State.ABANDONED,
    (State.TOMBSTONED, EventType.FINAL_SNAPSHOT): State.TOMBSTONED,
    (State.TOMBSTONED, EventType.EARLY_PURGE_AGREED): State.TOMBSTONED,
    (State.TOMBSTONED, EventType.HELD): State.TOMBSTONED,
    (State.TOMBSTONED, EventType.RELEASED): State.TOMBSTONED,
    (State.TOMBSTONED, EventType.UNDELETE_STARTED): State.RESTORING,
    (State.TOMBSTONED, EventType.PURGE_STARTED): State.PURGING,
    (State.TOMBSTONED, EventType.FOUND_DESTROYED): State.STORE_ONLY,
    (State.RESTORING, EventType.UNDELETED): State.RESTORED,
    (State.RESTORING, EventType.UNDELETE_ABANDONED): State.TOMBSTONED,
    (State.RESTORING, EventType.PURGED): State.PURGED,
    (State.RESTORING, EventType.FOUND_DESTROYED): State.STORE_ONLY,
    (State.PURGING, EventType.PURGED): State.PURGED,
    (State.PURGING, EventType.UNDELETE_STARTED): State.RESTORING,
    (State.STORE_ONLY, EventType.HELD): State.STORE_ONLY,
    (State.STORE_ONLY, EventType.RELEASED): State.STORE_ONLY,
}

OPEN: Final = frozenset(
    (State.QUARANTINING, State.TOMBSTONED, State.RESTORING, State.PURGING, State.STORE_ONLY)
)
"""The states in which data may be out of their place or gone: nothing of the volume expires."""

HALF_DONE: Final = frozenset((State.REQUESTED, State.QUARANTINING, State.RESTORING))
"""The states that the owning daemon finishes when it starts; PURGING is the purger's."""

_HOLDS: Final = (EventType.HELD, EventType.RELEASED)
_EVENTS: Final = frozenset(event for _, event in TABLE)
_RESULTS: Final = frozenset((event, result) for (_, event), result in TABLE.items())


def step(state: State, event: EventType) -> State:
    """The state after one more event. Raises TransitionRefused where the table has no such step."""
    result = TABLE.get((state, event))
    if result is None:
        raise TransitionRefused(
            f"a tombstone that is {state.replace('_', ' ')} cannot take “{event}”",
            safe="Nothing was changed.",
        )
    return result


class Tombstone(msgspec.Struct, frozen=True):
    """One delete and what became of it.

    All times are the store's. `undo_until` is set once the volume is quarantined and ends the time
    that undelete is promised for; `uptime_mark` is the accumulated boot time in seconds at that
    moment. `snapshot` is the final one. `hold` is the reason of a hold, or empty. `early_at` is
    when it was recorded that people agreed to an earlier purge, unless it was held, or its undelete
    began, since; the purger believes the people, not the record. `refused` lists stored events that
    the table did not allow; they changed nothing.
    """

    id: str
    created_at: datetime
    volume: str = ""
    volume_name: str = ""
    environment: str = ""
    provider: str = ""
    location: str = ""
    held_at: str = ""
    identity: str = ""
    state: State = State.ABSENT
    window: timedelta = limits.PROTECTED_WINDOW_FLOOR
    quarantined_at: datetime | None = None
    undo_until: datetime | None = None
    closed_at: datetime | None = None
    uptime_mark: float | None = None
    deleted_by: Actor | None = None
    reason: str = ""
    task: str = ""
    snapshot: str = ""
    hold: str = ""
    early_at: datetime | None = None
    refused: tuple[str, ...] = ()

    def can_undo(self) -> bool:
        """Whether undelete may still find the data in quarantine (the promise ends earlier)."""
        return self.state in (State.TOMBSTONED, State.RESTORING, State.PURGING)


def fold(events: Iterable[tuple[Event, datetime]]) -> Tombstone:
    """One tombstone from its events, each with the time at which the store received it.

    The order of arrival does not matter: events count in the order of their ids. What cannot be is
    left out and reported in `refused`; nothing stored makes this fail. The events must be those of
    one tombstone, and at least one.
    """
    ordered = sorted(events, key=lambda pair: (pair[0].id, pair[1]))
    tombstone = Tombstone(id=ordered[0][0].tombstone, created_at=ordered[0][1])
    for event, stored_at in ordered:
        if event.type in _EVENTS:
            tombstone = _advance(tombstone, event, stored_at)
    return tombstone


def _advance(tombstone: Tombstone, event: Event, stored_at: datetime) -> Tombstone:
    result = TABLE.get((tombstone.state, event.type))
    foreign = tombstone.volume not in ("", event.volume)
    if event.type in _HOLDS and tombstone.state is State.PURGING and not foreign:
        # That the purge began may have arrived after this was acknowledged: a hold stands.
        return _apply(tombstone, event, stored_at)
    if result is None or foreign:
        if not foreign and (event.type, tombstone.state) in _RESULTS:
            return tombstone  # appended twice by a resumed operation
        line = f"{event.id} {event.type} while {tombstone.state} at {format_time(stored_at)}"
        return replace(tombstone, refused=(*tombstone.refused, line))
    moved = replace(tombstone, state=result)
    return _apply(moved, event, stored_at)


def _apply(tombstone: Tombstone, event: Event, stored_at: datetime) -> Tombstone:
    details = event.details.get
    match event.type:
        case EventType.DELETE_REQUESTED:
            return replace(
                tombstone,
                volume=event.volume,
                volume_name=details("volume_name", ""),
                environment=details("environment", ""),
                provider=details("provider", ""),
                window=_window(details("window_seconds", "")),
                created_at=stored_at,
                deleted_by=event.actor,
                reason=event.reason,
                task=event.task,
                hold=details("hold", ""),
            )
        case EventType.QUARANTINE_STARTED:
            return replace(
                tombstone,
                location=details("location", ""),
                held_at=details("held_at", ""),
                identity=details("identity", ""),
            )
        case EventType.QUARANTINED:
            mark = _seconds(details("uptime", ""))
            return _undoable(replace(tombstone, quarantined_at=stored_at, uptime_mark=mark))
        case EventType.FINAL_SNAPSHOT:
            return replace(tombstone, snapshot=details("snapshot", ""))
        case EventType.HELD:
            hold = event.reason or "no reason was given"
            return _undoable(replace(tombstone, hold=hold, early_at=None))
        case EventType.RELEASED:
            return replace(tombstone, hold="")
        case EventType.EARLY_PURGE_AGREED:
            return _undoable(replace(tombstone, early_at=stored_at))
        case EventType.UNDELETE_STARTED:
            return _undoable(replace(tombstone, early_at=None))
        case EventType.UNDELETED | EventType.PURGED | EventType.FOUND_DESTROYED:
            return replace(tombstone, closed_at=stored_at)
        case EventType.DELETE_DENIED | EventType.QUARANTINE_ABANDONED:
            return replace(tombstone, closed_at=stored_at)
        case _:
            return tombstone


def _undoable(tombstone: Tombstone) -> Tombstone:
    """Until when undelete is promised: the whole window, or less where people agreed to less."""
    since, early = tombstone.quarantined_at, tombstone.early_at
    if since is None:
        return tombstone
    until = since + tombstone.window
    if early is not None:
        until = min(until, max(since + limits.PROTECTED_WINDOW_FLOOR, early))
    return replace(tombstone, undo_until=until)


def _window(text: str) -> timedelta:
    """The recorded window; the protected floor where it cannot be read."""
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None
    return limits.PROTECTED_WINDOW_FLOOR if seconds is None else timedelta(seconds=seconds)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e12 else None
