"""What a manifest says: entries, and where in which chunks their contents lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from vault.provider import Entry
from vault.repository.pack import ChunkRef


class Extent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`length` bytes of a file's content, from byte `offset` of a chunk."""

    chunk: ChunkRef
    offset: int
    length: int


class StoredEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry with the extents that make up its content, in order.

    In a page, what is too long for one row is `parts` rows of the same path.
    """

    entry: Entry
    extents: tuple[Extent, ...] = ()
    part: int = 0
    parts: int = 1

    @property
    def path(self) -> bytes:
        """The entry's path."""
        return self.entry.path


EXTENTS_PER_ROW = 8192
"""Extents (and segments) of one row, at most."""


def split_rows(stored: StoredEntry) -> Iterator[StoredEntry]:
    """Cut an entry with very many extents or segments into rows."""
    entry, extents = stored.entry, stored.extents
    segments = entry.segments
    longest = max(len(extents), len(segments or ()), 1)
    parts = -(-longest // EXTENTS_PER_ROW)
    for part in range(parts):
        piece = slice(part * EXTENTS_PER_ROW, (part + 1) * EXTENTS_PER_ROW)
        of_part = entry
        if segments is not None:
            of_part = msgspec.structs.replace(entry, segments=segments[piece])
        yield StoredEntry(of_part, extents[piece], part, parts)


def join_rows(rows: Iterable[StoredEntry]) -> Iterator[StoredEntry]:
    """Put together what `split_rows` cut. Where a part is missing, so is the entry."""
    pieces: list[StoredEntry] = []
    for row in rows:
        if row.parts == 1:
            yield row
            continue
        if row.part != len(pieces) or (pieces and pieces[0].path != row.path):
            pieces = []
        if row.part == len(pieces):
            pieces.append(row)
        if pieces and len(pieces) == row.parts:
            yield _joined(pieces)
            pieces = []


def _joined(pieces: list[StoredEntry]) -> StoredEntry:
    entry = pieces[0].entry
    if entry.segments is not None:
        segments = tuple(s for piece in pieces for s in piece.entry.segments or ())
        entry = msgspec.structs.replace(entry, segments=segments)
    return StoredEntry(entry, tuple(e for piece in pieces for e in piece.extents))
