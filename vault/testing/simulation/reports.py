"""What the product reports, compared with what was done to it: tampering, vanished volumes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from vault.store.memory import MemoryStore
from vault.store.names import content_digest, digest_of
from vault.testing.simulation.disk import Disk
from vault.testing.simulation.oracle import Oracle
from vault.testing.simulation.wants import Kept

_READ_WHOLE: Final = ("events/", "snapshots/", "charter/")
"""What a verification that is not deep reads; of the rest it sees sizes and markers."""


@dataclass(slots=True)
class Reports:
    """`tampered` is what an attacker touched, `missed` how often a lost volume was passed over."""

    oracle: Oracle
    server: MemoryStore
    disk: Disk
    tampered: set[str] = field(default_factory=set)
    missed: dict[str, int] = field(default_factory=dict)

    def verified(self, found: Collection[str], *, deep: bool) -> None:
        """A verification told these keys: all that lies over anything is among them."""
        self.oracle.counts["verifications"] += 1
        for key in sorted(self.tampered):
            if self._shows(key, deep=deep):
                self.oracle.counts["tampering reported"] += 1
                self.oracle.insist(key in found, f"P6: what was done to {key} is not reported")

    def looked(self, volumes: Collection[str]) -> None:
        """A round of the daemon without errors looked at these: whoever is not there is noticed.

        A volume that is not looked at for three rounds is not noticed either.
        """
        for kept in self._away():
            self.missed[kept.id] = self.missed.get(kept.id, 0) + 1
            if kept.id in volumes or self.missed[kept.id] > 3:
                self.oracle.counts["vanished"] += 1
                self.oracle.insist(
                    "alarm" in kept.frozen, f"P13: {kept.name} is gone, and nobody was told"
                )

    def _away(self) -> Iterator[Kept]:
        """The volumes that should be in their places and are not."""
        for kept in self.oracle.volumes.values():
            if kept.closed_at or kept.paused or "tombstoned" in kept.frozen:
                continue
            tree = self.disk.places.get(kept.location)
            if tree is not None and str(tree.inode) == kept.inode:
                self.missed.pop(kept.id, None)
            else:
                yield kept

    def _shows(self, key: str, *, deep: bool) -> bool:
        """Whether something other than the object lies under a key that somebody needs."""
        if key.startswith("packs/") and not self._is_referred_to(digest_of(key) or ""):
            return False  # nobody reads it
        if digest_of(key) is None:
            return True
        sizes: set[int] = set()
        foreign: list[bool] = []  # newest first
        for version in self.server.list(key):
            if version.marker:
                return True
            data = self.server.get(key, version=version.version)
            sizes.add(len(data))
            foreign.append(content_digest(data) != digest_of(key))
        if len(sizes) > 1:
            return True
        # What lies between two good ones of its size hides nothing, and is not looked at.
        read = deep or key.startswith(_READ_WHOLE)
        return read and any(foreign[:1] + foreign[-1:])

    def _is_referred_to(self, digest: str) -> bool:
        return any(digest in snapshot.packs for snapshot in self.oracle.snapshots.values())
