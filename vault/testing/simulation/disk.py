"""A disk in memory: trees at places, and the provider by which processes reach them.

Everything is a rename of one name, as with the directory adapter: out of place into quarantine,
back, or on to where a purge has decided. Change times have a tick of a whole second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Final

from vault.errors import (
    PlaceTaken,
    QuarantineRefused,
    SourceReplaced,
    SourceVanished,
    TargetNotEmpty,
)
from vault.provider import (
    Capability,
    Kind,
    PurgePermit,
    Quarantine,
    SourceIdentity,
    Whereabouts,
)
from vault.testing.simulation.scheduling import here
from vault.testing.simulation.walking import TreeCapture, TreeRestoration

NAME: Final = "simulated"


@dataclass(slots=True)
class Node:
    """A file or a directory; times in nanoseconds."""

    kind: Kind
    data: bytes
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int = 0o644


@dataclass(slots=True)
class Tree:
    """A volume: its root's inode is what makes it this one and no other."""

    inode: int
    nodes: dict[bytes, Node] = field(default_factory=dict)

    def contents(self) -> dict[bytes, bytes]:
        """Every file with its bytes."""
        return {path: node.data for path, node in self.nodes.items() if node.kind is Kind.FILE}


class Disk:
    """Trees by place; `mounts` counts how often its devices were numbered anew."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.places: dict[str, Tree] = {}
        self.mounts = 1
        self._now = now
        self._inodes = count(100)

    def tick(self) -> int:
        """The time that a change gets now, by the host's clock."""
        return int(self._now().timestamp()) * 1_000_000_000

    def make(self, place: str) -> Tree:
        """A new, empty tree at a place where none stands."""
        tree = Tree(next(self._inodes))
        self.places[place] = tree
        self.put(tree, b"", b"", Kind.DIRECTORY)
        return tree

    def put(self, tree: Tree, path: bytes, data: bytes, kind: Kind = Kind.FILE) -> Node:
        """Write a file, or make a directory, with the directories above it."""
        parent = path.rpartition(b"/")[0]
        if path and parent not in tree.nodes:
            self.put(tree, parent, b"", Kind.DIRECTORY)
        now, former = self.tick(), tree.nodes.get(path)
        inode = next(self._inodes) if former is None or former.kind is not kind else former.inode
        mode = 0o755 if kind is Kind.DIRECTORY else 0o644
        tree.nodes[path] = Node(kind, data, now, now, inode, mode)
        if former is None:
            self._touch(tree, parent)
        return tree.nodes[path]

    def remove(self, tree: Tree, path: bytes) -> None:
        """Remove a path and all below it."""
        for other in [p for p in tree.nodes if p == path or p.startswith(path + b"/")]:
            del tree.nodes[other]
        self._touch(tree, path.rpartition(b"/")[0])

    def _touch(self, tree: Tree, directory: bytes) -> None:
        """A directory's own times move with the names in it."""
        node = tree.nodes[directory]
        node.mtime_ns = node.ctime_ns = self.tick()

    def move(self, place: str, other: str) -> None:
        """Rename a tree: its root's change time moves, its identity does not."""
        process = here()
        if process is not None:
            process.effects += 1
        tree = self.places.pop(place)
        tree.nodes[b""].ctime_ns = self.tick()
        self.places[other] = tree

    def identity(self, tree: Tree) -> SourceIdentity:
        """Who this tree is; the device's number counts mounts and means nothing."""
        return SourceIdentity(NAME, (("device", str(self.mounts)), ("inode", str(tree.inode))))


def _nobody_watches(_permit: PurgePermit, _tree: Tree) -> None:
    pass


class SimulatedProvider:
    """See vault.provider.Provider. `reach` is called at every call; `purging` at the decision."""

    name = NAME
    capabilities = frozenset(Capability)

    def __init__(
        self,
        disk: Disk,
        reach: Callable[[], None],
        purging: Callable[[PurgePermit, Tree], None] = _nobody_watches,
    ) -> None:
        self.disk = disk
        self.captured: TreeCapture | None = None
        self._reach = reach
        self._purging = purging

    def identify(self, location: str) -> SourceIdentity:
        """See Provider."""
        self._reach()
        return self.disk.identity(self._tree(location))

    def is_same(self, one: SourceIdentity, other: SourceIdentity) -> bool:
        """See Provider."""
        return one.kind == other.kind and dict(one.terms)["inode"] == dict(other.terms)["inode"]

    def overlaps(self, location: str, other: str) -> bool:
        """See Provider."""
        one, two = location.rstrip("/") + "/", other.rstrip("/") + "/"
        return one.startswith(two) or two.startswith(one)

    def capture(self, location: str) -> TreeCapture:
        """See Provider; remembered as the last one."""
        self._reach()
        tree = self._tree(location)
        self.captured = TreeCapture(self.disk, tree, self._reach)
        return self.captured

    def restoration(self, target: str, *, in_place: bool) -> TreeRestoration:
        """See Provider."""
        self._reach()
        tree = self.disk.places.get(target)
        if tree is not None and len(tree.nodes) > 1 and not in_place:
            raise TargetNotEmpty(f"“{target}” is not empty")
        return TreeRestoration(self.disk, tree or self.disk.make(target), self._reach)

    def plan_quarantine(self, location: str, tombstone: str) -> Quarantine:
        """See Provider."""
        self._reach()
        identity = self.disk.identity(self._tree(location))
        return Quarantine(tombstone, location, _held_at(location, tombstone), identity)

    def quarantine(self, place: Quarantine) -> None:
        """See Provider."""
        self._reach()
        if place.held_at != _held_at(place.location, place.tombstone):
            raise QuarantineRefused(f"{place.held_at} is no place for {place.location}")
        if not self._stands(place.held_at, place):
            self._demand(place.location, place)
            self.disk.move(place.location, place.held_at)
        self._reach()

    def undelete(self, place: Quarantine) -> None:
        """See Provider."""
        self._reach()
        if not self._stands(place.held_at, place):
            if self._stands(place.location, place):
                return
            raise SourceVanished(f"nothing waits at {place.held_at}")
        if place.location in self.disk.places:
            raise PlaceTaken(f"something stands at {place.location}", hint="Move it away.")
        self.disk.move(place.held_at, place.location)
        self._reach()

    def whereabouts(self, place: Quarantine) -> Whereabouts:
        """See Provider."""
        self._reach()
        if _decided(place) in self.disk.places:
            return Whereabouts.PURGING
        if self._stands(place.held_at, place):
            return Whereabouts.QUARANTINED
        if self._stands(place.location, place):
            return Whereabouts.IN_PLACE
        return Whereabouts.GONE

    def purge(self, permit: PurgePermit) -> None:
        """See Provider."""
        self._reach()
        place, decided = permit.quarantine, _decided(permit.quarantine)
        if decided not in self.disk.places:
            if not self._stands(place.held_at, place):
                if self._stands(place.location, place):
                    raise SourceVanished(f"{place.location} was undeleted before its purge")
                return
            self._purging(permit, self.disk.places[place.held_at])
            self.disk.move(place.held_at, decided)
        self._reach()
        self.disk.places[decided].nodes.clear()
        self._reach()
        del self.disk.places[decided]

    def _tree(self, location: str) -> Tree:
        tree = self.disk.places.get(location)
        if tree is None:
            raise SourceVanished(f"nothing stands at {location}")
        return tree

    def _stands(self, location: str, place: Quarantine) -> bool:
        tree = self.disk.places.get(location)
        return tree is not None and self.is_same(self.disk.identity(tree), place.identity)

    def _demand(self, location: str, place: Quarantine) -> None:
        if not self._stands(location, place):
            self._tree(location)
            raise SourceReplaced(f"another source stands at {location}")


def _held_at(location: str, tombstone: str) -> str:
    return f"{location.rpartition('/')[0]}/.trash/{tombstone}/data"


def _decided(place: Quarantine) -> str:
    return place.held_at.removesuffix("data") + "purging"
