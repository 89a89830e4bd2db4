"""Where a restoration writes: the open directories of its target, each settled when it is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import msgspec

from adapters.directory.metadata import Metadata
from adapters.directory.trail import Journey
from vault.provider import Entry

_OWN: Final = 0o700  # what the owner needs to write below; ACLs and read-only folders lack it


class _Level(msgspec.Struct):
    """An open directory: what it was like, the entry that describes it, whether it changed."""

    before: os.stat_result
    entry: Entry | None = None
    touched: bool = False


class Standing(Journey):
    """Entries come depth first, so a directory that is left is never written to again: its mode
    and times are set then, and however many there are, only those above are remembered.
    """

    def __init__(self, root: int, metadata: Metadata, defer: Callable[[Entry], bool]) -> None:
        """Take over the open directory `root`. Raises OSError.

        `defer` is asked when a directory is left, and tells whether it will settle it later.
        """
        super().__init__(root)
        self._defer = defer
        self._metadata = metadata
        self._levels = [_Level(os.fstat(root))]

    def touch(self) -> None:
        """Something is about to be written here: make sure that it may. Raises OSError."""
        level = self._levels[-1]
        mode = level.before.st_mode & 0o7777
        if not level.touched and mode & _OWN != _OWN:
            os.chmod(self.fd, mode | _OWN)
        level.touched = True

    def describe(self, entry: Entry) -> None:
        """Here stands this entry: to be applied when it is left."""
        self._levels[-1].entry = entry

    def close_to_others(self) -> None:
        """Let nobody but the owner in here, whatever mask and parent had it be. Raises OSError."""
        os.chmod(self.fd, _OWN)
        self._levels[-1].before = os.fstat(self.fd)

    def finish(self) -> None:
        """Settle all that is open, the root last. Raises OSError."""
        self.rise()
        self._settle(self._levels[0])

    def entered(self, info: os.stat_result) -> None:
        """See Journey."""
        self._levels.append(_Level(info))

    def leaving(self) -> None:
        """See Journey."""
        level = self._levels.pop()
        if level.entry is None or not self._defer(level.entry):
            self._settle(level)

    def _settle(self, level: _Level) -> None:
        if level.entry is not None:
            self._metadata.apply(self.fd, level.entry)
        elif level.touched:  # it was as it should be, and its time has to stay so
            mode = level.before.st_mode & 0o7777
            if mode & _OWN != _OWN:
                os.chmod(self.fd, mode)
            os.utime(self.fd, ns=(level.before.st_atime_ns, level.before.st_mtime_ns))
