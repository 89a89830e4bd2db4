"""Chunks from packs: fetched ahead in runs of neighbours, each proven before it is given out."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from vault import limits
from vault.codec.buffers import Buffer
from vault.codec.keyring import SessionKeys
from vault.errors import Corrupt, ObjectMissing, Unauthentic, VaultError
from vault.repository.authentic import TamperingLog, read_verified
from vault.repository.pack import ChunkKind, ChunkRef, open_chunk
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord
from vault.store.contract import Reader
from vault.store.names import pack_key

_RUN: Final = 4 * limits.MIB  # fetched in one call, at most (or one chunk)
_GAP: Final = 128 * limits.KIB  # read and thrown away rather than asked for separately
_AHEAD: Final = 32 * limits.MIB  # expanded bytes fetched ahead of the consumer
_IDLE: Final = 16 * limits.MIB  # expanded bytes kept after use, for those who come back


class ChunkSource:
    """Opens a snapshot's chunks; where a pack was tampered with, those of its authentic version."""

    def __init__(
        self, reader: Reader, ring: SessionRing, record: SnapshotRecord, tampering: TamperingLog
    ) -> None:
        self._reader = reader
        self._ring = ring
        self._vault = record.header.vault
        self._writer = record.signer_hex  # it refers to none but its own sessions
        self._tampering = tampering
        self._versions: dict[bytes, str] = {}
        self._damaged: set[bytes] = set()
        self._keyless: dict[str, str] = {}  # sessions, and why nobody can open what is theirs
        self._guard = threading.Lock()

    def fetch(self, wanted: Sequence[Wanted], kind: ChunkKind) -> None:
        """Fill in `data` or `error` of neighbours in one pack, with one call if all is well."""
        first, last = wanted[0].ref.place, wanted[-1].ref.place
        data = self._range(first.pack, first.offset, last.offset + last.length - first.offset)
        for item in wanted:
            place = item.ref.place
            start = place.offset - first.offset
            piece = memoryview(data)[start : start + place.length]
            try:
                item.data = self._open(item.ref, kind, piece)
            except Corrupt:
                try:
                    item.data = self._rescue(item.ref, kind)
                except Corrupt as error:
                    item.error = error

    def _range(self, pack: bytes, start: int, length: int) -> bytes:
        try:
            key = pack_key(pack.hex())
            return self._reader.get(key, start, length, version=self._versions.get(pack))
        except ObjectMissing:
            return b""  # hidden or gone: the rescue tells which

    def _open(self, ref: ChunkRef, kind: ChunkKind, ciphertext: Buffer) -> bytes:
        keys = self._keys(ref.head.session)
        return open_chunk(keys, self._vault, ref, kind=kind, ciphertext=ciphertext)

    def _keys(self, session: str) -> SessionKeys:
        """Raises Corrupt where they are lost: that costs what the session stored, and no more."""
        if session not in self._keyless:
            try:
                return self._ring.key(session, writer=self._writer)
            except (Corrupt, ObjectMissing, Unauthentic) as error:
                self._keyless[session] = error.message
        raise Corrupt(
            self._keyless[session],
            hint="Restore the rest, or take what is missing from another snapshot.",
        )

    def _rescue(self, ref: ChunkRef, kind: ChunkKind) -> bytes:
        pack, place = ref.place.pack, ref.place
        key = pack_key(pack.hex())
        self._keys(ref.head.session)
        with self._guard:
            if pack not in self._versions and pack not in self._damaged:
                try:
                    self._versions[pack] = read_verified(self._reader, key, self._tampering).version
                except (Corrupt, ObjectMissing):
                    self._damaged.add(pack)
        if pack in self._damaged:
            raise Corrupt(
                f"{key} is damaged or gone, and no version of it is whole",
                hint="Restore the rest, or take what is missing from another snapshot.",
            )
        return self._open(ref, kind, self._range(pack, place.offset, place.length))


class Wanted:
    """A chunk that was asked for; `uses` counts the consumers that still wait for it."""

    __slots__ = ("arrival", "data", "error", "ref", "uses")

    def __init__(self, ref: ChunkRef) -> None:
        self.ref = ref
        self.uses = 0
        self.data = b""
        self.error: VaultError | None = None
        self.arrival: Future[None] | None = None


class Readahead:
    """Fetches chunks ahead of one consumer, several runs at once, in bounded memory."""

    def __init__(self, source: ChunkSource, kind: ChunkKind, threads: ThreadPoolExecutor) -> None:
        self._source = source
        self._kind = kind
        self._threads = threads
        self._active: dict[tuple[bytes, int], Wanted] = {}
        self._idle: OrderedDict[tuple[bytes, int], Wanted] = OrderedDict()
        self._idle_bytes = 0
        self._run: list[Wanted] = []
        self._run_end = 0
        self.ahead = 0

    @property
    def room(self) -> bool:
        """Whether the consumer may ask for more before it takes."""
        return self.ahead < _AHEAD

    @property
    def low(self) -> bool:
        """Whether it is time to ask for more."""
        return self.ahead < _AHEAD // 2

    def want(self, ref: ChunkRef) -> Wanted:
        """Ask for a chunk; every `want` is answered by one `take` or `drop`."""
        place = ref.place
        key = (place.pack, place.number)
        item = self._active.get(key)
        if item is None:
            item = self._idle.pop(key, None)
            if item is not None:
                self._idle_bytes -= place.raw_length
            else:
                item = Wanted(ref)
                self._enlist(item)
            self._active[key] = item
            self.ahead += place.raw_length
        item.uses += 1
        return item

    def _enlist(self, item: Wanted) -> None:
        place, run = item.ref.place, self._run
        if run:
            first = run[0].ref.place
            near = place.pack == first.pack and 0 <= place.offset - self._run_end <= _GAP
            if not near or place.offset + place.length - first.offset > _RUN:
                self.flush()
        self._run.append(item)
        self._run_end = place.offset + place.length

    def flush(self) -> None:
        """Send off what was asked for so far."""
        run, self._run = self._run, []
        if run:
            arrival = self._threads.submit(self._source.fetch, run, self._kind)
            for item in run:
                item.arrival = arrival

    def take(self, item: Wanted) -> bytes:
        """Wait for a chunk. Raises Corrupt where it is damaged, and what the store raises."""
        if item.arrival is None:
            self.flush()
        try:
            if item.arrival is not None:
                item.arrival.result()
            if item.error is not None:
                raise item.error
            return item.data
        finally:
            self.drop(item)

    def drop(self, item: Wanted) -> None:
        """Give up one claim to a chunk."""
        item.uses -= 1
        if item.uses:
            return
        place = item.ref.place
        key = (place.pack, place.number)
        del self._active[key]
        self.ahead -= place.raw_length
        self._idle[key] = item
        self._idle_bytes += place.raw_length
        while self._idle_bytes > _IDLE:
            _, old = self._idle.popitem(last=False)
            self._idle_bytes -= old.ref.place.raw_length

    def all(self, refs: Iterable[ChunkRef | Corrupt]) -> Iterator[bytes | Corrupt]:
        """The chunks of `refs`, in order; errors stand where something is lost."""
        coming = iter(refs)
        window: deque[Wanted | Corrupt] = deque()
        while True:
            while self.room and (ref := next(coming, None)) is not None:
                window.append(ref if isinstance(ref, Corrupt) else self.want(ref))
            self.flush()
            if not window:
                return
            while window:
                yield self._present(window.popleft())

    def _present(self, item: Wanted | Corrupt) -> bytes | Corrupt:
        if isinstance(item, Corrupt):
            return item
        try:
            return self.take(item)
        except Corrupt as error:
            return error
