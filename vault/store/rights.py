"""What each role holds of a store: the methods of its right, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from vault.store.contract import Lock, ObjectVersion, Receipt, WholeStore


class ReaderRight:
    """Looks."""

    def __init__(self, store: WholeStore) -> None:
        self._store = store

    @property
    def address(self) -> str:
        """See Reader."""
        return self._store.address

    @property
    def clocked(self) -> bool:
        """See Reader."""
        return self._store.clocked

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        return self._store.get(key, start, length, version=version)

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader."""
        return self._store.list(prefix)

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        return self._store.retention(key, version=version)

    def now(self) -> datetime:
        """See Reader."""
        return self._store.now()


class RecorderRight(ReaderRight):
    """Looks and creates."""

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        return self._store.put(key, data, retain_until)


class WriterRight(RecorderRight):
    """Looks, creates and locks longer."""

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        return self._store.extend(key, until, version=version)


class ReaperRight(RecorderRight):
    """Looks, creates and deletes what has lapsed."""

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        self._store.delete(key, version=version)
