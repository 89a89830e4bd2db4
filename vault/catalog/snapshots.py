"""Snapshots: what their headers say, and where they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from vault.catalog.connection import Connection, to_column
from vault.catalog.naming import find_id
from vault.errors import SnapshotUnknown
from vault.lifecycle.attack import Change
from vault.lifecycle.retention import Keep


class SnapshotRow(msgspec.Struct, frozen=True, kw_only=True):
    """A committed snapshot. Sizes in bytes; `stored_at` is the store's time.

    `locked_until` is the latest lock that is known here; it was `retain_until` at birth.
    """

    id: str
    volume: str
    volume_name: str
    environment: str
    key: str
    version: str
    stored_at: datetime
    signer_hex: str
    adapter: str
    parent: str
    session: str
    started_at: datetime
    finished_at: datetime
    files: int
    bytes: int
    bytes_added: int
    findings: int
    final_for: str
    keep: Keep
    retain_until: datetime
    locked_until: datetime
    change: Change | None = None


_OF_HEADER: Final = (
    *("id", "volume", "volume_name", "environment", "adapter", "parent", "session"),
    *("started_at", "finished_at", "files", "bytes", "bytes_added", "findings"),
    *("final_for", "keep", "retain_until", "change"),
)


class SnapshotRecordLike(Protocol):
    """An authentic snapshot as the repository reads it; the header has the fields of a row."""

    @property
    def header(self) -> object:
        """What the snapshot says about itself."""

    @property
    def key(self) -> str:
        """Where it is stored."""

    @property
    def version(self) -> str:
        """The version that is authentic."""

    @property
    def stored_at(self) -> datetime:
        """When the store received it."""

    @property
    def signer_hex(self) -> str:
        """Whose key signed it."""


def row_of(record: SnapshotRecordLike) -> SnapshotRow:
    """The row of a record: without the packs that its header names."""
    facts: dict[str, Any] = {name: getattr(record.header, name) for name in _OF_HEADER}
    return SnapshotRow(
        **facts,
        key=record.key,
        version=record.version,
        stored_at=record.stored_at,
        signer_hex=record.signer_hex,
        locked_until=facts["retain_until"],
    )


class Snapshots:
    """The snapshots table. `environment` limits what is there at all; empty is all of them."""

    def __init__(self, connection: Connection, environment: str = "") -> None:
        self._connection = connection
        self._environment = environment

    def put(self, record: SnapshotRecordLike) -> SnapshotRow:
        """Keep what is stored; again is harmless. Returns the row as it stands."""
        row = row_of(record)
        self.put_rows((row,))
        return self._read("WHERE id = ?", row.id)[0]

    def put_rows(self, rows: Iterable[SnapshotRow]) -> None:
        """Keep many in one transaction. Of two with one id the first one stored counts."""
        with self._connection.writing():
            for row in rows:
                known = self._read("WHERE id = ?", row.id)
                if known and (known[0].stored_at, known[0].key) < (row.stored_at, row.key):
                    continue
                locked_until = max([row.locked_until, *(former.locked_until for former in known)])
                self._write(replace(row, locked_until=locked_until))

    def mark_locked(self, identifier: str, until: datetime) -> None:
        """Note that all of a snapshot is locked until then."""
        with self._connection.writing():
            for row in self._read("WHERE id = ?", identifier):
                self._write(replace(row, locked_until=max(row.locked_until, until)))

    def forget(self, identifiers: Iterable[str]) -> None:
        """Leave out what is no longer stored."""
        with self._connection.writing() as handle:
            for identifier in identifiers:
                handle.execute("DELETE FROM snapshots WHERE id = ?", (identifier,))

    def all(self) -> list[SnapshotRow]:
        """Every snapshot, the oldest first."""
        return self._read("WHERE ? IN ('', environment) ORDER BY stored_at, id", self._environment)

    def of(self, volume: str) -> list[SnapshotRow]:
        """Those of a volume (its id), the oldest first."""
        return self._read("WHERE volume = ? ORDER BY stored_at, id", volume)

    def get(self, text: str) -> SnapshotRow:
        """The one snapshot that an id or the unique beginning of one means.

        What is in another environment is not there. Raises SnapshotUnknown, IdAmbiguous.
        """
        identifier = find_id(self._connection, "snap", text, self._environment)
        if identifier is None:
            raise SnapshotUnknown(
                f"there is no snapshot “{text}”",
                safe="Nothing was changed.",
                hint="See what there is: vault snapshots",
            )
        return self._read("WHERE id = ?", identifier)[0]

    def _write(self, row: SnapshotRow) -> None:
        columns = {
            "id": row.id,
            "volume": row.volume,
            "environment": row.environment,
            "stored_at": to_column(row.stored_at),
            "body": msgspec.json.encode(row),
        }
        self._connection.put("snapshots", columns)

    def _read(self, clause: str, *values: object) -> list[SnapshotRow]:
        rows = self._connection.read("snapshots", clause, *values)
        return [self._connection.decode(row["body"], SnapshotRow) for row in rows]
