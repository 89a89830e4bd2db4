"""Looks through a target in step with the entries: what differs, and what no entry tells of."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from adapters.directory import comparison, config, listing, parts
from adapters.directory.failures import Findings
from adapters.directory.trail import Journey
from vault import limits
from vault.provider import Entry, Kind, LostFolder


class _Level(msgspec.Struct):
    """The names of an open directory that no entry has met yet."""

    names: Iterator[bytes]
    next: bytes | None


class Survey(Journey):
    """Two sorted streams, the target's names and the entries: memory does not grow with either."""

    def __init__(self, root: int, findings: Findings) -> None:
        """Take over the open directory `root`. Raises OSError."""
        super().__init__(root)
        self._findings = findings
        self._levels: list[_Level] = []
        self._left: list[bytes] = []
        self.entered(os.fstat(root))

    def differs(self, entry: Entry) -> bool:
        """Whether the target holds something else at this path. Raises OSError (ENOENT too)."""
        lost = isinstance(entry, LostFolder)  # which nothing can be compared with
        if not entry.path:
            self.rise()
            return lost or comparison.differs(self.root, b".", entry)
        name = self.go(entry.path)
        self._meet(name)
        if lost:
            self.enter(name)
            return True
        result = comparison.differs(self.fd, name, entry)
        if entry.kind == Kind.DIRECTORY:
            self.enter(name)
        return result

    def finish(self) -> None:
        """Report what is left at the ends of all open directories; clear what are parts."""
        self.rise()
        self.leaving()
        for path in self._left:
            if not parts.clear(self.root, path):
                self._report(path)

    def entered(self, info: os.stat_result) -> None:
        """See Journey."""
        names = listing.sorted_names(self.fd)
        self._levels.append(_Level(names, next(names, None)))

    def leaving(self) -> None:
        """See Journey."""
        level = self._levels.pop()
        while level.next is not None:
            self._extra(level.next)
            level.next = next(level.names, None)

    def _meet(self, name: bytes) -> None:
        level = self._levels[-1]
        while level.next is not None and level.next <= name:
            if level.next != name:
                self._extra(level.next)
            level.next = next(level.names, None)

    def _extra(self, name: bytes) -> None:
        path = self.here + b"/" + name if self.here else name
        if parts.is_part(name) and len(self._left) < limits.FINDINGS_MAX:
            self._left.append(path)
        elif path != config.TRASH:
            self._report(path)

    def _report(self, path: bytes) -> None:
        self._findings.report("extra", path, "not in the snapshot; left as it is")
