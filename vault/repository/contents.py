"""The contents of many entries in a row, read ahead so that bundled small files cost little."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from vault.errors import Corrupt, VaultError
from vault.repository.fetching import Readahead, Wanted
from vault.repository.manifest import Extent, StoredEntry

_ITEMS: Final = 4096  # entries and extents planned ahead, at most


class Contents:
    """Iterates over (entry, blocks); the blocks of an entry are void once the next is taken."""

    def __init__(self, entries: Iterable[StoredEntry], ahead: Readahead) -> None:
        self._entries = iter(entries)
        self._ahead = ahead
        self._extents: Iterator[Extent] = iter(())
        self._current: StoredEntry | None = None
        self._items: deque[StoredEntry | VaultError | tuple[Extent, Wanted]] = deque()

    def __iter__(self) -> Iterator[tuple[StoredEntry, Iterable[bytes | memoryview]]]:
        try:
            while (stored := self._next()) is not None:
                yield stored, self._blocks(stored)
        finally:
            self._current = None

    def _next(self) -> StoredEntry | None:
        """The next entry; what was left of the one before is passed over."""
        while True:
            self._fill()
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, StoredEntry):
                self._current = item
                return item
            if isinstance(item, VaultError):
                raise item
            self._ahead.drop(item[1])

    def _blocks(self, stored: StoredEntry) -> Iterator[bytes | memoryview]:
        for _ in stored.extents:
            if self._current is not stored:
                raise RuntimeError("the blocks of an entry are void once the next one was taken")
            self._fill()
            item = self._items.popleft()
            if isinstance(item, tuple):
                yield read_extent(self._ahead, stored, *item)

    def _fill(self) -> None:
        """Plan further ahead, in strides, so that neighbours are fetched together."""
        items, ahead = self._items, self._ahead
        if len(items) > _ITEMS // 2 or (items and not ahead.low):
            return
        while ahead.room and len(items) < _ITEMS:
            extent = next(self._extents, None)
            if extent is not None:
                items.append((extent, ahead.want(extent.chunk)))
                continue
            try:
                stored = next(self._entries, None)
            except VaultError as error:  # for the consumer, once it gets there
                items.append(error)
                self._entries = iter(())
                break
            if stored is None:
                break
            items.append(stored)
            self._extents = iter(stored.extents)
        ahead.flush()


def read_extent(
    ahead: Readahead, stored: StoredEntry, extent: Extent, item: Wanted
) -> bytes | memoryview:
    """The bytes of one extent, where they are. Raises Corrupt naming the path."""
    try:
        data = ahead.take(item)
        if extent.offset + extent.length > len(data) or extent.offset < 0:
            raise Corrupt("an extent lies outside its chunk")
    except Corrupt as error:
        path = os.fsdecode(stored.path).encode("utf-8", "backslashreplace").decode()
        raise Corrupt(f"“{path}” cannot be read: {error.message}", hint=error.hint) from error
    if extent.length == len(data):
        return data
    return memoryview(data)[extent.offset : extent.offset + extent.length]
