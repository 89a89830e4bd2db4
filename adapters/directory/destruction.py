"""Destroys a tree below an open directory: follows no symlink, crosses no mount, goes any depth."""

from __future__ import annotations

import os
from itertools import count, islice
from typing import Final

from adapters.directory import config
from adapters.directory.failures import shown
from adapters.directory.identity import OPEN_DIRECTORY
from adapters.directory.kernel import rename_new
from adapters.directory.metadata import held
from vault import limits
from vault.errors import SourceDenied

_BATCH: Final = 10_000


def destroy(parent: int, name: bytes) -> None:
    """Delete everything below the directory `name`; it stays, empty. Taken up again after a crash.

    Raises OSError, SourceDenied (another file system is mounted below).
    """
    _Destruction(parent, name).run()


class _Destruction:
    def __init__(self, parent: int, name: bytes) -> None:
        self._root = _open(parent, name)
        self._device = os.fstat(self._root).st_dev
        self._numbers = count()

    def run(self) -> None:
        try:
            self._empty(self._root, 0)
        finally:
            os.close(self._root)

    def _empty(self, fd: int, depth: int) -> None:
        while True:
            with os.scandir(fd) as found:
                batch = list(islice(found, _BATCH))
                folders = [(os.fsencode(i.name), i.is_dir(follow_symlinks=False)) for i in batch]
            if not folders:
                return
            for name, is_folder in folders:
                if not is_folder:
                    os.unlink(name, dir_fd=fd)
                elif depth < limits.OPEN_DIRECTORIES:
                    self._descend(fd, name, depth)
                else:
                    self._lift(fd, name)

    def _descend(self, fd: int, name: bytes, depth: int) -> None:
        child = _open(fd, name)
        try:
            if os.fstat(child).st_dev != self._device:
                raise SourceDenied(
                    f"Another file system is mounted on “{shown(name)}” in quarantine",
                    safe="Nothing on it was touched.",
                    hint="Unmount it, then purge again.",
                )
            self._empty(child, depth + 1)
        finally:
            os.close(child)
        os.rmdir(name, dir_fd=fd)

    def _lift(self, fd: int, name: bytes) -> None:
        """Move a directory that is too deep up to the root, whose turn comes again."""
        while True:
            try:
                rename_new(fd, name, self._root, config.DEEP % next(self._numbers))
            except FileExistsError:
                continue
            return


def _open(parent: int, name: bytes) -> int:
    if os.geteuid() != 0:  # the owner may lack the right to empty a directory, but may take it
        with held(parent, name) as path:
            if os.stat(path).st_uid == os.geteuid():
                os.chmod(path, 0o700)
    return os.open(name, OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
