"""The catalog: volumes, tombstones, snapshots and events of one vault, as this host knows them."""

from __future__ import annotations

from pathlib import Path

from vault.catalog.audit import AuditTable
from vault.catalog.connection import Connection
from vault.catalog.events import Events, StoredEventLike
from vault.catalog.keys import Keys
from vault.catalog.migrations import migrate
from vault.catalog.snapshots import Snapshots
from vault.catalog.tombstones import Tombstones
from vault.catalog.volumes import Volumes
from vault.errors import UsageError


class Meta:
    """Small notes of this host, by name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> str:
        """The text of a note; empty where there is none."""
        rows = self._connection.read("meta", "WHERE name = ?", name)
        return str(rows[0]["value"]) if rows else ""

    def set(self, name: str, value: str) -> None:
        """Write a note."""
        self._connection.put("meta", {"name": name, "value": value})


class Catalog:
    """A view of the store, of all environments or of one.

    Every change is one transaction; several processes may share the file.

    Any method may raise CatalogBusy, CatalogCorrupt, DiskFull, CatalogError: nothing that is
    stored is ever affected.
    """

    def __init__(self, connection: Connection, environment: str = "") -> None:
        self.connection = connection
        self.environment = environment
        self.events = Events(connection)
        self.volumes = Volumes(connection, self.events, environment)
        self.tombstones = Tombstones(connection, self.events, environment)
        self.snapshots = Snapshots(connection, environment)
        self.meta = Meta(connection)
        self.audit = AuditTable(connection)
        self.keys = Keys(connection)

    def scoped(self, environment: str) -> Catalog:
        """The same file, in which only this environment is there; what is scoped stays so."""
        if environment in ("", self.environment):
            return self
        if self.environment:
            raise UsageError(f"this process serves “{self.environment}” alone")
        catalog = Catalog(self.connection, environment)
        catalog.audit = self.audit  # with what it has folded already
        return catalog

    def whole(self) -> Catalog:
        """All environments: for what must be unique across them, never for an answer."""
        return Catalog(self.connection) if self.environment else self

    def apply(self, *stored: StoredEventLike) -> None:
        """Take in events, in any order and as often as one likes, in one transaction.

        What they are about is folded anew from all that is known of it.
        """
        with self.connection.writing():
            changed = self.events.add(stored)
            for volume in dict.fromkeys(event.volume for event in changed):
                self.volumes.refold(volume)
            for tombstone in dict.fromkeys(event.tombstone for event in changed):
                if tombstone:
                    self.tombstones.refold(tombstone)

    def check(self) -> None:
        """Look whether the file is sound. Raises CatalogCorrupt."""
        self.connection.check()

    def close(self) -> None:
        """Let go of the file; again is harmless."""
        self.connection.close()


def open_catalog(path: Path | None) -> Catalog:
    """Open (or make) a catalog; None is one in memory. Raises CatalogError and below, DiskFull."""
    connection = Connection(path)
    try:
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return Catalog(connection)
