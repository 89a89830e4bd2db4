"""Puts entries and the chunks of their contents together, in order, as packs become complete."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from vault.provider import Entry
from vault.repository.manifest import Extent, StoredEntry
from vault.repository.pipeline import Slot


class Span(NamedTuple):
    """A stretch of a recording's content stream, in bytes."""

    start: int
    length: int


class _Incoming(NamedTuple):
    entry: Entry
    span: Span


class _Task(NamedTuple):
    act: Callable[[], None]
    entries: int


class Assembly:
    """Entries wait here until the chunks that they lie in have a place; `emit` gets them in order.

    Spans must come in the order of the stream.
    """

    def __init__(self, emit: Callable[[StoredEntry], None]) -> None:
        self._emit = emit
        self._chunks: deque[tuple[int, int, Slot]] = deque()
        self._chunks_end = 0
        self._waiting: deque[_Incoming | _Task] = deque()
        self._count = 0
        self._partial: list[Extent] = []
        self._position = 0

    def __len__(self) -> int:
        """How many entries wait."""
        return self._count

    def chunk(self, slot: Slot, length: int) -> None:
        """The next `length` bytes of the stream lie in this slot."""
        end = self._chunks_end + length
        self._chunks.append((self._chunks_end, end, slot))
        self._chunks_end = end

    def add(self, entry: Entry, span: Span) -> None:
        """The next entry, and where in the stream its content is."""
        self._waiting.append(_Incoming(entry, span))
        self._count += 1

    def then(self, act: Callable[[], None], entries: int) -> None:
        """Do this in turn: it stands for the next `entries`, which wait for no chunk."""
        if self._waiting:
            self._waiting.append(_Task(act, entries))
            self._count += entries
        else:
            act()

    def advance(self) -> None:
        """Emit every entry whose chunks, and those of all before it, have a place."""
        waiting = self._waiting
        while waiting:
            first = waiting[0]
            if isinstance(first, _Task):
                first.act()
                self._count -= first.entries
            else:
                extents = self._extents(first.span.start, first.span.start + first.span.length)
                if extents is None:
                    return
                self._emit(StoredEntry(first.entry, extents))
                self._count -= 1
            waiting.popleft()

    def _extents(self, start: int, end: int) -> tuple[Extent, ...] | None:
        """What covers start to end; None where a part has no place yet (the rest is remembered)."""
        chunks, partial = self._chunks, self._partial
        position = max(start, self._position)
        while position < end:
            if not chunks:
                return None
            chunk_start, chunk_end, slot = chunks[0]
            if chunk_end <= position:
                chunks.popleft()
                continue
            if slot.ref is None:
                return None
            length = min(end, chunk_end) - position
            partial.append(Extent(slot.ref, position - chunk_start, length))
            self._position = position = position + length
        self._partial = []
        return tuple(partial)
