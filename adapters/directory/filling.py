"""Write one file's bytes: holes stay holes, and the content has to fit its entry."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from adapters.directory import kernel
from adapters.directory.failures import shown
from vault.errors import PathUnsafe
from vault.limits import KIB, MIB
from vault.provider import Entry

Blocks = Iterable[bytes | memoryview]
Segments = tuple[tuple[int, int], ...]

_STRETCH: Final = 16 * MIB  # the disk works while the next bytes are fetched
_WORTH: Final = 32 * KIB  # of what is smaller the kernel makes larger writes by itself


def fill(fd: int, entry: Entry, blocks: Blocks) -> None:
    """Write the bytes of all segments to an empty file. Raises OSError, PathUnsafe."""
    segments = entry.segments
    if segments is None:
        segments = ((0, entry.size),)
    else:
        _check(segments, entry)
        os.ftruncate(fd, entry.size)
    written = begun = 0
    room = sum(length for _, length in segments)
    spans = iter(segments)
    offset = left = 0
    for block in blocks:
        written += len(block)
        if written > room:
            break
        view = memoryview(block)
        while view:
            if not left:
                offset, left = next(spans)
                continue
            done = os.pwrite(fd, view[:left] if len(view) > left else view, offset)
            offset, left, view = offset + done, left - done, view[done:]
        if written - begun >= _STRETCH:
            kernel.begin_writing(fd, 0, offset)
            begun = written
    if written != room and not (entry.torn and written < room):
        raise _malformed(entry, "its content has another length than its entry")
    if written < room:
        os.ftruncate(fd, entry.size)
    if written - begun >= _WORTH:
        kernel.begin_writing(fd, 0, 0)


def _check(segments: Segments, entry: Entry) -> None:
    end = 0
    for offset, length in segments:
        if offset < end or length < 0:
            raise _malformed(entry, "its data segments overlap")
        end = offset + length
    if end > entry.size:
        raise _malformed(entry, "its data segments lie beyond its end")


def _malformed(entry: Entry, why: str) -> PathUnsafe:
    return PathUnsafe(
        f"“{shown(entry.path)}” was not restored: {why}",
        safe="Nothing outside the target was touched.",
    )
