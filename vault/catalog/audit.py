"""The audit log as this host knows it: entries in their place, and those that wait for theirs."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from vault.audit.entry import ADMINISTRATIVE, Entry, EntryKind, decode_entry, encode_entry
from vault.audit.merkle import Frontier
from vault.catalog.connection import Connection, to_column
from vault.governance.books import Books

_WAITING: Final = -1
_PAGE: Final = 1000
_HEAD: Final = "audit_head:"  # and the log: how far it goes, and its tree's frontier
_ATTEMPT: Final = "audit_attempt:"  # and the log: the record that may be in the store already
_GENERATION: Final = "audit_generation"


class _Head(msgspec.Struct, frozen=True):
    size: int
    nodes: list[str]


class Lately(NamedTuple):
    """What this home entered (in `log`, or waiting) since an uptime; else others since an id."""

    log: str
    own: bool
    since: float | str


class AuditTable:
    """The audit table. An entry waits until it is in the store; then it has a log and an index.

    Decisions read both: what waits was decided, too. Ids rise with each entry of this home, which
    is what folds go by.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._books = Books()
        self._seen = ""
        self._generation = 0

    def add(self, entry: Entry) -> None:
        """Let an entry wait for its place; durable on return."""
        self._put(entry, "", _WAITING)

    def waiting(self, most: int, kinds: Collection[EntryKind] = ()) -> list[Entry]:
        """The entries (of these kinds, or all) that are not in the store yet, in order."""
        marks = ", ".join("?" * len(kinds))
        clause = f"AND kind IN ({marks}) " if kinds else ""
        names = sorted(kind.value for kind in kinds)
        return self._read(f"WHERE place = ? {clause}ORDER BY id LIMIT ?", _WAITING, *names, most)

    def settle(
        self, log: str, placed: Iterable[tuple[int, Entry]], head: Frontier | None = None
    ) -> None:
        """These are in the store: in this log, at these indexes. Unknown ones are taken in.

        `head` is the log's tree after them; from now on nothing more is attempted there. An entry
        that has a place already keeps it.
        """
        with self._connection.writing():
            newest = self.last_id()
            for index, entry in placed:
                known = self._connection.rows("SELECT place FROM audit WHERE id = ?", entry.id)
                if known and known[0]["place"] != _WAITING:
                    continue
                self._put(entry, log, index)
                if not known and entry.id < newest:
                    self._forget()
            if head is not None and head.size > self.size(log):
                self._remember(log, head)
                self._note(_ATTEMPT + log, "")

    def head(self, log: str) -> Frontier | None:
        """The tree of a log as this host has last seen it; None where it never has."""
        text = self._noted(_HEAD + log)
        if not text:
            return None
        head = self._connection.decode(text.encode(), _Head)
        frontier = Frontier(head.size, tuple(map(bytes.fromhex, head.nodes)))
        if not frontier.is_sound():
            raise self._connection.damaged(f"it does not know how far the audit log {log} goes")
        return frontier

    def heads(self) -> dict[str, Frontier]:
        """The tree of every log that this host has seen, by log."""
        rows = self._connection.rows("SELECT name FROM meta WHERE name LIKE ?", _HEAD + "%")
        logs = (str(row["name"]).removeprefix(_HEAD) for row in rows)
        return {log: head for log in logs if (head := self.head(log)) is not None}

    def attempt(self, log: str, record: bytes) -> None:
        """Remember what is about to be stored in a log, until `settle`; durable on return."""
        self._note(_ATTEMPT + log, b64encode(record).decode())

    def attempted(self, log: str) -> bytes:
        """What may be in the store, or on its way there; empty for nothing."""
        return b64decode(self._noted(_ATTEMPT + log))

    def size(self, log: str) -> int:
        """How many entries of a log this host has seen in the store."""
        head = self.head(log)
        return head.size if head is not None else 0

    def placed(self) -> dict[str, tuple[str, int]]:
        """Log and index of every entry that is in the store, by its id."""
        rows = self._connection.rows("SELECT id, log, place FROM audit WHERE place <> ?", _WAITING)
        return {row["id"]: (row["log"], row["place"]) for row in rows}

    def replace(
        self,
        former: Mapping[str, tuple[str, int]],
        log: str,
        placed: Iterable[tuple[int, Entry]],
        head: Frontier,
    ) -> None:
        """Put what the store holds of a log in the place of what was known of it (`placed`).

        What lies behind the store's end is kept, and how far the log once went is not forgotten:
        that it was longer is how a cut is found.
        """
        with self._connection.writing() as handle:
            gone = [(name,) for name, (of, at) in former.items() if of == log and at < head.size]
            handle.executemany("DELETE FROM audit WHERE id = ?", gone)
            if gone:
                self._forget()
            self.settle(log, placed)
            if head.size >= self.size(log):
                self._remember(log, head)

    def leaves(self, log: str) -> Iterator[tuple[int, bytes]]:
        """Index and exact bytes of every entry that is known of a log, in order."""
        first = 0
        while rows := self._connection.read(
            "audit", "WHERE log = ? AND place >= ? ORDER BY place LIMIT ?", log, first, _PAGE
        ):
            yield from ((row["place"], row["body"]) for row in rows)
            first = rows[-1]["place"] + 1

    def all(
        self, *, after: str = "", kind: str = "", caller: str = "", since: datetime | None = None
    ) -> Iterator[tuple[Entry, tuple[str, int]]]:
        """Entries in order with log and index (-1 while one waits), of a kind, a caller, a time.

        Those behind an id alone, where one is given.
        """
        last, earliest = after, to_column(since) if since else ""
        while rows := self._connection.read(
            "audit",
            "WHERE id > ? AND ? IN ('', kind) AND ? IN ('', caller) AND at >= ?"
            " ORDER BY id LIMIT ?",
            last,
            kind,
            caller,
            earliest,
            _PAGE,
        ):
            for row in rows:
                yield decode_entry(row["body"]), (row["log"], row["place"])
            last = rows[-1]["id"]

    def last_id(self) -> str:
        """The id of the newest entry, empty for none."""
        return str(self._connection.rows("SELECT max(id) AS last FROM audit")[0]["last"] or "")

    def first(self) -> Entry | None:
        """The oldest entry that is known; None for none."""
        return next(iter(self._read("WHERE ? ORDER BY id LIMIT 1", 1)), None)

    def of_kinds(self, kinds: Iterable[EntryKind], *, after: str = "") -> list[Entry]:
        """Every entry of these kinds behind an id, in order."""
        names = [kind.value for kind in kinds]
        marks = ", ".join("?" * len(names))
        return self._read(f"WHERE id > ? AND kind IN ({marks}) ORDER BY id", after, *names)

    def transitions(self, volume: str = "") -> list[Entry]:
        """Every transition, of one volume or all."""
        if not volume:
            return self.of_kinds([EntryKind.TRANSITION])
        return self._read("WHERE volume = ? AND kind = 'transition' ORDER BY id", volume)

    def own_after(
        self, log: str, kinds: Iterable[EntryKind], after: str, since: datetime, most: int
    ) -> list[Entry]:
        """Entries of these kinds that this home made, in a log or waiting for it, in order.

        They are younger than `since` and stand behind an id. Each entry of this home has a greater
        id than those that are here before it, so none is ever passed over.
        """
        names = [kind.value for kind in kinds]
        marks = ", ".join("?" * len(names))
        return self._read(
            f"WHERE id > ? AND at >= ? AND log IN ('', ?) AND kind IN ({marks})"
            " ORDER BY id LIMIT ?",
            after,
            to_column(since),
            log,
            *names,
            most,
        )

    def of_books(self, *, after: str = "") -> list[Entry]:
        """Every entry behind an id that a book reads, in order: requests that used a grant, too."""
        names = [kind.value for kind in ADMINISTRATIVE]
        marks = ", ".join("?" * len(names))
        used = "(kind = 'request' AND instr(CAST(body AS TEXT), '\"grant\":\"grant_') > 0)"
        clause = f"WHERE id > ? AND (kind IN ({marks}) OR {used}) ORDER BY id"
        return self._read(clause, after, *names)

    def requests(
        self, caller: str = "", *, uptime: float = 0.0, most: int = 100_000
    ) -> list[Entry]:
        """Requests (of one caller, or all) entered since this home's uptime, the oldest first."""
        rows = self._read(
            "WHERE kind = 'request' AND ? IN ('', caller) AND uptime >= ? ORDER BY id DESC LIMIT ?",
            caller,
            uptime,
            most,
        )
        return rows[::-1]

    def allowed(
        self,
        verbs: Collection[str],
        lately: Lately,
        *,
        most: int,
        caller: str = "",
        environment: str = "",
    ) -> list[Entry]:
        """The last requests of these verbs that were allowed lately.

        Of one caller, or in one environment, or all: nobody else's take a place among the last.
        """
        meant = " OR ".join(["instr(CAST(body AS TEXT), ?) > 0"] * len(verbs))
        since = "log IN ('', ?) AND uptime >= ?" if lately.own else "log NOT IN ('', ?) AND id >= ?"
        rows = self._read(
            f"WHERE kind = 'request' AND {since} AND ? IN ('', caller)"
            " AND ? IN ('', environment) AND "
            f'instr(CAST(body AS TEXT), \'"decision":"allow"\') > 0 AND ({meant})'
            " ORDER BY id DESC LIMIT ?",
            lately.log,
            lately.since,
            caller,
            environment,
            *(f'"verb":"{verb}"' for verb in sorted(verbs)),
            most,
        )
        return rows[::-1]

    def newest(self, most: int) -> list[Entry]:
        """The last entries of all kinds, the oldest of them first."""
        return self._read("WHERE ? ORDER BY id DESC LIMIT ?", 1, most)[::-1]

    def books(self) -> Books:
        """What all administrative entries amount to; only what is new is read."""
        generation = self._current()
        if generation != self._generation:
            self._books, self._seen, self._generation = Books(), "", generation
        for entry in self.of_books(after=self._seen):
            self._books.apply(entry)
            self._seen = entry.id
        return self._books

    def _forget(self) -> None:
        """An entry came in late: folds of this and other processes begin again."""
        self._note(_GENERATION, str(self._current() + 1))

    def _current(self) -> int:
        return int(self._noted(_GENERATION) or "0")

    def _remember(self, log: str, head: Frontier) -> None:
        self._note(_HEAD + log, _Head(head.size, [node.hex() for node in head.nodes]))

    def _note(self, name: str, value: str | _Head) -> None:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        self._connection.put("meta", {"name": name, "value": text})

    def _noted(self, name: str) -> str:
        rows = self._connection.read("meta", "WHERE name = ?", name)
        return str(rows[0]["value"]) if rows else ""

    def _put(self, entry: Entry, log: str, index: int) -> None:
        row = {
            "id": entry.id,
            "log": log,
            "place": index,
            "at": to_column(entry.at),
            "uptime": entry.uptime,
            "kind": entry.kind.value,
            "caller": entry.caller.name,
            "environment": entry.environment,
            "volume": entry.volume,
            "body": encode_entry(entry),
        }
        self._connection.put("audit", row)

    def _read(self, clause: str, *values: object) -> list[Entry]:
        return [
            decode_entry(row["body"]) for row in self._connection.read("audit", clause, *values)
        ]
