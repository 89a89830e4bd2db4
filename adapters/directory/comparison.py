"""Whether what stands at a name is already what an entry says; without effect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from adapters.directory import attributes, mapping
from adapters.directory.content import data_segments, open_quietly
from vault.limits import READ_BLOCK
from vault.provider import Entry, Kind

_SYMLINK: Final = Kind.SYMLINK.value
_SET_ID: Final = 0o6000


def differs(parent: int, name: bytes, entry: Entry) -> bool:
    """Compare kind, size, times, mode, owner, device, target and attributes. Raises OSError.

    What this process may not set is not compared: it would differ for ever.
    """
    info = os.stat(name, dir_fd=parent, follow_symlinks=False)
    there = mapping.entry_of(entry.path, info)
    if (there.kind, there.size, there.mtime_ns, there.rdev) != (
        entry.kind,
        entry.size,
        entry.mtime_ns,
        entry.rdev,
    ):
        return True
    rooted = os.geteuid() == 0
    if rooted and (there.uid, there.gid) != (entry.uid, entry.gid):
        return True
    if entry.kind == _SYMLINK:
        if os.readlink(name, dir_fd=parent) != entry.target:
            return True
    elif (there.mode ^ entry.mode) & (0o7777 if rooted else 0o7777 & ~_SET_ID):
        return True
    present = attributes.read(b"/proc/self/fd/%d/%s" % (parent, name), lambda _name, _error: None)
    return attributes.settable(present) != attributes.settable(entry.xattrs)


def same_content(
    place: tuple[int, bytes], entry: Entry, content: Callable[[], Iterable[bytes]]
) -> bool:
    """Whether a file whose metadata agree holds the stored bytes, too. Raises OSError.

    Inode and ctime as they were captured prove it; nobody can set those back. Otherwise it is read.
    """
    parent, name = place
    fd = open_quietly(name, parent)
    try:
        info = os.fstat(fd)
        if (info.st_ctime_ns, info.st_ino) == (entry.ctime_ns, entry.inode):
            return True
        if data_segments(fd, info) != entry.segments:
            return False
        segments = ((0, entry.size),) if entry.segments is None else entry.segments
        return _equal(_pieces(fd, segments), content())
    finally:
        os.close(fd)


def _pieces(fd: int, segments: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    for offset, length in segments:
        place, end = offset, offset + length
        while place < end:
            piece = os.pread(fd, min(end - place, READ_BLOCK), place)
            if not piece:
                return
            yield piece
            place += len(piece)


def _equal(one: Iterable[bytes], other: Iterable[bytes]) -> bool:
    """Compare two streams that are cut in different places."""
    left, right = iter(one), iter(other)
    a = b = memoryview(b"")
    while True:
        a = a or memoryview(next(left, b""))
        b = b or memoryview(next(right, b""))
        if not a or not b:
            return not a and not b
        size = min(len(a), len(b))
        if a[:size] != b[:size]:
            return False
        a, b = a[size:], b[size:]


def same_inode(one: tuple[int, bytes], other: tuple[int, bytes]) -> bool:
    """Whether two (open parent, name) are names of one inode. Raises OSError."""
    a, b = (os.stat(name, dir_fd=fd, follow_symlinks=False) for fd, name in (one, other))
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
