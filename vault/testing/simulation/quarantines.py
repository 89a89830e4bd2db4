"""What is set aside, compared with the disk: within its window it comes back, and in the end each
tombstone says what is so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from vault.errors import StoreError, VaultError
from vault.testing.simulation.disk import Disk
from vault.testing.simulation.oracle import SLACK, Grave, Oracle

_WAITING: Final = ("tombstoned", "purging")
"""What stands in quarantine is said to be so; a purge that began and did not decide is no end."""

_ENDED: Final = ("abandoned", "denied", "restored", "purged", "store_only")


@dataclass(slots=True)
class Quarantines:
    """`reachable`: in this world no call to the store fails."""

    oracle: Oracle
    disk: Disk
    reachable: bool

    @contextmanager
    def asked_back(self, identifier: str) -> Iterator[None]:
        """Somebody undeletes: where all waits as it was put, only the store's absence refuses."""
        owed = self._is_owed(identifier)
        self.oracle.counts["undeletes owed"] += owed
        try:
            yield
        except VaultError as error:
            explained = isinstance(error, StoreError) and not self.reachable
            self.oracle.insist(
                explained or not owed or not self._is_owed(identifier),
                f"P2: {identifier} is refused within its window: {type(error).__name__}: {error}",
            )
            raise

    def settled(self, states: Mapping[str, str]) -> None:
        """Everybody has had a turn without trouble: nothing is half done, and all is as told."""
        for grave in self.oracle.graves.values():
            state = states.get(grave.id, "nowhere")
            name = f"{grave.id} is {state}"
            waits = self.held_at(grave) in self.disk.places
            self.oracle.insist(
                state in (_WAITING if waits else _ENDED),
                f"P2: {name}, and its data {'wait' if waits else 'do not wait'} in quarantine",
            )
            decided = self.held_at(grave).removesuffix("data") + "purging"
            self.oracle.insist(decided not in self.disk.places, f"P3: {name}, and half purged")
            self.oracle.insist(
                state != "restored" or grave.undone is not None,
                f"P4: {name}, and no undelete is on record",
            )
            self.oracle.insist(
                state not in ("purged", "store_only") or grave.purged or not self._place(grave),
                f"P3: {name}, and its data stand at {self._place(grave)}",
            )
            self.oracle.counts["tombstones settled"] += 1

    def held_at(self, grave: Grave) -> str:
        """Where its data are put; nothing else ever stands there."""
        location = self.oracle.volumes[grave.volume].location
        return f"{location.rpartition('/')[0]}/.trash/{grave.id}/data"

    def _is_owed(self, identifier: str) -> bool:
        """Whether it was acknowledged, has not lapsed, waits, and its place is free."""
        grave = self.oracle.graves.get(identifier)
        if grave is None or not grave.acknowledged or grave.began is None:
            return False
        due = self.oracle.sight.now() < grave.began + grave.window - SLACK
        free = self.oracle.volumes[grave.volume].location not in self.disk.places
        return due and free and self.held_at(grave) in self.disk.places

    def _place(self, grave: Grave) -> str:
        places = self.disk.places.items()
        return next((place for place, tree in places if tree is grave.tree), "")
