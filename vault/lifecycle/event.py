"""What happened to a volume: one signed record a step, folded into tombstones and volumes.

`details` holds the terms of a step as text; the fold reads these and ignores all others:

    volume_added         name, environment, provider, location, identity, schedule, keep, owner
    keep_changed         keep (of what is stored from now on)
    volume_moved         environment (where it belongs from now on)
    source_replaced      identity (who stands there now)
    source_acknowledged  identity (who is accepted from now on; optional), owner
    attack_suspected     snapshot (the one that told), before (the last from before that day)
    delete_requested     volume_name, environment, provider, window_seconds, hold (optional),
                         idempotency_key, caller, request, uptime (where it came with a key)
    quarantine_started   location, held_at, identity
    quarantined          uptime (accumulated boot seconds as the writer counted them)
    final_snapshot       snapshot
    early_purge_agreed   (none: what people agreed to stands in the audit log)

`identity` is opaque text here: a provider's SourceIdentity, as whoever records it writes it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class EventType(StrEnum):
    """Every step that is recorded; the words are part of the stored format."""

    VOLUME_ADDED = "volume_added"
    VOLUME_PAUSED = "volume_paused"
    VOLUME_RESUMED = "volume_resumed"
    VOLUME_REMOVED = "volume_removed"
    KEEP_CHANGED = "keep_changed"
    VOLUME_MOVED = "volume_moved"
    SOURCE_VANISHED = "source_vanished"
    SOURCE_REPLACED = "source_replaced"
    SOURCE_ACKNOWLEDGED = "source_acknowledged"
    ATTACK_SUSPECTED = "attack_suspected"
    DELETE_REQUESTED = "delete_requested"
    DELETE_DENIED = "delete_denied"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_GIVEN = "approval_given"
    QUARANTINE_STARTED = "quarantine_started"
    QUARANTINE_ABANDONED = "quarantine_abandoned"
    QUARANTINED = "quarantined"
    FINAL_SNAPSHOT = "final_snapshot"
    EARLY_PURGE_AGREED = "early_purge_agreed"
    UNDELETE_STARTED = "undelete_started"
    UNDELETE_ABANDONED = "undelete_abandoned"
    UNDELETED = "undeleted"
    PURGE_STARTED = "purge_started"
    PURGED = "purged"
    FOUND_DESTROYED = "found_destroyed"
    HELD = "held"
    RELEASED = "released"


class Actor(msgspec.Struct, frozen=True):
    """Who did it: `kind` is human, agent or service."""

    kind: str
    name: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one volume.

    `at` is the store's time as the writer saw it (aware, UTC) and only informs: windows count from
    the time at which the store says that the record arrived. `previous` is the digest in the key
    of the volume's former event, empty for its first.
    """

    id: str
    vault: str
    type: EventType
    volume: str
    at: datetime
    actor: Actor
    tombstone: str = ""
    reason: str = ""
    task: str = ""
    details: dict[str, str] = {}
    previous: str = ""


def encode_event(event: Event) -> bytes:
    """Write an event as JSON; the same event gives the same bytes."""
    return msgspec.json.encode(event, order="deterministic")
