"""A store that fails as networks do, from a seed: what fails once fails again in the same place."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypeVar

from vault.clock import Clock
from vault.errors import StoreUnreachable
from vault.store.contract import Lock, ObjectVersion, Receipt, WholeStore

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what happens, each from 0 to 1, by call.

    `before`: the call fails without effect. `after`: it succeeds and the answer is lost. `delay`:
    it takes up to `delay_seconds` of the clock's time. `stale`: a listing lacks what this very
    store put last. `outage` calls in a row fail, from call number `outage_at` on.
    """

    before: float = 0.0
    after: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 5.0
    stale: float = 0.0
    outage_at: int | None = None
    outage: int = 3


class FaultyStore:
    """Passes calls on, some of them badly.

    `calls` counts them, `failed` those that failed; `counts` tells what of each kind happened.
    """

    def __init__(
        self,
        store: WholeStore,
        clock: Clock,
        faults: Faults,
        *,
        seed: int,
        counts: Counter[str] | None = None,
    ) -> None:
        self.address = store.address
        self.clocked = store.clocked
        self.seed = seed
        self.calls = 0
        self.failed = 0
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._store = store
        self._clock = clock
        self._faults = faults
        self._dice = Random(seed)
        self._recent: set[tuple[str, str]] = set()
        self._guard = threading.Lock()

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        receipt = self._pass("put", lambda: self._store.put(key, data, retain_until))
        with self._guard:
            self._recent = {(key, receipt.version)}
        return receipt

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        return self._pass("extend", lambda: self._store.extend(key, until, version=version))

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        self._pass("delete", lambda: self._store.delete(key, version=version))

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        return self._pass("get", lambda: self._store.get(key, start, length, version=version))

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader; may lack what was put last."""
        found = self._pass("list", lambda: self._store.list(prefix))
        with self._guard:
            hidden = self._recent if self._rolls(self._faults.stale) else set()
        return (version for version in found if not self._hides(version, hidden))

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        return self._pass("retention", lambda: self._store.retention(key, version=version))

    def now(self) -> datetime:
        """See Reader."""
        return self._pass("now", self._store.now)

    def _pass(self, name: str, call: Callable[[], _Answer]) -> _Answer:
        with self._guard:
            number, self.calls = self.calls, self.calls + 1
            before = self._rolls(self._faults.before) or self._out(number)
            after = self._rolls(self._faults.after)
            pause = self._faults.delay_seconds * self._dice.random()
            delayed = self._rolls(self._faults.delay)
            self.failed += before or after
            self._note(out=self._out(number), before=before, after=after, delayed=delayed)
        if delayed:
            self._clock.sleep(pause)
        if before:
            raise StoreUnreachable(f"{name}, call {number}: failed before (seed {self.seed})")
        answer = call()
        if after:
            raise StoreUnreachable(f"{name}, call {number}: answer lost (seed {self.seed})")
        return answer

    def _hides(self, version: ObjectVersion, hidden: Collection[tuple[str, str]]) -> bool:
        hides = (version.key, version.version) in hidden
        self.counts["stale listings"] += hides
        return hides

    def _note(self, *, out: bool, before: bool, after: bool, delayed: bool) -> None:
        self.counts["calls in an outage"] += out
        self.counts["calls failed"] += before and not out
        self.counts["answers lost"] += after and not before
        self.counts["answers delayed"] += delayed

    def _rolls(self, share: float) -> bool:
        return self._dice.random() < share

    def _out(self, number: int) -> bool:
        start = self._faults.outage_at
        return start is not None and start <= number < start + self._faults.outage
