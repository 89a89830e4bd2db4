"""The store as one process reaches it: over a network that delays, loses, repeats and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from random import Random
from typing import Final, Protocol, TypeVar

from vault.errors import StoreError, StoreUnreachable
from vault.store.contract import Lock, ObjectVersion, Receipt, WholeStore
from vault.store.memory import MemoryStore
from vault.testing.faults import FaultyStore

_Answer = TypeVar("_Answer")

LATE_MAX: Final = 300.0
"""Seconds that a request which its sender has given up may still be under way."""


class Watch(Protocol):
    """Who sees every change of the store as it happens; `role` did it."""

    def stored(self, role: str, receipt: Receipt, data: bytes) -> None:
        """A version was put."""

    def extending(self, role: str, key: str, version: str) -> None:
        """A lock is about to be asked to grow."""

    def extended(self, role: str, key: str, version: str) -> None:
        """It was."""

    def deleting(self, role: str, key: str, version: str) -> None:
        """A version is about to be deleted."""


class WatchedStore:
    """The server with somebody watching; one for each role."""

    def __init__(self, server: MemoryStore, watch: Watch, role: str) -> None:
        self.address = server.address
        self.clocked = server.clocked
        self.get = server.get
        self.list = server.list
        self.retention = server.retention
        self.now = server.now
        self._server = server
        self._watch = watch
        self._role = role

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        receipt = self._server.put(key, data, retain_until)
        self._watch.stored(self._role, receipt, bytes(data))
        return receipt

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        self._watch.extending(self._role, key, version)
        held = self._server.extend(key, until, version=version)
        self._watch.extended(self._role, key, version)
        return held

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        self._watch.deleting(self._role, key, version)
        self._server.delete(key, version=version)


@dataclass(frozen=True, slots=True)
class Request:
    """Something that arrives at `at` (true time), when nobody waits for its answer any more."""

    at: datetime
    work: Callable[[], object]

    def arrive(self) -> None:
        """Let it have its effect, or none."""
        with suppress(StoreError):
            self.work()


@dataclass(slots=True)
class Network:
    """What is under way: requests that arrive later than their senders believe.

    `late` and `twice` say how often a failed request arrives after all, and one arrives again;
    `counts` tells how many did, and how many calls found the network parted.
    """

    dice: Random
    counts: Counter[str]
    late: float = 0.0
    twice: float = 0.0
    under_way: list[Request] = field(default_factory=list)

    def next_before(self, end: datetime) -> Request | None:
        """Take the first that arrives by then; None where there is none."""
        first = min(self.under_way, key=attrgetter("at"), default=None)
        if first is None or first.at > end:
            return None
        self.under_way.remove(first)
        return first


@dataclass(frozen=True, slots=True)
class Line:
    """What a wire needs: `reach` is called at both ends of a call, `cut` says whether none passes.

    `later` lets a request arrive some time from now.
    """

    network: Network
    reach: Callable[[], None]
    cut: Callable[[], bool]
    later: Callable[[Callable[[], object]], None]


class Wire:
    """All rights of a store, over a line; `store` fails as its faults say."""

    def __init__(self, store: FaultyStore, server: WholeStore, line: Line) -> None:
        self.address = store.address
        self.clocked = store.clocked
        self._store = store
        self._server = server
        self._line = line

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        return self._send(
            lambda: self._store.put(key, data, retain_until),
            lambda: self._server.put(key, data, retain_until),
        )

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        return self._send(
            lambda: self._store.extend(key, until, version=version),
            lambda: self._server.extend(key, until, version=version),
        )

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        self._send(
            lambda: self._store.delete(key, version=version),
            lambda: self._server.delete(key, version=version),
        )

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        return self._ask(lambda: self._store.get(key, start, length, version=version))

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader."""
        return self._ask(lambda: self._store.list(prefix))

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        return self._ask(lambda: self._store.retention(key, version=version))

    def now(self) -> datetime:
        """See Reader."""
        return self._ask(self._store.now)

    def _ask(self, call: Callable[[], _Answer]) -> _Answer:
        self._line.reach()
        if self._line.cut():
            self._line.network.counts["calls over a parted network"] += 1
            raise StoreUnreachable("the network is parted")
        answer = call()
        self._line.reach()
        return answer

    def _send(self, call: Callable[[], _Answer], request: Callable[[], object]) -> _Answer:
        network = self._line.network
        try:
            answer = self._ask(call)
        except StoreUnreachable:
            self._perhaps_later(network.late, "requests arrived late", request)
            raise
        self._perhaps_later(network.twice, "requests arrived twice", request)
        return answer

    def _perhaps_later(self, share: float, what: str, request: Callable[[], object]) -> None:
        network = self._line.network

        def counted() -> None:
            network.counts[what] += 1
            request()

        if network.dice.random() < share:
            self._line.later(counted)
