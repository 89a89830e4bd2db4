"""`python -m benching.filling HOME COUNT URL`: index objects that tell of COUNT chunks."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from benching.workload import SEED
from vault.clock import SystemClock
from vault.ids import new_id
from vault.limits import MIB
from vault.operations import homes
from vault.repository.index import IndexedPack
from vault.repository.index_objects import IndexWriter
from vault.repository.pack import ChunkPlace, PackedChunk, PackHead
from vault.store.opening import open_store

_PACK: Final = 32  # chunks of 1 MiB in a pack of 32 MiB
_LOCKED: Final = timedelta(days=60)


def fill(home: Path, count: int, url: str) -> None:
    """Store them as this home's writer would have, signed and sealed."""
    clock = SystemClock()
    until, session = clock.now() + _LOCKED, new_id("sess", clock.now())
    store = open_store(url, right="writer", clock=clock)
    writer = IndexWriter(store, homes.read_writer_keys(home), session, retain_until=until)
    dice = Random(SEED)
    for start in range(0, count, _PACK):
        head = PackHead(dice.randbytes(32), session, dice.randbytes(32))
        chunks = []
        for number in range(min(_PACK, count - start)):
            # Ids that rise: the local index takes them in without looking all over its file.
            name = ((start + number) * (2**64 // count)).to_bytes(8, "big") + dice.randbytes(24)
            place = ChunkPlace(head.digest, number, number * MIB, MIB, MIB, False)
            chunks.append(PackedChunk(name, 0, place))
        writer.add(IndexedPack(head, chunks, "0", until))
    writer.finish()


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
