"""Patience with a store that does not answer: calls are idempotent, so they are made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, TypeVar

from vault.clock import Clock
from vault.errors import StoreUnreachable
from vault.limits import STORE_CALL_RETRIES
from vault.store.contract import Lock, ObjectVersion, Receipt, WholeStore

_Answer = TypeVar("_Answer")

_FIRST_PAUSE: Final = 0.2
"""Seconds before the second attempt; each further pause is two and a half times as long."""


def patiently(clock: Clock, call: Callable[[], _Answer]) -> _Answer:
    """Make a call, again after a growing pause while it raises StoreUnreachable."""
    pause = _FIRST_PAUSE
    for _ in range(STORE_CALL_RETRIES):
        try:
            return call()
        except StoreUnreachable:
            clock.sleep(pause)
            pause *= 2.5
    return call()


class Retrying:
    """Repeats what the store left unanswered; once a listing has begun, its store repeats pages."""

    def __init__(self, store: WholeStore, clock: Clock) -> None:
        self.address = store.address
        self.clocked = store.clocked
        self._store = store
        self._clock = clock

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer; the version named is the one that the last attempt made."""
        return patiently(self._clock, lambda: self._store.put(key, data, retain_until))

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        return patiently(self._clock, lambda: self._store.extend(key, until, version=version))

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        patiently(self._clock, lambda: self._store.delete(key, version=version))

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        return patiently(self._clock, lambda: self._store.get(key, start, length, version=version))

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader."""
        return patiently(self._clock, lambda: self._store.list(prefix))

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        return patiently(self._clock, lambda: self._store.retention(key, version=version))

    def now(self) -> datetime:
        """See Reader."""
        return patiently(self._clock, self._store.now)
