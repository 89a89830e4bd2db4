"""Tombstones: each row the fold of its events."""

from __future__ import annotations

import msgspec

from vault.catalog.connection import Connection, to_column
from vault.catalog.events import Events
from vault.catalog.naming import find_id
from vault.errors import TombstoneUnknown
from vault.lifecycle.tombstone import State, Tombstone, fold


class Tombstones:
    """The tombstones table. `environment` limits what is there at all; empty is all of them."""

    def __init__(self, connection: Connection, events: Events, environment: str = "") -> None:
        self._connection = connection
        self._environment = environment
        self._events = events

    def refold(self, identifier: str) -> None:
        """Make a tombstone's row anew from all its events."""
        stored = self._events.of_tombstone(identifier)
        tombstone = fold((row.event, row.stored_at) for row in stored)
        row = {
            "id": tombstone.id,
            "volume": tombstone.volume,
            "environment": tombstone.environment,
            "state": tombstone.state.value,
            "created_at": to_column(tombstone.created_at),
            "body": msgspec.json.encode(tombstone),
        }
        self._connection.put("tombstones", row)

    def all(self) -> list[Tombstone]:
        """Every tombstone, closed ones too, the oldest first."""
        return self._read("WHERE ? IN ('', environment) ORDER BY created_at, id", self._environment)

    def former(self, volume: str) -> list[Tombstone]:
        """Those of a volume, and of others those that were undeleted; the oldest first."""
        return self._read(
            "WHERE (volume = ? OR state = ?) AND ? IN ('', environment) ORDER BY created_at, id",
            volume,
            State.RESTORED.value,
            self._environment,
        )

    def get(self, text: str) -> Tombstone:
        """The one tombstone that an id or the unique beginning of one means.

        What is in another environment is not there. Raises TombstoneUnknown, IdAmbiguous.
        """
        identifier = find_id(self._connection, "tomb", text, self._environment)
        if identifier is None:
            raise TombstoneUnknown(
                f"there is no tombstone “{text}”",
                safe="Nothing was changed.",
                hint="See what there is: vault tombstones",
            )
        return self._read("WHERE id = ?", identifier)[0]

    def _read(self, clause: str, *values: object) -> list[Tombstone]:
        rows = self._connection.read("tombstones", clause, *values)
        return [self._connection.decode(row["body"], Tombstone) for row in rows]
