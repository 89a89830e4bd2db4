"""Volumes: each row the fold of its events."""

from __future__ import annotations

import msgspec

from vault.catalog.connection import Connection
from vault.catalog.events import Events
from vault.catalog.naming import find_id
from vault.errors import IdAmbiguous, VolumeUnknown
from vault.lifecycle.volume import Volume, fold_volume


class Volumes:
    """The volumes table. `environment` limits what is there at all; empty is all of them."""

    def __init__(self, connection: Connection, events: Events, environment: str = "") -> None:
        self._connection = connection
        self._environment = environment
        self._events = events

    def refold(self, identifier: str) -> None:
        """Make a volume's row anew from all its events."""
        stored = self._events.of(identifier)
        volume = fold_volume((row.event, row.stored_at) for row in stored)
        row = {
            "id": volume.id,
            "name": volume.name,
            "environment": volume.environment,
            "state": volume.state.value,
            "body": msgspec.json.encode(volume),
        }
        self._connection.put("volumes", row)

    def all(self) -> list[Volume]:
        """Every volume, removed ones too, in the order they were added."""
        return self._read("WHERE ? IN ('', environment) ORDER BY id", self._environment)

    def resolve(self, text: str) -> Volume:
        """The one volume that a name, an id, or the unique beginning of an id means.

        A name means the volume that has it now, or else the last one that had it. What is in
        another environment is not there. Raises VolumeUnknown, IdAmbiguous.
        """
        named = self._read(
            "WHERE name = ? AND ? IN ('', environment) ORDER BY id", text, self._environment
        )
        living = [volume for volume in named if volume.closed_at is None]
        if len({volume.environment for volume in living or named}) > 1:
            raise _ambiguous(text, living or named)
        if named:
            return (living or named)[-1]
        identifier = find_id(self._connection, "vol", text, self._environment)
        if identifier is None:
            raise VolumeUnknown(
                f"there is no volume “{text}”",
                safe="Nothing was changed.",
                hint="See what there is: vault volume list",
            )
        return self._read("WHERE id = ?", identifier)[0]

    def _read(self, clause: str, *values: object) -> list[Volume]:
        rows = self._connection.read("volumes", clause, *values)
        return [self._connection.decode(row["body"], Volume) for row in rows]


def _ambiguous(text: str, volumes: list[Volume]) -> IdAmbiguous:
    places = ", ".join(f"{volume.id} ({volume.environment})" for volume in volumes)
    return IdAmbiguous(
        f"“{text}” names {len(volumes)} volumes: {places}",
        safe="Nothing was changed.",
        hint="Give the id of the one you mean.",
    )
