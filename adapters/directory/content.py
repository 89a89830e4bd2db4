"""An opened file of a capture: its bytes, its holes, and whether it was still meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec

from adapters.directory import attributes, mapping
from adapters.directory.kernel import O_NOATIME
from vault import limits
from vault.provider import Entry

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_STAT_BLOCK: Final = 512


def open_quietly(name: bytes, parent: int) -> int:
    """Open a file to read, without waiting, without following, and leaving its atime alone."""
    try:
        return os.open(name, _OPEN | O_NOATIME, dir_fd=parent)
    except PermissionError:  # O_NOATIME is for the owner only
        return os.open(name, _OPEN, dir_fd=parent)


def data_segments(fd: int, info: os.stat_result) -> tuple[tuple[int, int], ...] | None:
    """Where a file's data are, as (offset, length); None where it has no holes."""
    size = info.st_size
    if info.st_blocks * _STAT_BLOCK >= size:
        return None
    found: list[tuple[int, int]] = []
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
            end = os.lseek(fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                break
            if error.errno == errno.EINVAL:  # the file system does not tell
                return None
            raise
        if start < size:
            found.append((start, min(end, size) - start))
    return None if found == [(0, size)] else mapping.gather(found, limits.SEGMENTS_MAX)


class StillFile:
    """See vault.provider.Content: a small file that was as it is before and after it was read."""

    __slots__ = ("_data", "entry")
    stable = True

    def __init__(self, entry: Entry, data: bytes) -> None:
        self.entry = entry
        self._data = data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def blocks(self) -> Iterator[bytes]:
        """See Content."""
        return iter((self._data,) if self._data else ())


def read_still(
    entry: Entry, parent: int, name: bytes, refused: attributes.Refused
) -> StillFile | None:
    """Read a small file in one go; None unless it has no holes and still is what lstat saw.

    `entry` was looked at a moment ago, and its ctime is so old that any change shows in it.
    """
    fd = -1
    try:
        fd = open_quietly(name, parent)
        data = os.read(fd, entry.size)
        found = attributes.read(fd, refused)
        info = os.fstat(fd)
    except OSError:  # it is told by who looks closer
        return None
    finally:
        if fd >= 0:
            os.close(fd)
    if (
        info.st_ctime_ns != entry.ctime_ns
        or info.st_mtime_ns != entry.mtime_ns
        or info.st_size != entry.size
        or len(data) != entry.size
        or info.st_ino != entry.inode
        or info.st_dev != entry.device
        or info.st_blocks * _STAT_BLOCK < entry.size
    ):
        return None
    return StillFile(msgspec.structs.replace(entry, xattrs=found) if found else entry, data)


class Opened(NamedTuple):
    """A file's descriptor, its fstat, and the open parent and name it was opened by."""

    fd: int
    info: os.stat_result
    parent: int
    name: bytes


class FileContent:
    """See vault.provider.Content. A file cut short is read up to there, and `entry` follows."""

    def __init__(self, opened: Opened, entry: Entry, broken: Callable[[OSError], None]) -> None:
        """Take over the descriptor; `broken` hears of an error while reading."""
        self._fd = opened.fd
        self._before = opened.info
        self._place = (opened.parent, opened.name)
        self._broken = broken
        self.entry = entry
        self.stable = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def blocks(self) -> Iterator[bytes]:
        """See Content. Ends early, and not stable, where the file ends or the disk fails."""
        total = 0
        segments = self.entry.segments
        for offset, length in ((0, self.entry.size),) if segments is None else segments:
            end = offset + length
            while offset < end:
                block = self._read(min(end - offset, limits.READ_BLOCK), offset)
                if not block:
                    self._cut_short(total, offset)
                    return
                offset += len(block)
                total += len(block)
                yield block
        self.stable = self._is_still()

    def _read(self, length: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            self._broken(error)
            return b""

    def _cut_short(self, read: int, end: int) -> None:
        segments = self.entry.segments
        self.entry = msgspec.structs.replace(
            self.entry,
            size=end,
            segments=None if segments is None else mapping.clipped(segments, read),
        )

    def _is_still(self) -> bool:
        before, after = self._before, os.fstat(self._fd)
        try:
            named = os.stat(self._place[1], dir_fd=self._place[0], follow_symlinks=False)
        except OSError:
            return False
        return (
            before.st_mtime_ns == after.st_mtime_ns
            and before.st_ctime_ns == after.st_ctime_ns
            and before.st_size == after.st_size
            and (named.st_dev, named.st_ino) == (before.st_dev, before.st_ino)
        )
