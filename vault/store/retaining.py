"""The terms of locks, held by position: a floor at birth, a ceiling always, by the store's time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from vault.clock import BootTime, Clock
from vault.store.contract import Lock, ObjectVersion, Receipt, WholeStore
from vault.store.locks import LockTerms, refuse_beyond, refuse_past, round_up

_FRESH_SECONDS: Final = 600.0
"""How long a time told by the store is carried on by the boot clock."""


class Retaining:
    """Passes on locks within the terms; raises LockRefused for any other."""

    def __init__(self, store: WholeStore, clock: Clock, terms: LockTerms) -> None:
        self.address = store.address
        self.clocked = store.clocked
        self._store = store
        self._clock = clock
        self._terms = terms
        self._told: tuple[datetime, BootTime] | None = None
        self._guard = threading.Lock()

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer; the lock is the longer of the one asked for and the floor."""
        until = self._within(retain_until)
        floor = round_up(self._time() + self._terms.minimum)
        return self._store.put(key, data, max(until, floor))

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        until = round_up(until)
        if until > self._time():
            until = self._within(until)
        return self._store.extend(key, until, version=version)

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        self._store.delete(key, version=version)

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

    def _within(self, until: datetime) -> datetime:
        until = round_up(until)
        if until <= self._time() or until > self._time() + self._terms.ceiling:
            # Ask the store before refusing: the time at hand may be minutes old.
            self._told = None
            refuse_past(until, self._time())
            refuse_beyond(until, round_up(self._time()), self._terms.ceiling)
        return until

    def _time(self) -> datetime:
        """The store's time, asked for at most every ten minutes."""
        with self._guard:
            boot = self._clock.boot_time()
            if self._told is not None:
                at, then = self._told
                passed = boot.seconds - then.seconds
                if boot.boot == then.boot and 0 <= passed < _FRESH_SECONDS:
                    return at + timedelta(seconds=passed)
            self._told = (self._store.now(), boot)
            return self._told[0]
