"""What a restore has written goes to the disk while more is written: little is left to wait for.

Nothing relies on it but time: what makes a restore durable is the sync at its end.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from adapters.directory import kernel
from vault.limits import MIB

_STRETCH: Final = 256 * MIB  # bytes after which the disk is told to go on


class Syncing:
    """Syncs the file system of one directory, now and then in a thread, and at the end."""

    def __init__(self, root: int) -> None:
        """`root` stays open until `finish` or `close`."""
        self._root = root
        self._written = 0
        self._thread: ThreadPoolExecutor | None = None
        self._round: Future[None] | None = None

    def wrote(self, size: int) -> None:
        """So much more is on its way to the disk. Raises what an earlier round met: OSError."""
        self._written += size
        if self._written < _STRETCH:
            return
        if self._round is not None:
            if not self._round.done():
                return
            self._round.result()  # the kernel tells of a failed write once, so it must not be lost
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "vault-sync")
        self._written = 0
        self._round = self._thread.submit(kernel.sync_file_system, self._root)

    def finish(self) -> None:
        """Make all durable. Raises OSError, also where an earlier round met it."""
        try:
            if self._round is not None:
                self._round.result()
        finally:
            self.close()
        kernel.sync_file_system(self._root)

    def close(self) -> None:
        """Wait for what is under way."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
