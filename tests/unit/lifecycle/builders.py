"""Events for the tests of folds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from vault.ids import new_id, next_id
from vault.lifecycle.event import Actor, Event, EventType

START = datetime(2026, 4, 24, 9, 0, tzinfo=UTC)
IDENTITY = "directory device=1 inode=2"

Stored = tuple[Event, datetime]


class Story:
    """Makes events in order, one second apart, each stored ten seconds after it was made."""

    def __init__(self) -> None:
        self.volume = new_id("vol", START)
        self.tombstone = new_id("tomb", START)
        self.events: list[Stored] = []

    def add(
        self, kind: EventType, *, reason: str = "", tombstone: str = "", **details: str
    ) -> None:
        former = self.events[-1][0].id if self.events else ""
        at = START + timedelta(seconds=len(self.events))
        event = Event(
            id=next_id("evt", at, after=former),
            vault="vault_x",
            type=kind,
            volume=self.volume,
            tombstone=tombstone,
            at=at,
            actor=Actor("human", "ann"),
            reason=reason,
            details=details,
        )
        self.events.append((event, at + timedelta(seconds=10)))

    def delete(self, kinds: Iterable[EventType]) -> None:
        for kind in kinds:
            self.add(kind, tombstone=self.tombstone, **DETAILS.get(kind, {}))


DETAILS = {
    EventType.VOLUME_ADDED: {
        "name": "db",
        "environment": "production",
        "provider": "directory",
        "location": "/srv/db",
        "identity": IDENTITY,
        "schedule": "@hourly",
        "keep": "hourly=1,daily=2,weekly=3,monthly=4",
    },
    EventType.DELETE_REQUESTED: {
        "volume_name": "db",
        "environment": "production",
        "provider": "directory",
        "window_seconds": "172800",
    },
    EventType.QUARANTINE_STARTED: {
        "location": "/srv/db",
        "held_at": "/srv/.vault-trash/t",
        "identity": IDENTITY,
    },
    EventType.QUARANTINED: {"uptime": "1000.5"},
    EventType.FINAL_SNAPSHOT: {"snapshot": "snap_1"},
}
