"""The reference store: in memory, refusing what a write-once server refuses, on a given clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from vault.clock import Clock, format_time
from vault.errors import LockRefused, ObjectMissing
from vault.store.contract import Lock, LockMode, ObjectVersion, Receipt
from vault.store.locks import refuse_beyond, refuse_past, round_up
from vault.store.names import require_key


@dataclass(slots=True)
class _Version:
    """One stored version; `data` is None for a delete marker."""

    name: str
    data: bytes | None
    modified: datetime
    until: datetime | None


class MemoryStore:
    """All rights in one object; `ceiling` plays the bucket policy's bound on locks."""

    def __init__(
        self,
        clock: Clock,
        *,
        ceiling: timedelta | None = None,
        clocked: bool = True,
        address: str = "memory:",
    ) -> None:
        self.address = address
        self.clocked = clocked
        self._clock = clock
        self._ceiling = ceiling
        self._keys: dict[str, list[_Version]] = {}
        self._count = 0
        self._guard = threading.Lock()

    def now(self) -> datetime:
        """See Reader."""
        return self._clock.now()

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        data = self._find(key, version).data or b""
        return data[start:] if length is None else data[start : start + length]

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader."""
        for key in sorted(key for key in list(self._keys) if key.startswith(prefix)):
            with self._guard:
                versions = self._keys.get(key, [])[::-1]
            for place, held in enumerate(versions):
                size = len(held.data or b"")
                marker = held.data is None
                yield ObjectVersion(key, held.name, size, held.modified, marker, place == 0)

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        until = self._find(key, version).until
        return Lock(LockMode.NONE if until is None else LockMode.COMPLIANCE, until)

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        require_key(key)
        until = round_up(retain_until)
        refuse_past(until, self.now())
        self._refuse_beyond(until)
        return Receipt(key, self._lay(key, bytes(data), until), until)

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper."""
        until = round_up(until)
        with self._guard:
            held = self._find(key, version)
            if held.until is not None and until <= held.until:
                return held.until
            refuse_past(until, self.now())
            self._refuse_beyond(until)
            held.until = until
            return until

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper."""
        with self._guard:
            versions = self._keys.get(key, [])
            held = next((held for held in versions if held.name == version), None)
            if held is None:
                return
            if held.until is not None and held.until > self.now():
                raise LockRefused(f"{key} is locked until {format_time(held.until)}")
            versions.remove(held)
            if not versions:
                del self._keys[key]

    def lay_marker(self, key: str) -> str:
        """Play another credential that deletes without naming a version."""
        return self._lay(key, None, None)

    def lay_version(self, key: str, data: bytes, until: datetime | None = None) -> str:
        """Play another credential that puts other bytes over a key."""
        return self._lay(key, data, until)

    def rot(self, key: str, data: bytes, *, version: str | None = None) -> None:
        """Play a medium that gives back other bytes than it was given."""
        self._find(key, version).data = data

    def lose(self, key: str) -> None:
        """Play a medium that has lost a key, locks and all."""
        with self._guard:
            self._keys.pop(key, None)

    def _lay(self, key: str, data: bytes | None, until: datetime | None) -> str:
        with self._guard:
            self._count += 1
            name = f"v{self._count}"
            self._keys.setdefault(key, []).append(_Version(name, data, self.now(), until))
            return name

    def _refuse_beyond(self, until: datetime) -> None:
        if self._ceiling is not None:
            refuse_beyond(until, self.now(), self._ceiling)

    def _find(self, key: str, version: str | None) -> _Version:
        versions = self._keys.get(key, [])
        for held in reversed(versions):
            if held.name == version or version is None:
                if held.data is None:
                    raise ObjectMissing(f"a delete marker lies over {key}")
                return held
        raise ObjectMissing(f"{key} is not in {self.address}")
