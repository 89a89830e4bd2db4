"""One process of a role at a time on one home, by a lock that ends with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vault.errors import AlreadyRunning
from vault.settings import usable


@contextmanager
def only_instance(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, or raise AlreadyRunning where another process holds it."""
    with usable(path.parent):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            raise AlreadyRunning(
                f"A {path.stem} works on {path.parent} already (process {holder or 'unknown'})",
                safe="Nothing was started.",
                hint="Stop that one first, or leave the work to it.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
