"""The names of one directory in byte order, however many there are."""

from __future__ import annotations

import heapq
import os
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

from adapters.directory.failures import spilling
from vault import limits

_BLOCK: Final = 64 * limits.KIB
_ENCODING: Final = sys.getfilesystemencoding()
_ERRORS: Final = sys.getfilesystemencodeerrors()


def sorted_names(fd: int) -> Iterator[bytes]:
    """List an open directory now, and give its names in byte order.

    Up to `limits.NAMES_IN_MEMORY` are sorted in memory, more in files. Raises OSError, and
    SourceError where there is no room for these.
    """
    with os.scandir(fd) as found:
        batch = _next(found)
        if len(batch) < limits.NAMES_IN_MEMORY:
            return iter(batch)
        runs = []
        while batch:
            with spilling():
                runs.append(_spill(batch))
            batch = _next(found)
    return heapq.merge(*(_read(run) for run in runs))


def _next(found: Iterator[os.DirEntry[str]]) -> list[bytes]:
    """The names that come next, sorted; encoded in one go, since that takes half the time."""
    names = "\0".join([item.name for item in islice(found, limits.NAMES_IN_MEMORY)])
    return sorted(names.encode(_ENCODING, _ERRORS).split(b"\0")) if names else []


def _spill(names: list[bytes]) -> IO[bytes]:
    run = tempfile.TemporaryFile(prefix="vault-names-")  # noqa: SIM115 (its reader closes it)
    run.write(b"\0".join(names))
    run.seek(0)
    return run


def _read(run: IO[bytes]) -> Iterator[bytes]:
    with run:
        rest = b""
        while block := run.read(_BLOCK):
            *whole, rest = (rest + block).split(b"\0")
            yield from whole
        yield rest
