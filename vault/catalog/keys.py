"""Idempotency keys: which delete a caller's key came with; kept beside what the store knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from vault import limits
from vault.catalog.connection import Connection


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a caller sent: what it came with, and the tombstone that this is to become.

    `key` and `request` are digests. `uptime` is this home's accumulated one, in seconds.
    """

    key: str
    caller: str
    request: str
    tombstone: str
    uptime: float


class Keys:
    """The keys table: of each caller the last limits.KEYS_KEPT, for limits.KEY_LIFE of uptime.

    A clock that is set ends no key's life, and nobody's keys push another's out. Those that a
    delete began with are in its event, too: a rebuild fills them in again.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str, uptime: float) -> KeyRow | None:
        """What is known of a key now; None for nothing."""
        rows = self._connection.read(
            "keys", "WHERE key = ? AND uptime >= ?", key, uptime - limits.KEY_LIFE.total_seconds()
        )
        return msgspec.convert(_told(rows[0]), KeyRow) if rows else None

    def put(self, row: KeyRow) -> None:
        """Keep one, durably, in place of what was known of it."""
        with self._connection.writing() as handle:
            self._connection.put("keys", msgspec.structs.asdict(row))
            _forget(handle, row.uptime, {row.caller})

    def fill(self, rows: Iterable[KeyRow], uptime: float) -> None:
        """Know these again; what is known of a key here is newer, and stays."""
        with self._connection.writing() as handle:
            known = {row["key"] for row in self._connection.rows("SELECT key FROM keys")}
            missing = [row for row in rows if row.key not in known]
            for row in missing:
                self._connection.put("keys", msgspec.structs.asdict(row))
            _forget(handle, uptime, {row.caller for row in missing})


def _forget(handle: sqlite3.Connection, uptime: float, callers: Iterable[str]) -> None:
    """Let go of those that are too old now, and of what these callers have too many of."""
    oldest = uptime - limits.KEY_LIFE.total_seconds()
    handle.execute("DELETE FROM keys WHERE uptime < ?", (oldest,))
    for caller in callers:
        handle.execute(
            "DELETE FROM keys WHERE rowid IN (SELECT rowid FROM keys WHERE caller = ?"
            " ORDER BY uptime DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (caller, limits.KEYS_KEPT),
        )


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in KeyRow.__struct_fields__}
