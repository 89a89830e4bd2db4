"""Owner, attributes, mode and times of what is being restored; what is refused is counted."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from adapters.directory import attributes
from adapters.directory.failures import Findings, ends_restore, reason, shown
from adapters.directory.kernel import O_PATH
from vault.provider import Entry, Kind, order_key

_SYMLINK: Final = Kind.SYMLINK.value
_DIRECTORY: Final = Kind.DIRECTORY.value
_SET_ID: Final = 0o6000
_REFUSED: Final = {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.EOVERFLOW}

Target = int | bytes
Refusals = dict[str, tuple[int, bytes]]
"""What was refused: how often, and the first path."""


class Given(NamedTuple):
    """What every new file of one directory has by itself: its owner; `bare`: no attributes."""

    uid: int
    gid: int
    bare: bool


def given_to(fd: int) -> Given:
    """What an open file has that was made a moment ago. Raises OSError."""
    info = os.fstat(fd)
    return Given(info.st_uid, info.st_gid, not attributes.inherited(fd))


class Metadata:
    """Applies an entry's metadata to an open file, or to what a /proc path leads to."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._refused: Refusals = {}

    def apply(self, target: Target, entry: Entry, given: Given | None = None) -> None:
        """Owner first (it clears set-id bits and capabilities), then attributes (a read-only mode
        would forbid them), mode and times. Raises OSError where nothing could be set any more.

        What is `given` already is not set anew.
        """
        owned = given is not None and given[:2] == (entry.uid, entry.gid)
        owned = owned or self._own(target, entry)
        if entry.xattrs or given is None or not given.bare:
            attributes.write(target, entry.xattrs, lambda n, e: self._refuse_attribute(entry, n, e))
        if entry.kind != _SYMLINK:
            mode = entry.mode & 0o7777
            if not owned and entry.kind != _DIRECTORY and mode & _SET_ID:
                mode &= ~_SET_ID  # another owner's program must not become ours
                self._count("set-id bits of files whose owner could not be set", entry.path)
            os.chmod(target, mode)
        os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))

    def apply_by_name(self, parent: int, name: bytes, entry: Entry) -> None:
        """The same for what cannot be opened to write: symlinks, FIFOs, sockets, devices."""
        if O_PATH:
            with held(parent, name) as target:
                self.apply(target, entry)
            return
        # Where inodes cannot be held (macOS), only what follows no link by its own means is set.
        self._count("mode and attributes of what is no file or folder", entry.path)
        with contextlib.suppress(PermissionError):
            os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)

    def refuse(self, entry: Entry, what: str, error: OSError) -> None:
        """Count something that this process or file system cannot restore."""
        self._count(f"{what}: {reason(error)}", entry.path)

    def close(self) -> None:
        """Report what was refused, one finding for each reason."""
        for what, (count, first) in self._refused.items():
            more = f" (and {count - 1} more)" if count > 1 else ""
            self._findings.report("not-restored", first, what + more)
        self._refused.clear()

    def drain(self) -> Refusals:
        """Hand over what was refused so far; it is no longer reported here."""
        refused, self._refused = self._refused, {}
        return refused

    def add(self, refused: Refusals) -> None:
        """Take over what was refused elsewhere in the same restore."""
        for what, (more, path) in refused.items():
            count, first = self._refused.get(what, (0, path))
            self._refused[what] = (count + more, min(first, path, key=order_key))

    def _own(self, target: Target, entry: Entry) -> bool:
        try:
            os.chown(target, entry.uid, entry.gid)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            self.refuse(entry, "owner", error)
            return False
        return True

    def _refuse_attribute(self, entry: Entry, name: bytes, error: OSError) -> None:
        # ENOSPC stands here for an attribute too large for the file system.
        if error.errno != errno.ENOSPC and ends_restore(error):
            raise error
        self.refuse(entry, f"attribute {shown(name)}", error)

    def _count(self, what: str, path: bytes) -> None:
        count, first = self._refused.get(what, (0, path))
        self._refused[what] = (count + 1, first)


@contextmanager
def held(parent: int, name: bytes) -> Iterator[bytes]:
    """Hold on to a name's inode, whatever it is, and give a path that leads to nothing else."""
    fd = os.open(name, O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield b"/proc/self/fd/%d" % fd
    finally:
        os.close(fd)
