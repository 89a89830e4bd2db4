"""From stat to Entry: pure."""

from __future__ import annotations

import os
import stat
from typing import Final

from vault.provider import Entry, Kind

_KINDS: Final = {
    stat.S_IFREG: Kind.FILE.value,
    stat.S_IFDIR: Kind.DIRECTORY.value,
    stat.S_IFLNK: Kind.SYMLINK.value,
    stat.S_IFIFO: Kind.FIFO.value,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE.value,
    stat.S_IFBLK: Kind.BLOCK_DEVICE.value,
    stat.S_IFSOCK: Kind.SOCKET.value,
}
_TYPES: Final = {kind: bits for bits, kind in _KINDS.items()}
_DEVICES: Final = {Kind.CHARACTER_DEVICE.value, Kind.BLOCK_DEVICE.value}
_FILE: Final = Kind.FILE.value
_DIRECTORY: Final = Kind.DIRECTORY.value
EARLIEST: Final = -(1 << 63)
LATEST: Final = (1 << 64) - 1
"""The times that have room in an entry, in nanoseconds: the years from 1678 to 2554."""


def entry_of(path: bytes, info: os.stat_result) -> Entry:
    """The entry that lstat tells of: sizes are of files only, link counts not of directories.

    A time that has no room there counts as the nearest that has: some systems tell of 1601.
    """
    mode = info.st_mode
    kind = _KINDS[mode & 0o170000]
    mtime, ctime = info.st_mtime_ns, info.st_ctime_ns
    if not (EARLIEST <= mtime <= LATEST and EARLIEST <= ctime <= LATEST):
        mtime, ctime = (min(max(time, EARLIEST), LATEST) for time in (mtime, ctime))
    return Entry(
        path,
        kind,
        mode & 0o7777,
        info.st_uid,
        info.st_gid,
        mtime,
        info.st_size if kind == _FILE else 0,
        ctime,
        info.st_ino,
        info.st_dev,
        1 if kind == _DIRECTORY else info.st_nlink,
        None,
        None,
        info.st_rdev if kind in _DEVICES else 0,
    )


def kind_of(info: os.stat_result) -> int:
    """The Kind of what was stat'ed."""
    return _KINDS[info.st_mode & 0o170000]


def type_bits(kind: int) -> int:
    """The S_IF… bits of a Kind."""
    return _TYPES[kind]


def gather(segments: list[tuple[int, int]], most: int) -> tuple[tuple[int, int], ...]:
    """Join segments over their smallest holes until at most `most` are left."""
    widest = 4096
    while len(segments) > most:
        widest *= 2
        joined = segments[:1]
        for offset, length in segments[1:]:
            start, size = joined[-1]
            if offset - (start + size) < widest:
                joined[-1] = (start, offset + length - start)
            else:
                joined.append((offset, length))
        segments = joined
    return tuple(segments)


def clipped(segments: tuple[tuple[int, int], ...], length: int) -> tuple[tuple[int, int], ...]:
    """The first `length` bytes of the segments' content, as segments."""
    kept = []
    for offset, size in segments:
        if length <= 0:
            break
        kept.append((offset, min(size, length)))
        length -= size
    return tuple(kept)
