"""From bytes to stored packs: workers hash, dedupe, compress and seal; uploaders store and prove.

The thread that feeds a lane also says which chunks make up a pack, so order needs no lock; whatever
fails in another thread is raised in the feeding one.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Final

import msgspec

from vault import limits
from vault.codec.buffers import Buffer
from vault.codec.compressor import compress
from vault.codec.digest import chunk_id
from vault.repository.pack import ChunkKind, ChunkRef, PackBuilder, SealedPack
from vault.repository.uploads import PackStore

_WORKERS_MAX: Final = 8
_UPLOADS: Final = 3
_QUEUED: Final = 3  # batches that wait for workers, in each lane


class Slot:
    """Where a chunk is stored: `ref` is None until its pack is complete."""

    __slots__ = ("ref",)

    def __init__(self) -> None:
        self.ref: ChunkRef | None = None


class Prepared(msgspec.Struct):
    """A chunk as a worker leaves it; `payload` is None where it is (or will be) stored already.

    `new` says that no earlier session has stored it.
    """

    slot: Slot
    chunk_id: bytes
    length: int
    new: bool
    compressed: bool = False
    payload: bytes | None = None


class Workshop:
    """What the lanes of one session share: pack store, threads, the bound on bytes in flight."""

    def __init__(self, packs: PackStore) -> None:
        self.vault = packs.vault
        self.keys = packs.keys
        self.stored_bytes = 0
        self._packs = packs
        self._workers = ThreadPoolExecutor(min(os.cpu_count() or 2, _WORKERS_MAX), "vault-seal")
        self._uploaders = ThreadPoolExecutor(_UPLOADS, "vault-upload")
        self._uploads: dict[Future[None], int] = {}
        self._lanes: list[Lane] = []
        self._claims: dict[tuple[int, bytes], Slot] = {}
        self._guard = threading.Lock()

    def lane(self, kind: ChunkKind, deliver: Callable[[Slot, int], None]) -> Lane:
        """A new lane; `deliver` is told each chunk's slot and length, as they were submitted."""
        lane = Lane(self, kind, deliver)
        self._lanes.append(lane)
        return lane

    def prepare(self, kind: int, data: Buffer, lengths: Sequence[int]) -> list[Prepared]:
        """In a worker: name the chunks of a buffer, find those that are stored, shrink the rest.

        Nothing of the buffer is referred to afterwards.
        """
        whole, start, prepared = memoryview(data), 0, []
        for length in lengths:
            prepared.append(self._prepare(kind, whole[start : start + length]))
            start += length
        return prepared

    def _prepare(self, kind: int, data: memoryview) -> Prepared:
        name = chunk_id(self.keys.chunk_id_key, data)
        fresh = Slot()
        with self._guard:
            slot = self._claims.setdefault((kind, name), fresh)
        found = self._packs.index.find(name, kind)
        new = found is None or found[0].session == self.keys.session
        if slot is not fresh:
            return Prepared(slot, name, len(data), new)
        if found is not None and self._packs.locks.holds(found[0]):
            slot.ref = ChunkRef(name, *found)
            with self._guard:
                del self._claims[kind, name]
            return Prepared(slot, name, len(data), new)
        shrunk, payload = compress(data)  # one whose pack cannot be locked is stored again, no news
        return Prepared(slot, name, len(data), new, shrunk, bytes(payload))

    def submit(self, work: Callable[[], list[Prepared]]) -> Future[list[Prepared]]:
        """Have a worker do it; such work begins in the order of the calls."""
        return self._workers.submit(work)

    def upload(self, builder: PackBuilder, slots: Sequence[Slot]) -> Future[SealedPack]:
        """Have a pack sealed and stored; what it returns is done once the slots have a place."""
        sealed = self._workers.submit(_seal, builder, slots)
        self._uploads[self._uploaders.submit(self._finish, sealed)] = builder.size
        return sealed

    def _finish(self, sealed: Future[SealedPack]) -> None:
        pack = sealed.result()
        size = len(pack.data)
        self._packs.put(pack)
        with self._guard:  # from here on the index answers
            self.stored_bytes += size
            for chunk in pack.chunks:
                self._claims.pop((chunk.kind, chunk.chunk_id), None)

    @property
    def in_flight(self) -> int:
        """Bytes held between the source and the store."""
        return sum(lane.held for lane in self._lanes) + sum(self._uploads.values())

    def make_room(self, size: int) -> None:
        """Wait until `size` more bytes may be held."""
        self._collect(block=False)
        while self.in_flight + size > limits.BYTES_IN_FLIGHT and self._relieve():
            pass

    def _relieve(self) -> bool:
        if any(lane.step() for lane in self._lanes):
            return True
        if self._uploads:
            self._collect(block=True)
            return True
        fullest = max(self._lanes, key=lambda lane: lane.held)
        return fullest.seal()

    def settle(self) -> None:
        """Wait for all uploads; raises what any of them raised."""
        while self._uploads:
            self._collect(block=True)

    def _collect(self, *, block: bool) -> None:
        if block:
            wait(self._uploads, return_when=FIRST_COMPLETED)
        for upload in [u for u in self._uploads if u.done()]:
            del self._uploads[upload]
            upload.result()

    def close(self) -> None:
        """Stop: what has not begun is dropped, what runs is waited for."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._uploaders.shutdown(wait=False, cancel_futures=True)
        self._workers.shutdown(wait=True)
        self._uploaders.shutdown(wait=True)


class Lane:
    """A sequence of chunks that fills packs of its own, in order."""

    def __init__(
        self, shop: Workshop, kind: ChunkKind, deliver: Callable[[Slot, int], None]
    ) -> None:
        self._shop = shop
        self._kind = kind
        self._deliver = deliver
        self._queue: deque[tuple[Future[list[Prepared]], int]] = deque()
        self._sealing: list[Future[SealedPack]] = []
        self._queued = 0
        self.new = self.packed = 0  # bytes that no earlier session has stored, and as compressed
        self._begin()

    def _begin(self) -> None:
        keys = self._shop.keys
        self._builder = PackBuilder(self._shop.vault, keys.session, keys.data_key)
        self._slots: list[Slot] = []

    @property
    def held(self) -> int:
        """Bytes in this lane's queue and open pack."""
        return self._queued + (self._builder.size if self._slots else 0)

    def submit(self, data: Buffer, lengths: Sequence[int]) -> None:
        """Take chunks, laid end to end in `data`; waits while too much is in flight."""
        self.submit_work(partial(self._shop.prepare, self._kind, data, lengths), len(data))

    def submit_work(self, work: Callable[[], list[Prepared]], size: int) -> None:
        """Take chunks that a worker is to prepare from `size` bytes; waits likewise.

        One of them may have begun before: as much as it holds at most has to have room, too.
        """
        self._shop.make_room(size + limits.CHUNK_MAX)
        while len(self._queue) >= _QUEUED or (self._queue and self._queue[0][0].done()):
            self.step()
        self._queue.append((self._shop.submit(work), size))
        self._queued += size

    def step(self) -> bool:
        """Take the oldest batch of the queue into the pack; False where it is empty."""
        if not self._queue:
            return False
        future, size = self._queue.popleft()
        self._queued -= size
        for chunk in future.result():
            self._build(chunk)
        return True

    def _build(self, chunk: Prepared) -> None:
        if chunk.new:
            self.new += chunk.length
            self.packed += len(chunk.payload or b"")
        if chunk.payload is not None:
            self._builder.add(
                chunk.chunk_id,
                self._kind,
                raw_length=chunk.length,
                compressed=chunk.compressed,
                payload=chunk.payload,
            )
            self._slots.append(chunk.slot)
        self._deliver(chunk.slot, chunk.length)
        if self._builder.size >= limits.PACK_TARGET:
            self.seal()

    def finish(self) -> None:
        """Take in all that waits and close the last pack; all chunks have a place afterwards."""
        while self.step():
            pass
        self.seal()
        for sealed in self._sealing:
            sealed.result()

    def seal(self) -> bool:
        """Close the open pack and hand it on; False where there is nothing in it."""
        if not self._slots:
            return False
        self._sealing = [sealed for sealed in self._sealing if not sealed.done()]
        self._sealing.append(self._shop.upload(self._builder, self._slots))
        self._begin()
        return True


def _seal(builder: PackBuilder, slots: Sequence[Slot]) -> SealedPack:
    pack = builder.finish()
    for slot, chunk in zip(slots, pack.chunks, strict=True):
        slot.ref = ChunkRef(chunk.chunk_id, pack.head, chunk.place)
    return pack
