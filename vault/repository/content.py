"""The content stream of a recording: blocks in, chunks out, cut where the content says so."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Final, TypeAlias

from vault import limits
from vault.codec.buffers import Buffer
from vault.codec.chunker import cut
from vault.repository.assembly import Span
from vault.repository.pack import ChunkKind
from vault.repository.pipeline import Prepared, Slot, Workshop

_FRONT: Final = limits.CHUNK_MAX  # room for the start of a chunk that the segment before left over
_SEGMENT: Final = 4 * limits.MIB  # bytes that go to a worker together
_LARGE: Final = limits.CHUNK_AVERAGE

_Rest: TypeAlias = Future[bytes] | None


class ContentStream:
    """Lays contents end to end; small files share chunks, large ones have theirs to themselves."""

    def __init__(self, shop: Workshop, deliver: Callable[[Slot, int], None]) -> None:
        self._shop = shop
        self._lane = shop.lane(ChunkKind.DATA, deliver)
        self._submitted = 0
        self._rest: _Rest = None
        self._spare: deque[memoryview] = deque()  # segments that workers have given back
        self._begin()

    def _begin(self) -> None:
        self._segment = self._spare.pop() if self._spare else _new_segment()
        self._end = _FRONT

    @property
    def position(self) -> int:
        """Bytes taken so far."""
        return self._submitted + self._end - _FRONT

    @property
    def new(self) -> tuple[int, int]:
        """Bytes that no earlier session has stored, as they came and as they were compressed."""
        return self._lane.new, self._lane.packed

    def write(self, blocks: Iterable[Buffer]) -> Span:
        """Append one content; what was appended when `blocks` raises stays as dead bytes."""
        start = self.position
        large = False
        for block in blocks:
            if not large and len(block) >= _LARGE:
                large = True
                self.flush()
            self._append(block)
        if large:
            self.flush()
        return Span(start, self.position - start)

    def _append(self, block: Buffer) -> None:
        end = self._end + len(block)
        while end > len(self._segment):
            room = len(self._segment) - self._end
            self._segment[self._end :] = block[:room]
            self._end += room
            self._submit(last=False)
            block = memoryview(block)[room:]
            end = self._end + len(block)
        self._segment[self._end : end] = block
        self._end = end

    def flush(self) -> None:
        """End the present chunk here."""
        if self._rest is not None or self._end > _FRONT:
            self._submit(last=True)

    def finish(self) -> None:
        """Close the last chunk and the last pack."""
        self.flush()
        self._lane.finish()

    def _submit(self, *, last: bool) -> None:
        """Hand the segment to a worker, which waits for what the one before it leaves over."""
        size = self._end - _FRONT
        before, self._rest = self._rest, None if last else Future()
        work = partial(self._prepare, self._segment, self._end, before, self._rest)
        self._submitted += size
        self._lane.submit_work(work, size)
        self._begin()

    def _prepare(self, segment: memoryview, end: int, before: _Rest, rest: _Rest) -> list[Prepared]:
        try:
            start = b"" if before is None else before.result()
            data, lengths = _cut(segment[:end], start, rest)
        except BaseException as error:
            if rest is not None:
                rest.set_exception(error)
            raise
        prepared = self._shop.prepare(ChunkKind.DATA, data, lengths)
        self._spare.append(segment)
        return prepared


def _new_segment() -> memoryview:
    # Unlike a bytearray, it takes no memory before it is written: the front is seldom full.
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return memoryview(mmap.mmap(-1, _FRONT + _SEGMENT, flags=private))


def _cut(segment: memoryview, before: bytes, rest: _Rest) -> tuple[memoryview, list[int]]:
    """Where the chunks of a segment end; the last goes to `rest`, where more of it may follow.

    All but the last one end where they would in a longer buffer, too.
    """
    start = _FRONT - len(before)
    segment[start:_FRONT] = before
    data = segment[start:]
    lengths = cut(data)
    if rest is None:
        return data, lengths
    end = len(data) - lengths.pop()
    rest.set_result(bytes(data[end:]))
    return data[:end], lengths
