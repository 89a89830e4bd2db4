"""Which path was the first of an inode with several names; bounded in memory."""

from __future__ import annotations

import mmap
import struct
import tempfile
from typing import Final

from adapters.directory.failures import spilling
from vault import limits

_SLOT: Final = struct.Struct("=QQQ")  # device, inode, place of the path + 1
_LENGTH: Final = struct.Struct("=I")
_FORGOTTEN: Final = 2**64 - 1

Inode = tuple[int, int]


class LinkMap:
    """Remembers first paths: in a dictionary, beyond `limits.LINKS_IN_MEMORY` in a file."""

    def __init__(self) -> None:
        self._memory: dict[Inode, bytes] = {}
        self._table: _Table | None = None

    def first(self, inode: Inode, path: bytes) -> bytes | None:
        """The path seen first for this (device, inode); None where that is this one.

        Raises SourceError where there is no room for what it remembers.
        """
        if self._table is not None:
            with spilling():
                return self._table.first(inode, path)
        known = self._memory.setdefault(inode, path)
        if len(self._memory) > limits.LINKS_IN_MEMORY:
            with spilling():
                self._spill()
        return None if known == path else known

    def forget(self, inode: Inode) -> None:
        """The first path could not be captured: the next one shall take its place."""
        if self._table is not None:
            self._table.forget(inode)
        else:
            self._memory.pop(inode, None)

    def close(self) -> None:
        """Let go of memory and file."""
        self._memory = {}
        if self._table is not None:
            self._table.close()
            self._table = None

    def _spill(self) -> None:
        self._table = _Table(4 * limits.LINKS_IN_MEMORY)
        for inode, path in self._memory.items():
            self._table.first(inode, path)
        self._memory = {}


class _Table:
    """A hash table with open addressing in a mapped file; paths stand in a second file."""

    def __init__(self, slots: int) -> None:
        self._slots, self._used = slots, 0
        self._map = _mapped(slots)
        self._paths = tempfile.TemporaryFile(prefix="vault-links-")  # noqa: SIM115 (see close)
        self._end = 0

    def first(self, inode: Inode, path: bytes) -> bytes | None:
        at, place = self._find(inode)
        if place not in {0, _FORGOTTEN}:
            known = self._path(place - 1)
            return None if known == path else known
        self._paths.seek(self._end)
        self._paths.write(_LENGTH.pack(len(path)) + path)
        _SLOT.pack_into(self._map, at * _SLOT.size, *inode, self._end + 1)
        self._end += _LENGTH.size + len(path)
        self._used += place == 0
        if 2 * self._used > self._slots:
            self._grow()
        return None

    def forget(self, inode: Inode) -> None:
        at, place = self._find(inode)
        if place:
            _SLOT.pack_into(self._map, at * _SLOT.size, *inode, _FORGOTTEN)

    def close(self) -> None:
        self._map.close()
        self._paths.close()

    def _find(self, inode: Inode) -> tuple[int, int]:
        """The slot of an inode, or the free one where it belongs, and what it says."""
        at = hash(inode) % self._slots
        while True:
            device, number, place = _SLOT.unpack_from(self._map, at * _SLOT.size)
            if not place or (device, number) == inode:
                return at, place
            at = (at + 1) % self._slots

    def _path(self, place: int) -> bytes:
        self._paths.seek(place)
        (length,) = _LENGTH.unpack(self._paths.read(_LENGTH.size))
        return self._paths.read(length)

    def _grow(self) -> None:
        old, count = self._map, self._slots
        self._slots, self._used = 2 * count, 0
        self._map = _mapped(self._slots)
        for at in range(count):
            device, number, place = _SLOT.unpack_from(old, at * _SLOT.size)
            if place not in {0, _FORGOTTEN}:
                free, _ = self._find((device, number))
                _SLOT.pack_into(self._map, free * _SLOT.size, device, number, place)
                self._used += 1
        old.close()


def _mapped(slots: int) -> mmap.mmap:
    size, block = slots * _SLOT.size, bytes(limits.MIB)
    with tempfile.TemporaryFile(prefix="vault-links-") as file:
        # Where there is no room on the disk, to write to the map would end the process.
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
        file.flush()
        return mmap.mmap(file.fileno(), size)
