"""A walk over a directory tree, by descriptors alone, in path order, on one file system."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from adapters.directory import attributes, config, identity, kernel, listing, mapping, mounts
from adapters.directory.content import (
    FileContent,
    Opened,
    data_segments,
    open_quietly,
    read_still,
)
from adapters.directory.failures import (
    GONE,
    NOT_A_DIRECTORY,
    Findings,
    as_failure,
    is_systemic,
    reason,
    shown,
)
from adapters.directory.links import LinkMap
from adapters.directory.trail import Trail, open_below
from vault import limits
from vault.clock import Clock
from vault.provider import Content, Entry, Finding, Kind

_DIRECTORY: Final = Kind.DIRECTORY.value
_FILE: Final = Kind.FILE.value
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK_NS: Final = limits.TIMESTAMP_TICK // timedelta(microseconds=1) * 1000


class DirectoryCapture:
    """See vault.provider.Capture. `entries` is walked once; `open` and `complete` go with it."""

    def __init__(self, location: str, clock: Clock) -> None:
        """Raises SourceVanished, SourceDenied."""
        self._clock = clock
        self._log = Findings()
        self.findings: list[Finding] = self._log.items
        self._links = LinkMap()
        self._aside: tuple[bytes, int] | None = None
        self._root = -1
        self._root, real = identity.open_volume(location)
        self.identity = identity.identity_at(self._root, real)
        self.started_ns = self._now()
        self._device = os.fstat(self._root).st_dev
        self._mounted = {path[len(real.rstrip(b"/")) + 1 :] for path in mounts.mounted_below(real)}
        self._trash = config.TRASH if kernel.is_mount(self._root, real) else None
        # The directory whose names are being given out; `_aside` is the one opened besides it.
        self._here = (b"", self._root)
        self._skipped: bytes | None = None
        self._last: Entry | None = None  # given out last
        self._bare: bytes | None = None  # the path of which an attribute was refused last

    def __del__(self) -> None:
        """Let go of the volume: a capture has no other end than its last use."""
        self._put_aside(None)
        self._links.close()
        if self._root >= 0:
            os.close(self._root)

    def entries(self) -> Iterator[Entry]:
        """See Capture. Raises SourceError where the process or its disk is at its end."""
        # A mapped page that waits for the disk is written to without a new ctime; one that has been
        # there is not. So whatever changes from here on can be told by its ctime.
        with contextlib.suppress(OSError):
            kernel.sync_file_system(self._root)
        trail = Trail(os.dup(self._root))
        try:
            yield mapping.entry_of(b"", os.fstat(self._root))
            if self._skipped is None:
                yield from self._walk(trail)
        finally:
            self._here = (b"", self._root)
            trail.close()
        self._log.close()

    def _walk(self, trail: Trail) -> Iterator[Entry]:
        levels = [(b"", self._names(b"", trail.fd))]
        while True:
            folder, names = levels[-1]
            self._here = (folder, trail.fd)
            for entry in self._look(folder, trail.fd, names):
                yield entry
                if entry.kind == _DIRECTORY and self._enter(trail, entry.path):
                    levels.append((entry.path, self._names(entry.path, trail.fd)))
                    break
            else:
                levels.pop()
                if not levels:
                    return
                trail.leave()

    def _look(self, folder: bytes, fd: int, names: Iterator[bytes]) -> Iterator[Entry]:
        """The entries of one directory, from lstat."""
        prefix = folder + b"/" if folder else b""
        for name in names:
            path = prefix + name
            try:
                info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                self._lost(path, error)
                continue
            entry = mapping.entry_of(path, info)
            if path == self._trash and entry.kind == _DIRECTORY:
                continue
            if self._mounted and path in self._mounted and entry.kind != _DIRECTORY:
                self._log.report("not-captured", path, "a file of another place is mounted here")
                continue
            if entry.nlink > 1:
                link = self._first_name(entry)
                if link is not None:
                    entry = msgspec.structs.replace(entry, link=link)
            self._last = entry
            yield entry

    def _first_name(self, entry: Entry) -> bytes | None:
        """Under which name this inode was met before; None for one that is met first.

        What changed since the walk began may be a new inode with the number of one that is gone.
        """
        inode = (entry.device, entry.inode)
        first = self._links.first(inode, entry.path)
        if first is None or entry.ctime_ns <= self.started_ns - _TICK_NS:
            return first
        try:
            parent, name = self._spot(first)
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError:
            info = None
        if info is not None and (info.st_dev, info.st_ino) == inode:
            return first
        self._links.forget(inode)
        return self._links.first(inode, entry.path)

    def _enter(self, trail: Trail, path: bytes) -> bool:
        if path == self._skipped:
            return False
        try:
            mounted = path in self._mounted
            if not mounted:
                info = trail.enter(path.rpartition(b"/")[2])
                if info.st_dev == self._device:
                    return True
                trail.leave()
        except OSError as error:
            self._lost(path, error)
            return False
        self._log.report("not-captured", path, "another file system is mounted here")
        return False

    def _names(self, path: bytes, fd: int) -> Iterator[bytes]:
        try:
            return listing.sorted_names(fd)
        except OSError as error:
            self._lost(path, error)
            return iter(())

    def complete(self, entry: Entry) -> Entry | None:
        """See Capture."""
        try:
            parent, name = self._spot(entry.path)
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if mapping.kind_of(info) != entry.kind:
                self._log.report("type-changed", entry.path, "became another kind of file")
                self._skip(entry)
                return None
            target = None
            if stat.S_ISLNK(info.st_mode):
                target = os.readlink(name, dir_fd=parent)
            found = attributes.read(
                b"/proc/self/fd/%d/%s" % (parent, name), self._refusal(entry.path)
            )
        except OSError as error:
            self._lost(entry.path, error)
            self._skip(entry)
            return None
        fresh = mapping.entry_of(entry.path, info)
        if entry.kind == _FILE:  # a later name: its content stands under the first
            same = _is_same(entry, fresh)
            return self._told(msgspec.structs.replace(entry, xattrs=found)) if same else entry
        link = self._link_of(entry, fresh)
        return self._told(msgspec.structs.replace(fresh, link=link, target=target, xattrs=found))

    def _told(self, entry: Entry) -> Entry:
        """Where an attribute was refused, an entry like none to come: it is looked at again."""
        return msgspec.structs.replace(entry, ctime_ns=0) if entry.path == self._bare else entry

    def _skip(self, entry: Entry) -> None:
        if entry.kind == _DIRECTORY:  # without its entry, nothing below may follow
            self._skipped = entry.path
        self._links.forget((entry.device, entry.inode))

    def open(self, entry: Entry) -> AbstractContextManager[Content | None]:
        """See Capture."""
        last, self._last = self._last, None
        if (
            entry is last  # what lstat saw was a file: opening anything else may have effects
            and entry.size <= limits.READ_BLOCK
            and entry.ctime_ns <= self.started_ns - _TICK_NS
        ):
            still = read_still(entry, *self._spot(entry.path), self._refusal(entry.path))
            if still is not None:
                still.entry = self._told(still.entry)
                return still
        try:
            content = self._open(entry)
        except OSError as error:
            self._lost(entry.path, error)
            content = None
        if content is None:
            if entry.nlink > 1:
                self._links.forget((entry.device, entry.inode))
            return contextlib.nullcontext()
        return content

    def _open(self, entry: Entry) -> FileContent | None:
        parent, name = self._spot(entry.path)
        # Opening a FIFO or a device has effects; a regular file may have become one since lstat.
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISREG(info.st_mode):
            fd = open_quietly(name, parent)
            try:
                content = self._content(Opened(fd, os.fstat(fd), parent, name), entry)
            except BaseException:
                os.close(fd)
                raise
            if content is not None:
                return content
            os.close(fd)
        self._log.report("type-changed", entry.path, "became another kind of file")
        return None

    def _content(self, opened: Opened, entry: Entry) -> FileContent | None:
        if opened.info.st_ctime_ns > self.started_ns - _TICK_NS:
            opened = self._wait_out_tick(opened)
        info = opened.info
        if not stat.S_ISREG(info.st_mode):
            return None
        segments = data_segments(opened.fd, info)
        found = attributes.read(opened.fd, self._refusal(entry.path))
        fresh = mapping.entry_of(entry.path, info)
        if found or segments is not None:
            fresh = msgspec.structs.replace(fresh, xattrs=found, segments=segments)
        self._link_of(entry, fresh)
        fresh = self._told(fresh)
        return FileContent(opened, fresh, lambda error: self._lost(entry.path, error))

    def _wait_out_tick(self, opened: Opened) -> Opened:
        """Let a change of this very moment age, so that the next one has another ctime."""
        age = self._now() - opened.info.st_ctime_ns
        if 0 <= age < _TICK_NS:
            self._clock.sleep((_TICK_NS - age) / 1e9)
        return opened._replace(info=os.fstat(opened.fd))

    def _link_of(self, scanned: Entry, fresh: Entry) -> bytes | None:
        """The link of an entry looked at again: another inode is nobody's later name."""
        if _is_same(scanned, fresh):
            return scanned.link
        if scanned.nlink > 1 and scanned.link is None:
            self._links.forget((scanned.device, scanned.inode))
        return None

    def _spot(self, path: bytes) -> tuple[int, bytes]:
        """The open parent of a path, and the name in it. Raises OSError."""
        parent, _, name = path.rpartition(b"/")
        if not name:
            return self._root, b"."
        if parent == self._here[0]:
            return self._here[1], name
        if self._aside is None or self._aside[0] != parent:
            self._put_aside((parent, open_below(self._root, parent)))
        return (self._aside or self._here)[1], name

    def _put_aside(self, opened: tuple[bytes, int] | None) -> None:
        if self._aside is not None:
            os.close(self._aside[1])
        self._aside = opened

    def _lost(self, path: bytes, error: OSError) -> None:
        if is_systemic(error):
            raise as_failure(error, f"read “{shown(path)}”") from error
        what = "vanished" if error.errno in GONE else "unreadable"
        if error.errno in NOT_A_DIRECTORY:
            what = "type-changed"
        self._log.report(what, path, reason(error))

    def _refusal(self, path: bytes) -> attributes.Refused:
        def refused(name: bytes, error: OSError) -> None:
            self._bare = path
            which = shown(name) or "attributes"
            self._log.report("unreadable", path, f"{which}: {reason(error)}")

        return refused

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // timedelta(microseconds=1) * 1000


def _is_same(one: Entry, other: Entry) -> bool:
    return (one.device, one.inode) == (other.device, other.inode)
