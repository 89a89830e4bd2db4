"""The local chunk index: which chunks this writer has stored, and where. A cache of the store.

One SQLite file in WAL mode, one connection guarded by a lock: any thread may call, a look-up takes
some ten microseconds, memory is bounded by SQLite's page cache. Every commit leaves the file whole
(kill -9 included); what a power cut loses is read again from the store's index objects.

A snapshot that relied on a wrong row could not be restored. So every row carries a checksum, and a
file that is damaged anywhere is thrown away on the spot: the answers are then "not stored", which
costs room and nothing else.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from vault.codec.digest import plain_digest
from vault.errors import DiskFull, RepositoryError
from vault.limits import CATALOG_WAIT_SECONDS
from vault.repository.pack import ChunkPlace, PackedChunk, PackHead
from vault.room import NO_ROOM, is_full

T = TypeVar("T")

_VERSION: Final = 1
_PLACE: Final = struct.Struct(">IQII?")
_CHECK_SIZE: Final = 8
_SCHEMA: Final = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS packs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE,
        session TEXT NOT NULL, salt BLOB NOT NULL, version TEXT NOT NULL,
        locked_until INTEGER NOT NULL, checksum BLOB NOT NULL
    );
    CREATE TABLE IF NOT EXISTS chunks (
        chunk BLOB NOT NULL, kind INTEGER NOT NULL, pack INTEGER NOT NULL, place BLOB NOT NULL,
        PRIMARY KEY (chunk, kind)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS lost (digest BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS owner (name TEXT NOT NULL);
    PRAGMA user_version = {_VERSION};
    COMMIT;
"""
_FIND: Final = """
    SELECT place, digest, session, salt, version, locked_until, checksum
    FROM chunks JOIN packs ON packs.number = chunks.pack WHERE chunk = ? AND kind = ?
"""
_PACK: Final = """
    SELECT digest, session, salt, version, locked_until, checksum FROM packs WHERE digest = ?
"""


class IndexedPack(msgspec.Struct, frozen=True):
    """A stored pack: all of its chunks, the version that its put made, until when it is locked."""

    head: PackHead
    chunks: Sequence[PackedChunk]
    version: str
    locked_until: datetime


class _Damaged(Exception):
    """A row is not what was written."""


# SQLite's own words about a damaged file may not be text.
_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError, _Damaged)


class LocalIndex:
    """See the module. `path` is the file; it is made where it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._connection = self._open()

    def find(self, chunk_id: bytes, kind: int) -> tuple[PackHead, ChunkPlace] | None:
        """Where a chunk is stored; None where that is not known."""

        def look(db: sqlite3.Connection) -> tuple[PackHead, ChunkPlace] | None:
            row = db.execute(_FIND, (chunk_id, kind)).fetchone()
            if row is None:
                return None
            head, _, _ = _read_pack(row[1:])
            return head, _read_place(row[0], head.digest, chunk_id, int(kind))  # no enum's repr

        return self._run(look, None)

    def add_pack(self, pack: IndexedPack) -> None:
        """Remember a stored pack; a chunk that is known from another pack moves to this one."""

        def add(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM lost WHERE digest = ?", (pack.head.digest,))
            _add(db, pack)

        self._run(add, None)

    def locked_until(self, pack: bytes) -> datetime | None:
        """Until when a pack (32-byte digest) is locked at least; None where it is not known."""
        found = self._run(lambda db: _find_pack(db, pack), None)
        return None if found is None else found[2]

    def version(self, pack: bytes) -> str | None:
        """The version that this writer's put made; None where it is not known."""
        found = self._run(lambda db: _find_pack(db, pack), None)
        return None if found is None else found[1]

    def set_locked(self, pack: bytes, until: datetime) -> None:
        """Remember that a known pack's lock was extended; never shortens."""

        def put(db: sqlite3.Connection) -> None:
            found = _find_pack(db, pack)
            if found is not None and found[2] < until:
                _put_pack(db, found[0], found[1], until)

        self._run(put, None)

    def forget_pack(self, pack: bytes) -> None:
        """Forget a pack that is gone from the store, and its chunks, until it is stored again.

        Index objects that still tell of it are not believed.
        """

        def forget(db: sqlite3.Connection) -> None:
            # Its chunks' rows stay, lead nowhere, and are replaced when they are stored anew.
            db.execute("DELETE FROM packs WHERE digest = ?", (pack,))
            db.execute("INSERT OR IGNORE INTO lost VALUES (?)", (pack,))

        self._run(forget, None)

    def known_objects(self) -> frozenset[str]:
        """Keys of the index objects whose packs are in here."""
        rows: list[tuple[str]] = self._run(
            lambda db: db.execute("SELECT key FROM objects").fetchall(), []
        )
        return frozenset(row[0] for row in rows)

    def load_object(self, key: str, packs: Iterable[IndexedPack]) -> None:
        """Take in an index object's packs, all or none of them."""

        def load(db: sqlite3.Connection) -> None:
            lost = {row[0] for row in db.execute("SELECT digest FROM lost")}
            for pack in packs:
                if pack.head.digest not in lost:
                    _add(db, pack)
            db.execute("INSERT OR IGNORE INTO objects VALUES (?)", (key,))

        self._run(load, None)

    def claim(self, owner: str) -> None:
        """Begin anew unless this file is `owner`'s: what one store holds, another may not."""
        rows: list[tuple[str]] = self._run(
            lambda db: db.execute("SELECT name FROM owner").fetchall(), []
        )
        if rows == [(owner,)]:
            return
        with self._guard:
            if rows:
                self._begin_anew()
        self._run(lambda db: db.execute("INSERT INTO owner VALUES (?)", (owner,)), None)

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._connection.close()

    def _run(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do it in one transaction; `otherwise` is the answer where the file turns out damaged."""
        with self._guard:
            try:
                with self._connection as db:  # commits, or rolls back
                    return work(db)
            except _FAILURES as error:
                if not _is_damage(error):
                    raise _translated(error, self._path) from error
                self._begin_anew()
                return otherwise

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self._path)
        except (*_FAILURES, OSError) as error:
            if not _is_damage(error):
                raise _translated(error, self._path) from error
        return self._make()

    def _begin_anew(self) -> None:
        self._connection.close()
        self._connection = self._make()

    def _make(self) -> sqlite3.Connection:
        try:
            _remove(self._path)
            return _connect(self._path)
        except (sqlite3.Error, OSError) as error:
            raise _translated(error, self._path) from error


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=CATALOG_WAIT_SECONDS, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA cache_size = -16384")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(_SCHEMA)
        elif version != _VERSION:
            raise _Damaged(f"layout {version}")
    except BaseException:
        db.close()
        raise
    return db


def _remove(path: Path) -> None:
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        name.unlink(missing_ok=True)


def _add(db: sqlite3.Connection, pack: IndexedPack) -> None:
    digest = pack.head.digest
    known = _find_pack(db, digest)
    until = pack.locked_until if known is None else max(pack.locked_until, known[2])
    number = _put_pack(db, pack.head, pack.version, until)
    db.executemany(
        "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?)",
        ((c.chunk_id, c.kind, number, _write_place(c, digest)) for c in pack.chunks),
    )


def _find_pack(db: sqlite3.Connection, digest: bytes) -> tuple[PackHead, str, datetime] | None:
    row = db.execute(_PACK, (digest,)).fetchone()
    return None if row is None else _read_pack(row)


def _put_pack(db: sqlite3.Connection, head: PackHead, version: str, until: datetime) -> int:
    seconds = int(until.timestamp())
    values = (head.digest, head.session, head.salt, version, seconds)
    (number,) = db.execute(
        "INSERT INTO packs (digest, session, salt, version, locked_until, checksum)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET"
        " version = excluded.version, locked_until = excluded.locked_until,"
        " checksum = excluded.checksum RETURNING number",
        (*values, _checksum(*values)),
    ).fetchone()
    return int(number)


def _read_pack(row: tuple[object, ...]) -> tuple[PackHead, str, datetime]:
    digest, session, salt, version, seconds, checksum = row
    if (
        not isinstance(digest, bytes)
        or not isinstance(session, str)
        or not isinstance(salt, bytes)
        or not isinstance(version, str)
        or not isinstance(seconds, int)
        or checksum != _checksum(digest, session, salt, version, seconds)
    ):
        raise _Damaged("a pack's row")
    return PackHead(digest, session, salt), version, datetime.fromtimestamp(seconds, UTC)


def _write_place(chunk: PackedChunk, pack: bytes) -> bytes:
    place = chunk.place
    packed = _PLACE.pack(
        place.number, place.offset, place.length, place.raw_length, place.compressed
    )
    return packed + _checksum(chunk.chunk_id, int(chunk.kind), pack, packed)


def _read_place(stored: object, pack: bytes, chunk_id: bytes, kind: int) -> ChunkPlace:
    if not isinstance(stored, bytes) or len(stored) != _PLACE.size + _CHECK_SIZE:
        raise _Damaged("a chunk's row")
    packed = stored[: _PLACE.size]
    if stored[_PLACE.size :] != _checksum(chunk_id, kind, pack, packed):
        raise _Damaged("a chunk's row")
    return ChunkPlace(pack, *_PLACE.unpack(packed))


def _checksum(*values: bytes | str | int) -> bytes:
    return plain_digest(repr(values).encode())[:_CHECK_SIZE]


def _is_damage(error: Exception) -> bool:
    if isinstance(error, OSError | sqlite3.ProgrammingError):
        return False
    # Without a code it was found above SQLite: a value that is no text, a checksum.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _translated(error: Exception, path: Path) -> RepositoryError | DiskFull:
    if _is_full(error, path):
        return DiskFull(
            f"no room left for the local index {path}",
            safe="Nothing was acknowledged; what is stored stays as it is.",
            hint="Free some space and run the same command again.",
        )
    return RepositoryError(
        f"the local index {path} cannot be used: {error}",
        safe="What is stored is untouched.",
        hint="Nothing is lost by removing this file: it is rebuilt from the store.",
    )


def _is_full(error: Exception, path: Path) -> bool:
    code, number = getattr(error, "sqlite_errorcode", 0) & 0xFF, getattr(error, "errno", 0)
    if code == sqlite3.SQLITE_FULL or number in NO_ROOM:
        return True
    # What SQLite says where there is no room for its log or its shared memory.
    return code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and is_full(path.parent)
