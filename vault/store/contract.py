"""The store's ports, split by right: Reader, Writer, Keeper, Reaper.

The contract, which `vault.testing.store_contract` checks on every implementation:

- Keys are ASCII paths (`packs/3f/3f9a…`) without empty, `.` or `..` parts. A key carries the BLAKE3
  digest of its content (see `vault.store.names`), so two versions that verify are the same bytes.
- `put` is atomic and durable: on return the whole object is stored and locked, before it nothing
  is visible under that version. It never replaces: bytes laid over a key become one more version.
  It is idempotent: to put the same again is harmless and may create a further version.
  An error leaves either nothing or the whole object; `StoreUnreachable` says that this is unknown.
- `get` with a range returns exactly the bytes of that range that exist: fewer at the end of the
  object, none past it. It never returns a part of what it was asked for for any other reason.
- `list` yields every version and every delete marker of every key under a prefix, keys in byte
  order, newest version first; lazily and in bounded memory. What a put answered before the listing
  began is in it, whoever put it and whoever lists: of a hold a purger learns in no other way.
- Locks only ever grow. `extend` to an earlier date than the present one changes nothing and
  returns the lock that holds. A date beyond the ceiling raises LockRefused.
- `delete` removes one version whose lock has lapsed, and raises LockRefused while it holds.
- Times come from the store where it has a clock (`clocked`), in UTC, with whole seconds at least.
- Errors: ObjectMissing, StoreDenied, LockRefused, NotWriteOnce are permanent; StoreUnreachable and
  StoreFull may pass. All others of the library beneath are translated to StoreError.
- Every method may be called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec


class LockMode(StrEnum):
    """How firmly a version is locked."""

    COMPLIANCE = "COMPLIANCE"
    GOVERNANCE = "GOVERNANCE"
    NONE = "NONE"


class Lock(msgspec.Struct, frozen=True):
    """A version's lock: `until` is None only where there is none.

    `firm` is False where the store guards its objects by more than locks, and this one not.
    """

    mode: LockMode
    until: datetime | None
    firm: bool = True


class ObjectVersion(msgspec.Struct, frozen=True):
    """One version of a key as a listing tells it; a marker hides older ones from a plain GET."""

    key: str
    version: str
    size: int
    modified: datetime
    marker: bool = False
    latest: bool = True


class Receipt(msgspec.Struct, frozen=True):
    """What a put made: the version to name from now on, and the lock as the store confirmed it."""

    key: str
    version: str
    locked_until: datetime


class Reader(Protocol):
    """The right to look."""

    @property
    def address(self) -> str:
        """The store's URL, free of secrets; two stores with one address are the same place."""

    @property
    def clocked(self) -> bool:
        """Whether the store has a clock of its own, apart from this host's."""

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """Read a version (the newest by default) from byte `start`, `length` bytes or to its end.

        Raises ObjectMissing where the key has no such version or a delete marker on top.
        """

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version and marker under `prefix`, by key, newest first."""

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """The lock of a version (the newest by default)."""

    def now(self) -> datetime:
        """The store's time; the host's where the store has no clock (`clocked` is False)."""


class Writer(Protocol):
    """The right to create."""

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """Create a version, locked in COMPLIANCE mode until then; the lock was read back.

        Raises LockRefused (past, beyond the ceiling), NotWriteOnce (the lock did not take).
        """


class Keeper(Protocol):
    """The right to lock longer."""

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """Lock this version until then at least; returns the lock as read back.

        What else guards it in this store stands afterwards, too, where this process may see to it.
        Raises ObjectMissing, LockRefused (beyond the ceiling).
        """


class Reaper(Protocol):
    """The right to delete what has lapsed."""

    def delete(self, key: str, *, version: str) -> None:
        """Remove one version (or marker) for good; gone already is no error."""


class WritableStore(Reader, Writer, Keeper, Protocol):
    """What a daemon holds."""


class RecordingStore(Reader, Writer, Protocol):
    """What a purger holds: it reads everything and adds its signed records."""


class ReapingStore(Reader, Writer, Reaper, Protocol):
    """What a collector holds."""


class WholeStore(Reader, Writer, Keeper, Reaper, Protocol):
    """What a store implements. Held only beneath `vault.store.rights`, which deals out parts."""
