"""One SQLite file: transactions that survive a crash, and errors in vault's own words.

SQLite does not see a bit that turned over inside a value. So every row carries a checksum over all
of it, and one that does not fit is damage.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from vault import limits
from vault.errors import CatalogBusy, CatalogCorrupt, CatalogError, DiskFull
from vault.room import NO_ROOM, is_full

_Decoded = TypeVar("_Decoded")

TABLES: Final = ("meta", "events", "volumes", "tombstones", "snapshots", "audit", "keys")
_CHECKSUM_SIZE: Final = 8
_SAFE: Final = "Nothing that is stored is affected: the catalog is a view of the store."
_REBUILD: Final = "Make it anew from the store: vault rebuild"
_WRITABLE: Final = (
    "Make the file and its folder writable for this user; see whether the disk is well."
)
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNSAID: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite also says where there is no room for its log or its shared memory."""
_BROKEN: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class Connection:
    """A connection that several threads and processes may use; transactions wait for one another.

    A path of None is a catalog in memory. Raises CatalogError and below, DiskFull.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._guard = threading.RLock()
        with self._translated():
            self._handle = _connect(path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; what is read in one block may span several transactions of others."""
        with self._guard, self._translated():
            yield self._handle

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable once the block is left, without effect where it raises."""
        with self._guard, self._translated():
            if self._handle.in_transaction:
                yield self._handle
                return
            self._handle.execute("BEGIN IMMEDIATE")
            try:
                yield self._handle
                self._handle.execute("COMMIT")
            except BaseException:
                if self._handle.in_transaction:
                    self._handle.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """All rows of a query."""
        with self.reading() as handle:
            found = handle.execute(sql, values)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]

    def read(self, table: str, clause: str, *values: object) -> list[dict[str, Any]]:
        """Whole rows of a table, each as it was written. Raises CatalogCorrupt."""
        rows = self.rows(f"SELECT * FROM {table} {clause}", *values)
        for row in rows:
            if row.get("checksum") != checksum(row):
                raise self.damaged(f"a row of {table} is not what was written")
        return rows

    def put(self, table: str, row: Mapping[str, object]) -> None:
        """Write a whole row, in place of the one that has its key."""
        row = {**row, "checksum": checksum(row)}
        marks = ", ".join("?" * len(row))
        with self.writing() as handle:
            handle.execute(
                f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})",
                tuple(row.values()),
            )

    def decode(self, body: bytes, kind: type[_Decoded]) -> _Decoded:
        """Read what `msgspec.json` wrote into a row. Raises CatalogCorrupt."""
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise _corrupt(self._path, str(error)) from error

    def check(self) -> None:
        """Look at every page and every row. Raises CatalogCorrupt."""
        answers = [next(iter(row.values())) for row in self.rows("PRAGMA integrity_check(5)")]
        if answers != ["ok"]:
            raise self.damaged("; ".join(map(str, answers)))
        for table in TABLES:
            self.read(table, "")

    def damaged(self, detail: str) -> CatalogCorrupt:
        """The error for what a sound catalog does not hold."""
        return _corrupt(self._path, detail)

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._handle.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error
        except UnicodeDecodeError as error:  # SQLite's own words about damage may not be text
            raise self.damaged("it holds what is no text") from error


def checksum(row: Mapping[str, object]) -> bytes:
    """What a row carries of all its other columns, 8 bytes."""
    told = repr([(name, row[name]) for name in sorted(row) if name != "checksum"])
    return blake2b(told.encode(), digest_size=_CHECKSUM_SIZE).digest()


def to_column(at: datetime) -> str:
    """A time as text that sorts as times do."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def from_column(text: str) -> datetime:
    """What `to_column` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _connect(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        _create(path)
    handle = sqlite3.connect(
        path or ":memory:",
        timeout=limits.CATALOG_WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    if handle.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        handle.execute("PRAGMA journal_mode=WAL")
    handle.execute("PRAGMA synchronous=FULL")
    return handle


def _create(path: Path) -> None:
    """Make the file where there is none, so that only its owner reads it.

    One that is there is not opened: closing it would take away the locks that SQLite holds on it
    for other connections of this process (POSIX), and with them the file's soundness.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _full(path) from error
        raise CatalogError(
            f"the catalog {path} cannot be opened: {error.strerror}", safe=_SAFE, hint=_WRITABLE
        ) from error


def _translate(error: sqlite3.Error, path: Path | None) -> Exception:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _BUSY:
        return CatalogBusy(
            f"another process holds the catalog {path} for longer than"
            f" {limits.CATALOG_WAIT_SECONDS:.0f} s",
            safe=_SAFE,
            hint="Try again; if it stays so, look which process it is: fuser " + str(path),
        )
    if code == sqlite3.SQLITE_FULL or (
        code in _UNSAID and path is not None and is_full(path.parent)
    ):
        return _full(path)
    if code in _BROKEN:
        return _corrupt(path, str(error))
    return CatalogError(
        f"the catalog {path} cannot be used: {error}",
        safe=_SAFE,
        hint=_WRITABLE,
    )


def _full(path: Path | None) -> DiskFull:
    return DiskFull(
        f"there is no room left for the catalog {path}",
        safe=_SAFE,
        hint="Make room on the disk, then try again.",
    )


def _corrupt(path: Path | None, detail: str) -> CatalogCorrupt:
    return CatalogCorrupt(f"the catalog {path} is damaged: {detail}", safe=_SAFE, hint=_REBUILD)
