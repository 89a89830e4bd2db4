"""The directory store's files: walking them in key order, comparing, naming what went wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vault.errors import StoreDenied, StoreError, StoreFull, StoreUnreachable
from vault.room import NO_ROOM

_DENIED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO)


def walk(root: Path, prefix: str) -> Iterator[tuple[str, int, Path]]:
    """(key, version number, path) of every file under a prefix: keys in byte order, newest first.

    Holds one directory's names a level in memory.
    """
    yield from _walk(root, "", prefix)


def _walk(folder: Path, above: str, prefix: str) -> Iterator[tuple[str, int, Path]]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, _, number = entry.name.partition("~")
                if entry.is_dir(follow_symlinks=False):
                    found.append((above + entry.name + "/", 0, entry.name))
                elif stem == entry.name or number.isdecimal():
                    found.append((above + stem, -int(number or 0), entry.name))
    except FileNotFoundError:
        return
    # A folder sorts with its slash, so that `a-b` stands before `a/b` as in any store.
    for key, order, name in sorted(found):
        if key.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from _walk(folder / name, key, prefix)
        elif key.startswith(prefix):
            yield key, -order, folder / name


def compare(path: Path, data: bytes | bytearray) -> bool:
    """Whether a file holds exactly these bytes."""
    return path.stat().st_size == len(data) and path.read_bytes() == data


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn the system's errors into the store's."""
    try:
        yield
    except OSError as error:
        raise _named(error, address) from error


def _named(error: OSError, address: str) -> StoreError:
    what = f"{address}: {error.strerror} ({error.filename or 'no file'})"
    if error.errno in NO_ROOM:
        return StoreFull(
            what,
            safe="Nothing half-written stays; what was stored before is untouched.",
            hint="Make room on the store's file system, then run the same again.",
        )
    if error.errno in _DENIED:
        return StoreDenied(
            what,
            safe="Nothing was changed.",
            hint="Give the user that runs vault the right to write there, or mount it read-write.",
        )
    if error.errno in _GONE:
        return StoreUnreachable(
            what,
            safe="What was acknowledged before is untouched.",
            hint="Look whether the store's disk is mounted and healthy.",
        )
    return StoreError(what)
