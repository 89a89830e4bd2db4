"""The catalog's schema, step by step: each step a function, applied once and recorded."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

from vault.catalog.connection import Connection, checksum
from vault.errors import CatalogTooNew

if TYPE_CHECKING:
    from sqlite_utils.db import Database


def _begin(database: Database) -> None:
    database.table("meta").create({"name": str, "value": str}, pk="name")
    database.table("events").create(
        {
            "key": str,
            "id": str,
            "volume": str,
            "tombstone": str,
            "type": str,
            "stored_at": str,
            "version": str,
            "signer": str,
            "role": str,
            "body": bytes,
        },
        pk="key",
    )
    database.table("events").create_index(["volume", "id"])
    database.table("events").create_index(["tombstone", "id"])
    database.table("volumes").create(
        {"id": str, "name": str, "environment": str, "state": str, "body": bytes}, pk="id"
    )
    database.table("volumes").create_index(["name", "environment"])
    database.table("tombstones").create(
        {
            "id": str,
            "volume": str,
            "environment": str,
            "state": str,
            "created_at": str,
            "body": bytes,
        },
        pk="id",
    )
    database.table("tombstones").create_index(["created_at"])
    database.table("snapshots").create(
        {"id": str, "volume": str, "environment": str, "stored_at": str, "body": bytes}, pk="id"
    )
    database.table("snapshots").create_index(["volume", "stored_at"])


def _add_checksums(database: Database) -> None:
    """What stands there is believed once more."""
    for name in ("meta", "events", "volumes", "tombstones", "snapshots"):
        table = database.table(name)
        table.add_column("checksum", bytes)
        (key,) = table.pks
        for row in list(table.rows):
            table.update(row[key], {"checksum": checksum(row)})


def _add_audit(database: Database) -> None:
    audit = database.table("audit")
    audit.create(
        {
            "id": str,
            "log": str,
            "place": int,
            "at": str,
            "uptime": float,
            "kind": str,
            "caller": str,
            "environment": str,
            "volume": str,
            "body": bytes,
            "checksum": bytes,
        },
        pk="id",
    )
    audit.create_index(["log", "place"])
    audit.create_index(["kind", "id"])
    audit.create_index(["kind", "uptime"])


def _index_volumes(database: Database) -> None:
    """A step of one volume looks for its own entries and tombstones, whatever else there is."""
    database.table("audit").create_index(["volume", "kind", "id"])
    database.table("tombstones").create_index(["volume"])
    database.table("tombstones").create_index(["state"])


def _add_keys(database: Database) -> None:
    keys = database.table("keys")
    keys.create(
        {
            "key": str,
            "caller": str,
            "request": str,
            "tombstone": str,
            "uptime": float,
            "checksum": bytes,
        },
        pk="key",
    )
    keys.create_index(["caller"])
    keys.create_index(["uptime"])


MIGRATIONS: Final[tuple[Callable[[Database], None], ...]] = (
    _begin,
    _add_checksums,
    _add_audit,
    _index_volumes,
    _add_keys,
)
"""Only ever appended to: the number of a step is its place, from 1."""


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest step, in one transaction. Raises CatalogTooNew."""
    if _applied(connection) == len(MIGRATIONS):
        return
    with connection.writing() as handle:
        database = import_module("sqlite_utils.db").Database(handle)  # loaded where it has work
        done = _applied(connection)
        for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
            step(database)
            applied = database.table("migrations")
            applied.insert({"number": number, "name": step.__name__.strip("_")}, pk="number")


def _applied(connection: Connection) -> int:
    if not connection.rows("SELECT 1 FROM sqlite_master WHERE name = 'migrations'"):
        return 0
    done = connection.rows("SELECT max(number) AS done FROM migrations")[0]["done"]
    if not isinstance(done, int) or done < 1:
        raise connection.damaged("it does not say which steps made it")
    if done > len(MIGRATIONS):
        raise CatalogTooNew(
            f"the catalog is at step {done}; this version of vault knows {len(MIGRATIONS)}",
            safe="Nothing was changed.",
            hint="Use the newer vault, or give this one a catalog of its own: vault rebuild",
        )
    return done
