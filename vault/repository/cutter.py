"""Cuts a manifest into pages, and the page table into parts, where a keyed hash of a path says so.

Pages that say the same are the same bytes: packs and chunks stand in them in the order of first
use, and what was added or removed moves the cuts of its own page at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from vault import limits
from vault.codec.digest import chunk_id
from vault.provider import Entry
from vault.repository.manifest import EXTENTS_PER_ROW, Extent, StoredEntry, split_rows
from vault.repository.pack import ChunkRef, PackHead
from vault.repository.pages import ChunkRow, Page, Row, TablePart, chunk_ref, stored_row

_TABLE_SHIFT: Final = 32  # a table part is cut by other bits of the hash than a page
_CHUNK_SIZE: Final = 96  # bytes of a chunk in a page, about

_encoder: Final = msgspec.msgpack.Encoder()


class CutPage(msgspec.Struct, frozen=True):
    """A finished page (or table part): its first path, its bytes, the packs it refers to."""

    first: bytes
    body: bytes
    packs: tuple[PackHead, ...]


class _ChunkTable:
    """The packs and chunks that a page refers to, each once, in the order of first use."""

    def __init__(self) -> None:
        self.packs: list[PackHead] = []
        self.chunks: list[ChunkRow] = []
        self._heads: dict[bytes, int] = {}
        self._places: dict[tuple[bytes, int], int] = {}

    def row(self, ref: ChunkRef) -> ChunkRow:
        head, place = ref.head, ref.place
        pack = self._heads.get(head.digest)
        if pack is None:
            pack = self._heads[head.digest] = len(self.packs)
            self.packs.append(head)
        return (
            ref.chunk_id, pack, place.number, place.offset,
            place.length, place.raw_length, place.compressed,
        )  # fmt: skip

    def index(self, ref: ChunkRef) -> int:
        key = (ref.place.pack, ref.place.number)
        known = self._places.get(key)
        if known is None:
            known = self._places[key] = len(self.chunks)
            self.chunks.append(self.row(ref))
        return known


class _Moves(dict[int, int]):
    """Where the chunks of a former page stand in the present one; put there when asked for."""

    def __init__(self, page: Page, table: _ChunkTable) -> None:
        super().__init__()
        self.page = page
        self._table = table

    def __missing__(self, former: int) -> int:
        page = self.page
        now = self[former] = self._table.index(chunk_ref(page.packs, page.chunks[former]))
        return now


class PageCutter:
    """Collects entries in order and hands out a page whenever one is complete."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._begin()

    def _begin(self) -> None:
        self._table = _ChunkTable()
        self._rows: list[Row] = []
        self._size = 0
        self._last: tuple[ChunkRef | None, int] = (None, 0)
        self._moves: _Moves | None = None

    def add(self, stored: StoredEntry) -> Iterator[CutPage]:
        """Append an entry; yields the pages that this completed (seldom one)."""
        if self.begins_page(stored.entry.path) and self._rows:
            yield self.finish()
        if _is_long(stored.entry, len(stored.extents)):
            for piece in split_rows(stored):
                yield from self._add(piece)
        else:
            yield from self._add(stored)

    def _add(self, stored: StoredEntry) -> Iterator[CutPage]:
        size = _size(stored.entry, len(stored.extents))
        if self._is_full(size):
            yield self.finish()
        extents = [self._place(extent) for extent in stored.extents]
        self._rows.append(Row(stored.entry, extents, stored.part, stored.parts))
        self._size += size

    def _place(self, extent: Extent) -> tuple[int, int, int]:
        ref, index = self._last
        if extent.chunk is not ref:
            index = self._table.index(extent.chunk)
            self._last = (extent.chunk, index)
        return (index, extent.offset, extent.length)

    def keep(self, page: Page, start: int, stop: int) -> Iterator[CutPage]:
        """Append some rows of a page that this writer cut before; yields as `add` does.

        Nothing but the first row of such a page can begin one, save where one is full.
        """
        rows = page.rows[start:stop]
        if start == 0 and self._rows and self.begins_page(rows[0].entry.path):
            yield self.finish()
        size = sum([_size(row.entry, len(row.extents)) for row in rows])
        long = _is_long(rows[0].entry, len(rows[0].extents))  # such a row comes alone
        if long or self._is_full(size, len(rows)):
            for row in rows:
                yield from self.add(stored_row(page, row))
            return
        moves = self._moves
        if moves is None or moves.page is not page:
            moves = self._moves = _Moves(page, self._table)
        self._rows += [
            Row(
                row.entry, [(moves[chunk], offset, length) for chunk, offset, length in row.extents]
            )
            for row in rows
        ]
        self._size += size

    def begins_page(self, path: bytes) -> bool:
        """Whether an entry of this path begins a page wherever it stands."""
        return _hash(self._key, path) % limits.PAGE_ENTRIES == 0

    def _is_full(self, size: int, more: int = 1) -> bool:
        """Whether so many more rows, of this size in all, are too many for the present page."""
        rows, taken = len(self._rows), self._size + _CHUNK_SIZE * len(self._table.chunks)
        too_large = taken + size > limits.PAGE_BYTES_MAX
        return rows > 0 and (rows + more > limits.PAGE_ENTRIES_MAX or too_large)

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be cut."""
        return not self._rows

    def finish(self) -> CutPage:
        """The page of what was added last; only where not `empty`."""
        table, rows = self._table, self._rows
        body = _encoder.encode(Page(table.packs, table.chunks, rows))
        self._begin()
        return CutPage(rows[0].entry.path, body, tuple(table.packs))


class TableCutter:
    """Collects (first path, page) in order and hands out parts of the page table."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._begin()

    def _begin(self) -> None:
        self._table = _ChunkTable()
        self._rows: list[tuple[bytes, ChunkRow]] = []

    def add(self, first: bytes, page: ChunkRef) -> CutPage | None:
        """Append a page; returns the part that this completed, if any."""
        cut = None
        divided = (_hash(self._key, first) >> _TABLE_SHIFT) % limits.PAGE_ENTRIES == 0
        if self._rows and (divided or len(self._rows) >= limits.PAGE_ENTRIES_MAX):
            cut = self.finish()
        self._rows.append((first, self._table.row(page)))
        return cut

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be cut."""
        return not self._rows

    def finish(self) -> CutPage:
        """The part of what was added last; only where not `empty`."""
        table, rows = self._table, self._rows
        body = _encoder.encode(TablePart(table.packs, rows))
        self._begin()
        return CutPage(rows[0][0], body, tuple(table.packs))


def _is_long(entry: Entry, extents: int) -> bool:
    return extents > EXTENTS_PER_ROW or len(entry.segments or ()) > EXTENTS_PER_ROW


def _size(entry: Entry, extents: int) -> int:
    """Bytes of a row, about."""
    size = 64 + len(entry.path) + 12 * extents
    if entry.xattrs or entry.segments or entry.target:
        size += sum(len(n) + len(v) + 8 for n, v in entry.xattrs)
        size += 16 * len(entry.segments or ()) + len(entry.target or b"")
    return size


def _hash(key: bytes, path: bytes) -> int:
    return int.from_bytes(chunk_id(key, path)[:8], "little")
