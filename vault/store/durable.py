"""Files that are whole or absent, never replaced, and on disk when a call returns."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

# From linux/fs.h; the same numbers on all 64-bit platforms.
_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_IMMUTABLE: Final = 0x10
_WORD: Final = struct.Struct("i4x")  # declared a long, read and written as an int

_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
_NO_UNNAMED: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.EISDIR, errno.ENOENT)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make a file that somebody else may have written durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directories(path: Path, mode: int = 0o777) -> None:
    """Create a directory and its missing parents, each new name durable."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for new in reversed(missing):
        with suppress(FileExistsError):
            new.mkdir(mode)
        sync_directory(new.parent)


class Draft:
    """A file that is written and synced; `spare` is its name until it gets its own, if any."""

    def __init__(self, handle: int, spare: Path | None) -> None:
        self._handle = handle
        self.spare = spare

    def publish(self, target: Path, *, immutable: bool) -> None:
        """Give the file its name for good, durably. Raises FileExistsError, changing nothing."""
        source = self.spare or f"/proc/self/fd/{self._handle}"
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # With a directory handle Python calls linkat, which follows the link in /proc.
            os.link(source, target.name, dst_dir_fd=directory, follow_symlinks=True)
            self.drop_spare()
            if immutable:
                seal(self._handle)
            os.fsync(directory)
        finally:
            os.close(directory)

    def drop_spare(self) -> None:
        """Remove the spare name; an immutable file could not lose it any more."""
        if self.spare is not None:
            self.spare.unlink()
            self.spare = None


@contextmanager
def draft(
    data: bytes | bytearray, *, beside: Path, spares: Path, modified: datetime
) -> Iterator[Draft]:
    """Write `data` to a file (mode 0444) that vanishes unless it is published.

    It has no name, so a crash leaves nothing; where the file system of `beside` cannot do that,
    it has a random name in the directory `spares` meanwhile.
    """
    handle, spare = _open_unnamed(beside), None
    if handle is None:
        spare = spares / secrets.token_hex(16)
        handle = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    file = Draft(handle, spare)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fchmod(handle, 0o444)
        os.utime(handle, (modified.timestamp(), modified.timestamp()))
        os.fsync(handle)
        yield file
    finally:
        file.drop_spare()
        os.close(handle)


def seal_file(path: Path) -> bool:
    """`seal` for a file by its name, never through a symlink."""
    try:
        with _opened(path) as handle:
            return seal(handle)
    except OSError:
        return False


def seal(handle: int) -> bool:
    """Set the immutable flag where this process and file system may; tells whether it is set."""
    try:
        _change_flags(handle, set_bits=_IMMUTABLE, clear_bits=0)
    except OSError:
        return False
    return True


def unseal(path: Path) -> None:
    """Clear the immutable flag where it is set. Raises PermissionError."""
    with _opened(path) as handle:
        try:
            _change_flags(handle, set_bits=0, clear_bits=_IMMUTABLE)
        except OSError as error:
            # No flags on this file system: nothing to clear.
            if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL):
                raise


def is_sealed(path: Path) -> bool:
    """Whether a file carries the immutable flag, as far as this process can see."""
    try:
        with _opened(path) as handle:
            return bool(_flags(handle) & _IMMUTABLE)
    except OSError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _change_flags(handle: int, *, set_bits: int, clear_bits: int) -> None:
    flags = _flags(handle)
    wanted = (flags | set_bits) & ~clear_bits
    if wanted != flags:
        fcntl.ioctl(handle, _SET_FLAGS, _WORD.pack(wanted))


def _flags(handle: int) -> int:
    word: tuple[int] = _WORD.unpack(fcntl.ioctl(handle, _GET_FLAGS, _WORD.pack(0)))
    return word[0]


def _open_unnamed(directory: Path) -> int | None:
    if not _UNNAMED or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(directory, os.O_WRONLY | _UNNAMED, 0o444)
    except OSError as error:
        if error.errno in _NO_UNNAMED:
            return None
        raise
