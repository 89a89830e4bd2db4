"""Whole repositories by a writer who was admitted and turned bad: well sealed, full of malice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.fuzz import corpus, sealing
from tests.fuzz.sealing import Sealed
from tests.unit.repository.founding import IDENTITY, LOCK, ROOT, VAULT, charter, header
from vault.codec.compressor import compress
from vault.codec.keyring import RecoveryKit
from vault.repository.charter import store_charter
from vault.store.address import parse_address
from vault.store.directory import establish, open_at
from vault.testing.clock import ManualClock

DATA, PAGE, TABLE = 0, 1, 2
CONTENT: Final = b"what the files hold " * 50
COMMON: Final = (0, 0, 5)
ELSEWHERE: Final = frozenset({"/etc/hostile", "/x"})
"""Where hostile paths lead that are absolute: nothing may be there."""


def folder(path: bytes) -> list[Any]:
    """The row of a directory."""
    return file(path, (), 0, kind=1)


def file(path: bytes, extents: Any = ((0, 0, 10),), size: int = 10, **fields: Any) -> list[Any]:
    """The row of a file; its content lies in chunk 0 of the page."""
    names = ("ctime", "inode", "device", "nlink", "link", "target", "rdev", "xattrs", "segments")
    plain: dict[str, Any] = dict(zip(names, (0, 0, 0, 1, None, None, 0, [], None), strict=True))
    kind = fields.pop("kind", 0)
    entry = [
        path,
        kind,
        0o755 if kind == 1 else 0o644,
        *COMMON,
        size,
        *(plain | fields).values(),
        False,
    ]
    return [entry, list(extents), 0, 1]


def symlink(path: bytes, target: bytes) -> list[Any]:
    """The row of a symlink."""
    return file(path, (), 0, kind=2, target=target)


@dataclass
class Rogue:
    """A vault in a directory, and what its bad writer puts there."""

    root: Path

    def __post_init__(self) -> None:
        clock = ManualClock()
        address = parse_address(f"file://{self.root}/store?immutable=no")
        establish(address, None, clock, create=True)
        self.url = address.url
        self.store = open_at(address, None, clock)
        store_charter(self.store, charter(), ROOT, LOCK)
        (public, secret), *_ = corpus.sessions()
        self.put(*sealing.session(_json(public), _json(secret)))
        self.kit = self.root / "recovery.kit"
        opened = RecoveryKit(VAULT, self.url, ROOT, ROOT.public_hex, (IDENTITY,))
        self.kit.write_text(opened.text())
        self.data = self.pack([CONTENT], DATA)

    def put(self, key: str, data: bytes) -> None:
        """Store it."""
        self.store.put(key, data, LOCK)

    def pack(self, contents: Sequence[bytes], kind: int) -> Sealed:
        """Store honest chunks."""
        shrunk = [(compress(data), data) for data in contents]
        chunks = [(data, bytes(small), len(data), yes) for (yes, small), data in shrunk]
        return self.keep(sealing.pack(chunks, kind=kind))

    def keep(self, pack: Sealed) -> Sealed:
        """Store a pack."""
        self.put(pack.key, pack.data)
        return pack

    def page(self, rows: Iterable[Any], refs: Sequence[list[Any]] = ()) -> bytes:
        """A page of these rows; its chunks are `refs`, or the one with the content."""
        refs = refs or self.data.refs
        heads = [head for _, head, _ in refs]
        chunks = [[ref[0], number, *ref[2][1:]] for number, ref in enumerate(refs)]
        return sealing.msgpack([heads, chunks, list(rows)])

    def table(self, pages: Sequence[tuple[bytes, list[Any]]]) -> list[Any]:
        """A stored part of the page table: its ref."""
        heads = [ref[1] for _, ref in pages]
        rows = [[first, [ref[0], number, *ref[2][1:]]] for number, (first, ref) in enumerate(pages)]
        return self.pack([sealing.msgpack([heads, rows])], TABLE).refs[0]

    def snapshot(self, table: Sequence[list[Any]], packs: Iterable[Sealed] = ()) -> None:
        """Commit it, under the name of `sealing.SNAPSHOT`."""
        head = header(
            id=sealing.SNAPSHOT,
            session=sealing.KEYS.session,
            sessions=(sealing.KEYS.session,),
            packs=tuple(pack.head[0].hex() for pack in packs),
        )
        body = sealing.msgpack({"table": list(table), "findings": []})
        self.put(*sealing.snapshot(msgspec.json.encode(head), body))

    def of(self, *rows: Any) -> Rogue:
        """With a snapshot of one page of these rows."""
        return self.of_pages((b"", self.page(rows)))

    def of_pages(self, *pages: tuple[bytes, bytes]) -> Rogue:
        """With a snapshot of these pages, each with the first path that the table tells."""
        return self.of_parts(pages)

    def of_parts(self, *parts: Sequence[tuple[bytes, bytes]]) -> Rogue:
        """With a snapshot of these parts of a page table; one without pages cannot be read."""
        tables = []
        for pages in parts:
            if not pages:
                tables += self.pack([b"no part"], TABLE).refs
                continue
            stored = self.pack([body for _, body in pages], PAGE)
            firsts = [first for first, _ in pages]
            tables.append(self.table(list(zip(firsts, stored.refs, strict=True))))
        self.snapshot(tables)
        return self


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
