"""Calls of Linux that Python lacks: renameat2, syncfs, statx; each with what stands in for it."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from typing import Final

import msgspec

_RENAME_NOREPLACE: Final = 1
_AT_EMPTY_PATH: Final = 0x1000
_SYNC_FILE_RANGE_WRITE: Final = 2
_STATX_BTIME: Final = 0x800
_STATX_ATTR_MOUNT_ROOT: Final = 0x2000
_STATX_BYTES: Final = 256

O_PATH: Final[int] = getattr(os, "O_PATH", 0)
O_NOATIME: Final[int] = getattr(os, "O_NOATIME", 0)


class Extra(msgspec.Struct, frozen=True):
    """What statx tells beyond stat; None where the system does not say. `born_ns` is birth time."""

    born_ns: int | None
    mount_root: bool | None


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _last_error(name: bytes) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), os.fsdecode(name))


def rename_new(source: int, old: bytes, target: int, new: bytes) -> None:
    """Rename between two open directories, never onto something. Raises OSError (EEXIST)."""
    call = getattr(_libc(), "renameat2", None)
    if call is not None:
        if call(source, old, target, new, _RENAME_NOREPLACE) == 0:
            return
        error = _last_error(new)
        if error.errno not in {errno.ENOSYS, errno.EINVAL}:
            raise error
    # A file system without the flag: look first. Not atomic against someone who creates `new`.
    if exists(target, new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fsdecode(new))
    os.rename(old, new, src_dir_fd=source, dst_dir_fd=target)


def exists(parent: int, name: bytes) -> bool:
    """Whether a directory holds this name, whatever it is."""
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def sync_file_system(fd: int) -> None:
    """Make all that was written to this file's file system durable. Raises OSError."""
    call = getattr(_libc(), "syncfs", None)
    if call is None:
        os.sync()
    elif call(fd) != 0:
        raise _last_error(b"")


def begin_writing(fd: int, offset: int, length: int) -> None:
    """Let the disk begin with what was written there, without waiting; nothing relies on it."""
    call = getattr(_libc(), "sync_file_range", None)
    if call is not None:
        call(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


def look(fd: int) -> Extra:
    """Ask statx about an open file."""
    call = getattr(_libc(), "statx", None)
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    if call is None or call(fd, b"", _AT_EMPTY_PATH, _STATX_BTIME, buffer) != 0:
        return Extra(None, None)
    (mask,) = struct.unpack_from("=I", buffer, 0)
    (attributes,) = struct.unpack_from("=Q", buffer, 8)
    (known,) = struct.unpack_from("=Q", buffer, 56)
    seconds, nanos = struct.unpack_from("=qI", buffer, 80)
    return Extra(
        seconds * 10**9 + nanos if mask & _STATX_BTIME else None,
        bool(attributes & _STATX_ATTR_MOUNT_ROOT) if known & _STATX_ATTR_MOUNT_ROOT else None,
    )


def is_mount(fd: int, path: bytes) -> bool:
    """Whether an open directory, at this resolved path, is the root of a mount."""
    known = look(fd).mount_root
    return os.path.ismount(path) if known is None else known
