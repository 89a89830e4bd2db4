"""Stores a pack and proves it: put, read back by its version, hash, decrypt, remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from vault.codec.digest import plain_digest
from vault.codec.keyring import SessionKeys
from vault.errors import Corrupt
from vault.repository.index import IndexedPack, LocalIndex
from vault.repository.locks import Locks
from vault.repository.pack import SealedPack, prove_pack
from vault.store.contract import WritableStore
from vault.store.names import pack_key


@dataclass(frozen=True, slots=True)
class PackStore:
    """Where a session's packs go; `stored` is told of each one that was proven."""

    store: WritableStore
    index: LocalIndex
    locks: Locks
    vault: str
    keys: SessionKeys
    until: datetime
    stored: Callable[[IndexedPack], None]

    def put(self, pack: SealedPack) -> None:
        """Put and prove one pack. Raises Corrupt where the store gives back other bytes."""
        key = pack_key(pack.digest)
        receipt = self.store.put(key, pack.take(), self.until)  # not held beside what comes back
        self._prove(pack, key, self.store.get(key, version=receipt.version))
        stored = IndexedPack(pack.head, pack.chunks, receipt.version, receipt.locked_until)
        self.index.add_pack(stored)
        self.locks.trust(pack.head)
        self.stored(stored)

    def _prove(self, pack: SealedPack, key: str, data: bytes) -> None:
        if plain_digest(data) != pack.head.digest:
            raise Corrupt(
                f"{key} came back from the store as other bytes than were put",
                safe="Nothing was acknowledged; former snapshots stay as they are.",
                hint="Check the store and the network, then take the snapshot again.",
            )
        prove_pack(self.keys, self.vault, pack, data)
