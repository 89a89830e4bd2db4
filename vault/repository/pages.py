"""Pages of a manifest and parts of the table of pages: their layout, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from vault.codec.decoding import read_msgpack
from vault.errors import Corrupt
from vault.provider import Entry
from vault.repository.manifest import EXTENTS_PER_ROW, Extent, StoredEntry
from vault.repository.pack import ChunkPlace, ChunkRef, PackHead

ChunkRow = tuple[bytes, int, int, int, int, int, bool]
"""A chunk in a page: id, index of its pack, place in the pack."""


class Row(msgspec.Struct, array_like=True, gc=False):
    """An entry in a page; an extent is (index in the page's chunks, offset, length)."""

    entry: Entry
    extents: Annotated[list[tuple[int, int, int]], msgspec.Meta(max_length=EXTENTS_PER_ROW)]
    part: int = 0
    parts: int = 1


class Page(msgspec.Struct, array_like=True):
    """A page as it is stored: rows name chunks, and chunks name packs, by their index."""

    packs: list[PackHead]
    chunks: list[ChunkRow]
    rows: list[Row]


class TablePart(msgspec.Struct, array_like=True):
    """A part of the page table as it is stored: (first path, page) in order."""

    packs: list[PackHead]
    rows: list[tuple[bytes, ChunkRow]]


def decode_page(body: bytes) -> Page:
    """A page as it is stored. Raises Corrupt."""
    return read_msgpack(Page, body, "a manifest page")


def read_page(body: bytes) -> Iterator[StoredEntry]:
    """The rows of a page, one after the other: all at once would take much room. Raises Corrupt."""
    page = decode_page(body)
    try:
        chunks = [chunk_ref(page.packs, row) for row in page.chunks]
        for row in page.rows:
            extents = tuple([Extent(chunks[c], o, n) for c, o, n in row.extents])
            yield StoredEntry(row.entry, extents, row.part, row.parts)
    except IndexError:
        raise Corrupt("a manifest page refers to a chunk that it does not name") from None


def stored_row(page: Page, row: Row) -> StoredEntry:
    """One row of a page. Raises IndexError."""
    chunks = {c: chunk_ref(page.packs, page.chunks[c]) for c, _, _ in row.extents}
    extents = tuple([Extent(chunks[c], o, n) for c, o, n in row.extents])
    return StoredEntry(row.entry, extents, row.part, row.parts)


def read_table(body: bytes) -> list[tuple[bytes, ChunkRef]]:
    """The rows (first path, page) of a part of the page table. Raises Corrupt."""
    part = read_msgpack(TablePart, body, "a page table")
    try:
        return [(first, chunk_ref(part.packs, row)) for first, row in part.rows]
    except IndexError:
        raise Corrupt("a page table refers to a pack that it does not name") from None


def chunk_ref(packs: list[PackHead], row: ChunkRow) -> ChunkRef:
    """What a row of chunks means. Raises IndexError."""
    head = packs[row[1]]
    return ChunkRef(row[0], head, ChunkPlace(head.digest, *row[2:]))
