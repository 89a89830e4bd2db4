"""What may be deleted now: lapsed versions that no wanted snapshot needs. Decides, deletes nothing.

Events, the audit log and charters stay for good. Of what is needed only versions that are not the
object (bytes that do not hash to its name, delete markers) may go, once their locks have lapsed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from vault.errors import Corrupt, ObjectMissing
from vault.limits import MAX_RECORD
from vault.repository.authentic import read_verified
from vault.repository.charter import Charter
from vault.repository.snapshot import SnapshotRecord
from vault.store.contract import ObjectVersion, Reader
from vault.store.names import content_digest, digest_of, pack_key

# Snapshots go first: a crash between leaves objects that nothing refers to, never the reverse.
_PREFIXES: Final = (
    "snapshots/",
    "index/",
    "packs/",
    "keys/",
    "canary/",
    "events/",
    "audit/",
    "stamps/",
    "charter/",
)
_SESSION: Final = re.compile(r"sess_[0-9a-z]{26}")
_FOR_GOOD: Final = ("events/", "audit/", "stamps/", "charter/")


class Lapsed(msgspec.Struct, frozen=True):
    """One version to delete; `size` in bytes, 0 for a marker."""

    key: str
    version: str
    size: int


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """What to delete, in this order; `kept` counts the objects that stay, `reasons` say why."""

    vault: str
    versions: tuple[Lapsed, ...]
    kept: int
    reasons: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What names this plan and no other, 64 hex digits."""
        return content_digest(msgspec.json.encode((self.vault, self.versions)))


def plan_collection(
    reader: Reader,
    charter: Charter,
    records: Sequence[SnapshotRecord],
    *,
    wanted: Collection[str],
    now: datetime,
) -> CollectionPlan:
    """Decide over the whole store. `wanted` are ids of snapshots, `now` is the store's time.

    `records` are all authentic snapshots. One that is not wanted and still locked keeps what it
    needs, so that whatever is listed can be restored. Raises StoreError.
    """
    judge = _Judge(reader, now)
    chosen = [record for record in records if record.header.id in wanted]
    locked = [
        record
        for record in records
        if record.header.id not in wanted and not judge.has_lapsed(record.key, record.version)
    ]
    needed = _needed((*chosen, *locked))
    versions: list[Lapsed] = []
    kept = 0
    for prefix in _PREFIXES:
        for key, group in groupby(reader.list(prefix), key=attrgetter("key")):
            stays = prefix in _FOR_GOOD or _need(key) in needed
            gone = (judge.laid_over if stays else judge.unneeded)(key, group)
            versions += gone.versions
            kept += not gone.whole
    reasons = (
        f"{len(chosen)} of {len(records)} snapshots are wanted, {len(locked)} others still locked",
        f"{judge.locked} versions that no snapshot needs are still locked",
        f"{judge.unclear} objects are damaged or not the vault's, and were left alone",
    )
    return CollectionPlan(charter.vault, tuple(versions), kept, reasons)


class _Gone(NamedTuple):
    """What may go of one key, and whether that is all of it."""

    versions: list[Lapsed]
    whole: bool


class _Judge:
    """Looks at the versions of one key after another."""

    def __init__(self, reader: Reader, now: datetime) -> None:
        self._reader = reader
        self._now = now
        self.locked = 0
        self.unclear = 0

    def has_lapsed(self, key: str, version: str) -> bool:
        """Whether nothing locks this version any more."""
        try:
            until = self._reader.retention(key, version=version).until
        except ObjectMissing:
            return True
        return until is None or until <= self._now

    def unneeded(self, key: str, versions: Iterable[ObjectVersion]) -> _Gone:
        """Everything that has lapsed. What carries no digest is not the vault's and stays."""
        if digest_of(key) is None:
            self.unclear += 1
            return _Gone([], whole=False)
        gone: list[Lapsed] = []
        whole = True
        for version in versions:
            if version.marker or self.has_lapsed(key, version.version):
                gone.append(Lapsed(key, version.version, version.size))
            else:
                self.locked += 1
                whole = False
        return _Gone(gone, whole)

    def laid_over(self, key: str, versions: Iterable[ObjectVersion]) -> _Gone:
        """Markers, and lapsed versions that are not the object, where the object is known."""
        gone: list[Lapsed] = []
        single: ObjectVersion | None = None
        authentic = ""
        for version in versions:
            if version.marker:
                gone.append(Lapsed(key, version.version, 0))
            elif single is None:
                single = version
            else:
                authentic = authentic or self._authentic(key)
                if not authentic:
                    self.unclear += 1
                    return _Gone([], whole=False)
                gone += self._foreign(version)
        if authentic and single is not None:
            gone += self._foreign(single)
        return _Gone(gone, whole=False)

    def _authentic(self, key: str) -> str:
        try:
            return read_verified(self._reader, key, []).version
        except (Corrupt, ObjectMissing):
            return ""

    def _foreign(self, version: ObjectVersion) -> list[Lapsed]:
        """The version, if it is lapsed and holds other bytes than its name says."""
        key = version.key
        if not self.has_lapsed(key, version.version):
            return []
        data = self._reader.get(key, 0, MAX_RECORD + 1, version=version.version)
        if content_digest(data) == digest_of(key):
            return []
        return [Lapsed(key, version.version, version.size)]


def _needed(records: Iterable[SnapshotRecord]) -> frozenset[str]:
    """What these snapshots need, as `_need` names it."""
    names: set[str] = set()
    for record in records:
        names.add(record.key)
        names.update(map(pack_key, record.header.packs))
        names.update(f"keys/{session}" for session in record.header.sessions)
    return frozenset(names)


def _need(key: str) -> str:
    """The name under which an object is needed: keys and indexes go by their session."""
    session = _SESSION.search(key)
    return f"keys/{session[0]}" if session and key.startswith(("keys/", "index/")) else key
