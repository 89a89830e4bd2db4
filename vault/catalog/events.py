"""Events as they are stored: what volumes and tombstones are folded from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from vault.catalog.connection import Connection, from_column, to_column
from vault.lifecycle.event import Event, EventType, encode_event


class StoredEventLike(Protocol):
    """An authentic event as the journal reads it; `stored_at` is the store's time."""

    @property
    def event(self) -> Event:
        """The event itself."""

    @property
    def key(self) -> str:
        """Where it is stored."""

    @property
    def version(self) -> str:
        """The version that is authentic."""

    @property
    def signer_hex(self) -> str:
        """Whose key signed it."""

    @property
    def role(self) -> str:
        """In which role."""

    @property
    def stored_at(self) -> datetime:
        """When the store received it."""


class EventRow(msgspec.Struct, frozen=True):
    """An event and where it is stored; a StoredEventLike."""

    event: Event
    key: str
    version: str
    signer_hex: str
    role: str
    stored_at: datetime


class Events:
    """The events table. It only grows, but for a rebuild."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, stored: Iterable[StoredEventLike]) -> list[Event]:
        """Keep these; returns those that are new, or whose time is another than was known."""
        changed = []
        with self._connection.writing():
            for item in stored:
                known = self._connection.rows(
                    "SELECT stored_at FROM events WHERE key = ?", item.key
                )
                if not known or known[0]["stored_at"] != to_column(item.stored_at):
                    self._connection.put("events", _row(item))
                    changed.append(item.event)
        return changed

    def all(self) -> list[EventRow]:
        """Every event, in order."""
        return self._read("WHERE ? ORDER BY id, stored_at", 1)

    def of(self, volume: str) -> list[EventRow]:
        """Those of a volume, in order."""
        return self._read("WHERE volume = ? ORDER BY id, stored_at", volume)

    def of_type(self, kind: EventType) -> list[EventRow]:
        """Those of a type, in order."""
        return self._read("WHERE type = ? ORDER BY id, stored_at", kind.value)

    def of_tombstone(self, tombstone: str) -> list[EventRow]:
        """Those of a tombstone, in order."""
        return self._read("WHERE tombstone = ? ORDER BY id, stored_at", tombstone)

    def _read(self, clause: str, value: object) -> list[EventRow]:
        return [
            EventRow(
                event=self._connection.decode(row["body"], Event),
                key=row["key"],
                version=row["version"],
                signer_hex=row["signer"],
                role=row["role"],
                stored_at=from_column(row["stored_at"]),
            )
            for row in self._connection.read("events", clause, value)
        ]


def _row(item: StoredEventLike) -> dict[str, Any]:
    event = item.event
    return {
        "key": item.key,
        "id": event.id,
        "volume": event.volume,
        "tombstone": event.tombstone,
        "type": event.type.value,
        "stored_at": to_column(item.stored_at),
        "version": item.version,
        "signer": item.signer_hex,
        "role": item.role,
        "body": encode_event(event),
    }
