"""A chain of open directories from a root downwards, of any depth, by descriptors alone."""

from __future__ import annotations

import os

import msgspec

from adapters.directory.identity import OPEN_DIRECTORY
from vault import limits
from vault.errors import SourceError


class _Step(msgspec.Struct):
    fd: int
    device: int
    inode: int


class Trail:
    """Where a walk stands: `fd` is its deepest directory, `depth` counts from 0, the root.

    Only the root and the deepest few stay open; on the way back a closed one is found again by
    `..` and recognised by its inode, so that depth needs neither descriptors nor long paths.
    """

    def __init__(self, root: int) -> None:
        """Take over the open directory `root`."""
        info = os.fstat(root)
        self._steps = [_Step(root, info.st_dev, info.st_ino)]
        self.fd = root

    @property
    def depth(self) -> int:
        """How many directories below the root."""
        return len(self._steps) - 1

    def enter(self, name: bytes) -> os.stat_result:
        """Go into a child, never through a symlink. Raises OSError and stays where it is."""
        fd = os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
        info = os.fstat(fd)
        self._steps.append(_Step(fd, info.st_dev, info.st_ino))
        self.fd = fd
        far = len(self._steps) - limits.OPEN_DIRECTORIES
        if far > 0 and self._steps[far].fd >= 0:
            os.close(self._steps[far].fd)
            self._steps[far].fd = -1
        return info

    def leave(self) -> None:
        """Go back to the parent. Raises SourceError where it was moved away meanwhile."""
        child = self._steps.pop()
        parent = self._steps[-1]
        try:
            if parent.fd < 0:
                parent.fd = _parent_of(child.fd, parent)
        finally:
            os.close(child.fd)
        self.fd = parent.fd

    def close(self) -> None:
        """Close all that is open."""
        for step in self._steps:
            if step.fd >= 0:
                os.close(step.fd)
        self._steps.clear()
        self.fd = -1


def open_below(root: int, path: bytes) -> int:
    """Open the directory at a path below `root`, component by component, following no symlink."""
    fd = os.dup(root)
    for name in path.split(b"/") if path else ():
        try:
            child = os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = child
    return fd


def _parent_of(child: int, expected: _Step) -> int:
    fd = os.open(b"..", OPEN_DIRECTORY, dir_fd=child)
    info = os.fstat(fd)
    if (info.st_dev, info.st_ino) != (expected.device, expected.inode):
        os.close(fd)
        raise SourceError(
            "A folder was moved elsewhere while the work was inside it",
            safe="Nothing outside was touched.",
            hint="Run it again when the tree is quiet.",
        )
    return fd


class Journey:
    """A Trail that knows its path and goes from place to place; hooks see each step."""

    def __init__(self, root: int) -> None:
        """Take over the open directory `root`. Raises OSError."""
        self.root = root
        self._trail = Trail(root)
        self._parts: list[bytes] = []
        self._here = b""

    @property
    def fd(self) -> int:
        """The directory that it is in."""
        return self._trail.fd

    @property
    def here(self) -> bytes:
        """The path of the directory that it is in."""
        return self._here

    def go(self, path: bytes) -> bytes:
        """Go to the parent of a path; gives the name there. Raises OSError and stays on the way."""
        parent, _, name = path.rpartition(b"/")
        if parent != self._here:
            parts = parent.split(b"/") if parent else []
            same = 0
            for one, other in zip(parts, self._parts, strict=False):
                if one != other:
                    break
                same += 1
            while len(self._parts) > same:
                self._leave()
            for part in parts[same:]:
                self.enter(part)
        return name

    def enter(self, name: bytes) -> None:
        """Go into a child. Raises OSError and stays."""
        info = self._trail.enter(name)
        self._parts.append(name)
        self._here = self._here + b"/" + name if self._here else name
        self.entered(info)

    def rise(self) -> None:
        """Go back to the root."""
        while self._parts:
            self._leave()

    def close(self) -> None:
        """Close all that is open."""
        self._trail.close()

    def _leave(self) -> None:
        self.leaving()
        self._parts.pop()
        self._here = self._here.rpartition(b"/")[0]
        self._trail.leave()

    def entered(self, info: os.stat_result) -> None:
        """Hook: it is in another directory, and this is its fstat."""

    def leaving(self) -> None:
        """Hook: it is about to go back to the parent."""
