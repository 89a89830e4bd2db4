"""Put one thing at a name: freshly, or in place of another without ever destroying a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from adapters.directory import config, kernel, mapping, parts
from adapters.directory.failures import Findings, shown
from adapters.directory.filling import Blocks, fill
from adapters.directory.metadata import Given, Metadata
from vault.errors import PathUnsafe
from vault.provider import Entry, Kind

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME_MAX: Final = 255
_PRIVATE: Final = 0o600


class Placing:
    """Makes files, links, FIFOs and devices under an open parent."""

    def __init__(self, findings: Findings, metadata: Metadata, *, in_place: bool) -> None:
        self._findings = findings
        self._metadata = metadata
        self._in_place = in_place
        self._count = 0

    def file(
        self,
        parent: int,
        name: bytes,
        entry: Entry,
        blocks: Blocks,
        *,
        given: Callable[[int], Given] | None = None,
    ) -> None:
        """Write a regular file; it has its name only when it is whole, or the target is new.

        `given` tells of the open file what need not be set. A part is claimed until it is renamed.
        """
        claims = ExitStack()

        def make(at: bytes) -> None:
            fd = os.open(at, _CREATE, _PRIVATE, dir_fd=parent)
            try:
                if self._in_place:
                    parts.claim(fd)
                    claims.callback(os.close, os.dup(fd))
                fill(fd, entry, blocks)
                self._metadata.apply(fd, entry, given(fd) if given is not None else None)
            except BaseException:
                os.unlink(at, dir_fd=parent)
                raise
            finally:
                os.close(fd)

        with claims:
            self._place(parent, name, entry, make)

    def node(self, parent: int, name: bytes, entry: Entry) -> None:
        """Make a symlink, FIFO, socket or device."""

        def make(at: bytes) -> None:
            if entry.kind == Kind.SYMLINK:
                os.symlink(entry.target or b"", at, dir_fd=parent)
            else:
                mode = mapping.type_bits(entry.kind) | _PRIVATE
                os.mknod(at, mode, entry.rdev, dir_fd=parent)
            try:
                self._metadata.apply_by_name(parent, at, entry)
            except BaseException:
                os.unlink(at, dir_fd=parent)
                raise

        self._place(parent, name, entry, make)

    def link(self, parent: int, name: bytes, entry: Entry, first: tuple[int, bytes]) -> None:
        """Make a hard link to `first` (open parent, name), which must be of the entry's kind."""
        source, origin = first
        kind = mapping.kind_of(os.stat(origin, dir_fd=source, follow_symlinks=False))
        if kind != entry.kind or kind == Kind.DIRECTORY:
            raise PathUnsafe(
                f"“{shown(entry.path)}” was not restored: it links to another kind of file",
                safe="Nothing outside the target was touched.",
            )

        def make(at: bytes) -> None:
            os.link(origin, at, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

        self._place(parent, name, entry, make)

    def directory(self, parent: int, name: bytes, entry: Entry) -> None:
        """Make a directory, closed to others until its metadata are set; or keep the one there."""
        if self._in_place and self._clear(parent, name, entry):
            return
        os.mkdir(name, 0o700, dir_fd=parent)

    def _place(self, parent: int, name: bytes, entry: Entry, make: Callable[[bytes], None]) -> None:
        if not self._in_place:
            make(name)
            return
        part = self._free(parent, lambda number: config.PART % (os.getpid(), number))
        make(part)
        try:
            self._clear(parent, name, entry)
            os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            os.unlink(part, dir_fd=parent)
            raise
        if entry.link is not None and kernel.exists(parent, part):
            # Renaming one name of an inode onto another does nothing.
            os.unlink(part, dir_fd=parent)

    def _clear(self, parent: int, name: bytes, entry: Entry) -> bool:
        """Move aside what is of another kind; tell whether something of this kind stays."""
        try:
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if mapping.kind_of(info) == entry.kind:
            return True

        def beside(number: int) -> bytes:
            suffix = config.DISPLACED % number
            return name[: _NAME_MAX - len(suffix)] + suffix

        free = self._free(parent, beside)
        kernel.rename_new(parent, name, parent, free)
        self._findings.report("displaced", entry.path, f"what stood there is now “{shown(free)}”")
        return False

    def _free(self, parent: int, named: Callable[[int], bytes]) -> bytes:
        while True:
            self._count += 1
            name = named(self._count)
            if not kernel.exists(parent, name):
                return name
