"""The oracle: sees every change, knows what was acknowledged, and says what promise was broken.

It asks nothing of the product's rules: what it knows comes from acknowledgements, from the store's
bytes as they arrive, and from the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from vault.codec.envelope import parse
from vault.errors import ObjectMissing, VaultError
from vault.provider import PurgePermit
from vault.store.contract import Receipt
from vault.store.memory import MemoryStore
from vault.store.names import content_digest, digest_of, pack_key
from vault.testing.simulation.disk import Tree
from vault.testing.simulation.scheduling import Process, Violation
from vault.testing.simulation.wants import (
    SILENCE,
    Kept,
    Stored,
    follow,
    new_volume,
    still_wanted,
)

FLOOR: Final = timedelta(days=30)
CEILING: Final = timedelta(days=400)
SLACK: Final = timedelta(minutes=10)
"""What passes between a look and a step, with retries."""


@dataclass(slots=True, eq=False)
class Grave:
    """One delete: its tree, when its window began (true time, and the host's time up).

    `undone` is when an undelete was recorded; `returned` says that one was acknowledged.
    """

    id: str
    volume: str
    tree: Tree | None = None
    began: datetime | None = None
    up: timedelta = timedelta(0)
    window: timedelta = timedelta(hours=48)
    acknowledged: bool = False
    held: bool = False
    undone: datetime | None = None
    returned: bool = False
    purged: bool = False


@dataclass(slots=True, kw_only=True)
class Sight:
    """What the oracle can see: the server, the true time, the host, and contents read back.

    `window` is an environment's; `disagrees` says whether host and store have disagreed about the
    time for a while; `place` gives the tree at a place; `read` restores a snapshot, with the kit,
    without faults; `began` is when the process at work did, `steady` whether the store's clock was
    not set lately, and `doer` whose request it is that arrives (None: who sent it is gone).
    """

    server: MemoryStore
    now: Callable[[], datetime]
    up: Callable[[], timedelta]
    window: Callable[[str], timedelta]
    disagrees: Callable[[], bool]
    place: Callable[[str], Tree | None]
    read: Callable[[str], dict[bytes, bytes]]
    captured: Callable[[], dict[bytes, bytes]]
    began: Callable[[], datetime]
    steady: Callable[[], bool]
    doer: Callable[[], Process | None]


@dataclass(slots=True)
class Oracle:
    """See above; `counts` tells how much of each kind it saw."""

    sight: Sight
    counts: Counter[str] = field(default_factory=Counter)
    volumes: dict[str, Kept] = field(default_factory=dict)
    snapshots: dict[str, Stored] = field(default_factory=dict)
    graves: dict[str, Grave] = field(default_factory=dict)
    owner_seen: datetime | None = None
    known: set[str] = field(default_factory=set)
    at_plan: frozenset[str] = frozenset()
    _went: bool = True
    _before: dict[tuple[str, str], datetime | None] = field(default_factory=dict)

    # --- what the store sees ---------------------------------------------------------------------

    def stored(self, role: str, receipt: Receipt, data: bytes) -> None:
        """See Watch: born locked for long enough; records are taken note of."""
        key, now = receipt.key, self.sight.server.now()
        self.insist(
            now + FLOOR - SLACK <= receipt.locked_until <= now + CEILING + SLACK
            or not self.sight.steady(),
            f"P12: {role} stored {key} locked until {receipt.locked_until}",
        )
        if key in self.known:
            return
        self.known.add(key)
        if key.startswith("events/"):
            self._event(role, msgspec.json.decode(parse(data).body), now)
        elif key.startswith("snapshots/"):
            self._snapshot(key, parse(data).body, now)

    def extending(self, _role: str, key: str, version: str) -> None:
        """See Watch."""
        self._before[key, version] = self._lock(key, version)

    def extended(self, role: str, key: str, version: str) -> None:
        """See Watch: locks only grow."""
        before, after = self._before.pop((key, version)), self._lock(key, version)
        self.insist(
            before is None or (after is not None and after >= before),
            f"{role} shortened the lock of {key} from {before} to {after}",
        )

    def deleting(self, role: str, key: str, version: str) -> None:
        """See Watch: nothing goes that is wanted, now or when the collector looked."""
        self.insist(role == "collector", f"P1: {role} deletes {key}")
        try:
            data = self.sight.server.get(key, version=version)
        except ObjectMissing:
            self.counts["markers removed"] += 1
            return
        if content_digest(data) != digest_of(key):
            self.counts["foreign versions removed"] += 1
            return
        lock = self._lock(key, version)
        if lock is not None and lock > self.sight.server.now():
            return  # the store refuses
        self.counts["objects collected"] += 1
        self._went = True
        name = _need(key)
        wanted = name in self.at_plan and name in self.needed()
        self.insist(
            not wanted and not key.startswith(("events/", "audit/", "stamps/", "charter/")),
            f"P12: {role} collects {key}, which is wanted",
        )
        self.snapshots.pop(key.rpartition("/")[2].partition("-")[0], None)

    def _event(self, role: str, event: dict[str, Any], now: datetime) -> None:
        kind, volume, identifier = event["type"], event["volume"], event.get("tombstone", "")
        self.counts[f"event {kind}"] += 1
        if role == "writer":
            self.owner_seen = max(now, self.owner_seen or now)
        if kind == "volume_added":
            self.volumes[volume] = new_volume(volume, event["details"])
        kept = self.volumes[volume]
        self._reached(kept, event)
        follow(kept, event, now)
        if identifier and identifier not in self.graves:
            window = self.sight.window(kept.environment)
            self.graves[identifier] = Grave(identifier, volume, window=window)
        if kind == "undeleted":
            grave = self.graves[identifier]
            grave.undone = grave.undone or self.sight.now()
            self.insist(not grave.purged, f"{identifier} was undeleted and purged")
        if kind == "released":
            self.graves[identifier].held = False
        if kind == "quarantined" and self.graves[identifier].began is None:
            grave = self.graves[identifier]
            grave.began, grave.up = self.sight.now(), self.sight.up()
            grave.tree = self._quarantined(grave)

    def _reached(self, kept: Kept, event: dict[str, Any]) -> None:
        """Whoever reaches one environment does nothing to a volume of another."""
        doer = self.sight.doer()
        if doer is not None:
            doer.effects += 1
            self.insist(
                doer.environment in ("", kept.environment),
                f"P9: {doer.name} in {doer.environment} stores {event['type']} of {kept.name}"
                f" in {kept.environment}",
            )

    def _quarantined(self, grave: Grave) -> Tree | None:
        location = self.volumes[grave.volume].location
        return self.sight.place(f"{location.rpartition('/')[0]}/.trash/{grave.id}/data")

    def _snapshot(self, key: str, body: bytes, now: datetime) -> None:
        length = int.from_bytes(body[:4], "big")
        head = msgspec.json.decode(body[4 : 4 + length])
        self.owner_seen = max(now, self.owner_seen or now)
        snapshot = Stored(
            id=head["id"],
            volume=head["volume"],
            stored_at=now,
            key=key,
            packs=tuple(head["packs"]),
            sessions=tuple(head["sessions"]),
            final_for=head["final_for"],
            seen=dict(self.sight.captured()),
        )
        self.snapshots[snapshot.id] = snapshot
        self.counts["snapshots"] += 1
        retain = datetime.fromisoformat(head["retain_until"])
        for name, lock in self._locks(snapshot):
            self.insist(
                lock is not None and lock >= retain,
                f"P4: {snapshot.id} was committed while {name} is locked until {lock}",
            )

    # --- what the disk sees ----------------------------------------------------------------------

    def purging(self, permit: PurgePermit, tree: Tree) -> None:
        """The deciding step of a purge is about to be taken: everything of P3 holds."""
        now, grave = self.sight.now(), self.graves[permit.quarantine.tombstone]
        self.counts["purges"] += 1
        name = f"P3: {grave.id} is purged"
        self.insist(grave.began is not None, f"{name} before its quarantine is on record")
        assert grave.began is not None
        clocked = self.sight.server.clocked
        passed = now - grave.began if clocked else self.sight.up() - grave.up + SLACK
        self.insist(passed >= grave.window - timedelta(seconds=2), f"{name} after only {passed}")
        self.insist(not self.sight.disagrees(), f"{name} while host and store disagree on the time")
        self.insist(not grave.held, f"{name} while a hold is on it")
        self.insist(not grave.undone, f"{name} after it was undeleted")
        self._final_is_good(name, self.snapshots.get(permit.snapshot), tree, grave)
        grave.purged = True

    def _final_is_good(self, name: str, final: Stored | None, tree: Tree, grave: Grave) -> None:
        self.insist(final is not None, f"{name} without a final snapshot")
        assert final is not None
        self.insist(final.final_for == grave.id, f"{name} on a snapshot that is not its own")
        for key, lock in self._locks(final):
            self.insist(
                lock is not None and lock + timedelta(hours=1) >= self.sight.server.now() + FLOOR,
                f"{name} while {key} of its final snapshot is locked until {lock}",
            )
        try:
            stored = self.sight.read(final.id)
        except VaultError as error:
            raise Violation(f"{name} and its final snapshot cannot be read: {error}") from error
        self.insist(stored == tree.contents(), f"{name} with data that are in no snapshot")

    # --- what is acknowledged --------------------------------------------------------------------

    def deleted(self, identifier: str, undo_until: datetime | None) -> None:
        """A delete was acknowledged: it is recorded, and its window is long enough."""
        grave = self.graves.get(identifier)
        self.insist(grave is not None and grave.began is not None, f"P4: {identifier} is unknown")
        assert grave is not None
        grave.acknowledged = True
        self.counts["deletes"] += 1
        least = self.sight.server.now() + grave.window - SLACK
        self.insist(
            undo_until is not None and undo_until >= least,
            f"P2: {identifier} can be undone until {undo_until} only",
        )

    def undeleted(self, identifier: str) -> bool:
        """An undelete was acknowledged: the very tree is back; whether by this very process."""
        grave = self.graves[identifier]
        self.insist(grave.undone is not None, f"P4: the undelete of {identifier} is not on record")
        assert grave.undone is not None
        grave.returned = True
        if grave.undone < self.sight.began():
            return False  # asked for once more
        self.counts["undeletes"] += 1
        volume = self.volumes[grave.volume]
        deleted_again = volume.grave != identifier
        self.insist(
            grave.tree is None or deleted_again or self.sight.place(volume.location) is grave.tree,
            f"P2: {identifier} was undeleted, and its data are not back",
        )
        return True

    def captured(self, identifier: str) -> None:
        """A snapshot was acknowledged: it is in the store."""
        self.insist(identifier in self.snapshots, f"P4: {identifier} is not in the store")
        self.snapshots[identifier].acknowledged = True

    def restored(self, identifier: str, contents: dict[bytes, bytes]) -> None:
        """A restore without remarks: its bytes are those that were captured."""
        self.counts["restores"] += 1
        self.insist(
            contents == self.snapshots[identifier].seen,
            f"P7: {identifier} was restored as something else than what was captured",
        )

    def all_extended(self, before: Collection[str]) -> None:
        """Locks were extended, and nothing fell short: all that is wanted stays for a month.

        `before` are the ids of what was wanted when the round began. That a volume was closed may
        be in the store with nobody told: then only what is wanted either way counts.
        """
        self.counts["extensions"] += 1
        least = self.sight.server.now() + FLOOR - SLACK
        either_way = {s.id for s in self.wanted(owner_lives=True, all_open=True)} & set(before)
        for snapshot in self.wanted(owner_lives=True):
            for name, lock in self._locks(snapshot) if snapshot.id in either_way else ():
                self.insist(
                    lock is not None and lock >= least,
                    f"P12: {name} of {snapshot.id} is locked until {lock} after an extension",
                )

    def listed(self, tombstones: Iterable[tuple[str, str]], snapshots: Iterable[str]) -> None:
        """Somebody asked what there is: all that was acknowledged is told, with its state."""
        states, names = dict(tombstones), set(snapshots)
        for grave in self.graves.values():
            if grave.acknowledged:
                state = states.get(grave.id, "nowhere")
                fits = state == "restored" if grave.returned else state in _STATES
                self.insist(fits, f"P4: {grave.id} was acknowledged and is {state}")
        for snapshot in self.wanted():
            if snapshot.acknowledged:
                self.insist(snapshot.id in names, f"P4: {snapshot.id} is not listed")

    # --- what is wanted --------------------------------------------------------------------------

    def wanted(self, *, owner_lives: bool = False, all_open: bool = False) -> Iterator[Stored]:
        """Every committed snapshot that must still be there; an owner gone silent wants all.

        `all_open`: as if no volume had been closed.
        """
        now = self.sight.server.now()
        silent = self.owner_seen is None or now - self.owner_seen > SILENCE
        silent = silent and not owner_lives
        held = {grave.volume for grave in self.graves.values() if grave.held and not grave.undone}
        by_volume: dict[str, list[Stored]] = {}
        for snapshot in self.snapshots.values():
            by_volume.setdefault(snapshot.volume, []).append(snapshot)
        for name, series in by_volume.items():
            volume = self.volumes.get(name)
            if volume is not None and all_open:
                volume = replace(volume, closed_at=None)
            yield from still_wanted(volume, series, now, silent=silent or name in held)

    def needed(self) -> frozenset[str]:
        """The names of all that wanted snapshots need."""
        return frozenset(name for snapshot in self.wanted() for name, _ in self._named(snapshot))

    def lost(self) -> Iterator[str]:
        """Whatever of the wanted is not in the store; looked at anew where something went."""
        went, self._went = self._went, False
        for snapshot in self.wanted() if went else ():
            yield from (f"{n} of {snapshot.id}" for n, lock in self._locks(snapshot) if not lock)

    def insist(self, holds: bool, promise: str) -> None:
        """Raise Violation unless this holds."""
        if not holds:
            raise Violation(promise)

    def _named(self, snapshot: Stored) -> Iterator[tuple[str, str]]:
        yield snapshot.key, snapshot.key
        yield from ((pack_key(digest), pack_key(digest)) for digest in snapshot.packs)
        yield from ((f"keys/{session}", f"keys/{session}-") for session in snapshot.sessions)

    def _locks(self, snapshot: Stored) -> Iterator[tuple[str, datetime | None]]:
        """What it needs, each with the longest lock of its authentic versions; None: not there."""
        for name, prefix in self._named(snapshot):
            yield name, max(filter(None, self._authentic(prefix)), default=None)

    def _authentic(self, prefix: str) -> Iterator[datetime | None]:
        server = self.sight.server
        for version in server.list(prefix):
            if not version.marker:
                data = server.get(version.key, version=version.version)
                if content_digest(data) == digest_of(version.key):
                    yield self._lock(version.key, version.version)

    def _lock(self, key: str, version: str) -> datetime | None:
        try:
            return self.sight.server.retention(key, version=version).until
        except ObjectMissing:
            return None


_STATES: Final = ("tombstoned", "restoring", "restored", "purging", "purged", "store_only")


def _need(key: str) -> str:
    return key.rpartition("-")[0] if key.startswith("keys/") else key
