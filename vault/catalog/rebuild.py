"""Fill a catalog anew from what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from vault.audit.entry import Entry
from vault.audit.merkle import Frontier
from vault.catalog.database import Catalog
from vault.catalog.events import StoredEventLike
from vault.catalog.snapshots import SnapshotRecordLike, row_of
from vault.errors import CatalogError

_READ: Final = {"events": "key", "snapshots": "id"}
"""The tables that the store fills, with their keys; all others are folds."""


class ReadLog(NamedTuple):
    """An audit log as the store holds it: its entries by index, and its tree."""

    name: str
    entries: Sequence[tuple[int, Entry]]
    head: Frontier


def refill(
    catalog: Catalog,
    events: Iterable[StoredEventLike],
    snapshots: Iterable[SnapshotRecordLike],
    logs: Iterable[ReadLog] = (),
) -> None:
    """Replace all that is known by this, in one transaction: a crash leaves the former catalog.

    All are read to their ends first, so that no one waits for a slow store. What others record
    meanwhile may be missing from what was read, and stays; so do entries that wait.
    """
    known = {table: _keys(catalog, table, key) for table, key in _READ.items()}
    placed = catalog.audit.placed()
    stored = list(events)
    audit = list(logs)
    rows = [row_of(record) for record in snapshots]
    with catalog.connection.writing() as handle:
        for table, key in _READ.items():
            which = f"rowid = ? AND {_raw(key)} = ?"
            handle.executemany(f"DELETE FROM {table} WHERE {which}", known[table])
        meanwhile = catalog.events.all()
        for table in ("events", "volumes", "tombstones"):
            handle.execute(f"DELETE FROM {table}")
        catalog.apply(*stored, *meanwhile)
        catalog.snapshots.put_rows(rows)
        for log in audit:
            catalog.audit.replace(placed, log.name, log.entries, log.head)


def _keys(catalog: Catalog, table: str, key: str) -> list[tuple[int, bytes]]:
    """What stands there now, by place and key; whether the rows are sound does not matter."""
    found = catalog.connection.rows(f"SELECT rowid AS place, {_raw(key)} AS name FROM {table}")
    return [(row["place"], row["name"]) for row in found]


def _raw(key: str) -> str:
    return f"CAST({key} AS BLOB)"


def set_aside(path: Path) -> Path | None:
    """Move a damaged catalog out of the way; returns where it is now, None where there was none.

    No other process may have it open. What lies there from an earlier time is replaced.

    Raises CatalogError.
    """
    aside = path.with_name(path.name + ".damaged")
    try:
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.replace(aside)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CatalogError(
            f"the damaged catalog {path} cannot be moved: {error.strerror}",
            safe="Nothing that is stored is affected.",
            hint="Move it away by hand, then try again.",
        ) from error
    return aside
