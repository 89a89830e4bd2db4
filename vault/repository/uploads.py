"""Stores a pack and proves it: put, read back by its version, hash, decrypt, remember."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from vault import limits
from vault.codec.digest import plain_digest_of
from vault.codec.keyring import SessionKeys
from vault.errors import Corrupt
from vault.repository.index import IndexedPack, LocalIndex
from vault.repository.locks import Locks
from vault.repository.pack import SealedPack, prove_stretch, stretches
from vault.store.contract import WritableStore
from vault.store.names import pack_key

_AT_ONCE: Final = limits.CHUNK_MAX
"""Bytes read back at a time: few requests a pack, and little memory."""


class PackStore(msgspec.Struct, frozen=True):
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
        key, data = pack_key(pack.digest), pack.take()
        receipt = self.store.put(key, data, self.until)
        data.clear()  # a client holds its request in cycles, and so it beside what comes back
        self._prove(pack, key, receipt.version)
        stored = IndexedPack(pack.head, pack.chunks, receipt.version, receipt.locked_until)
        self.index.add_pack(stored)
        self.locks.trust(pack.head)
        self.stored(stored)

    def _prove(self, pack: SealedPack, key: str, version: str) -> None:
        """Hash and decrypt what the store gives back, by parts: it is not in memory as a whole."""
        broken: list[Corrupt] = []

        def read_back() -> Iterator[bytes]:
            for stretch in stretches(pack, _AT_ONCE):
                data = self.store.get(key, stretch.start, stretch.length, version=version)
                try:
                    prove_stretch(self.keys, self.vault, pack.head, stretch, data)
                except Corrupt as error:
                    broken.append(error)
                yield data

        if plain_digest_of(read_back()) != pack.head.digest:
            raise Corrupt(
                f"{key} came back from the store as other bytes than were put",
                safe="Nothing was acknowledged; former snapshots stay as they are.",
                hint="Check the store and the network, then take the snapshot again.",
            )
        if broken:
            raise broken[0]
