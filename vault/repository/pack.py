"""Packs: sealed chunks laid end to end, with a sealed table of contents behind them.

    header  `VAULTPCK` | u16 version | 16-byte vault digest | 31-byte session id | 32-byte salt
    chunks  ciphertexts, in the order of their numbers (0, 1, …)
    table   sealed MessagePack: [[chunk id, kind, offset, length, raw length, compressed], …]
    trailer u32 length of the sealed table | `KCPTLUAV`

Integers are big-endian. A pack is named by the BLAKE3 of all its bytes.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Annotated, Final, NamedTuple

import msgspec

from vault.codec.buffers import Buffer
from vault.codec.cipher import (
    SALT_SIZE,
    TAG_SIZE,
    new_salt,
    pack_key,
    seal_into,
    unseal,
    unseal_into,
)
from vault.codec.compressor import decompress
from vault.codec.decoding import read_msgpack
from vault.codec.digest import chunk_id as keyed_id
from vault.codec.digest import plain_digest, vault_digest
from vault.codec.keyring import SessionKeys
from vault.errors import Corrupt, FeatureUnknown
from vault.ids import is_id
from vault.limits import MIB

MAGIC: Final = b"VAULTPCK"
END_MAGIC: Final = b"KCPTLUAV"
VERSION: Final = 1
CHUNK_CEILING: Final = 16 * MIB
"""The most that a chunk may expand to; readers refuse more before they allocate it."""

_HEADER: Final = struct.Struct(f">8sH16s31s{SALT_SIZE}s")
_TRAILER: Final = struct.Struct(">I8s")
_BOUND: Final = struct.Struct(f">16s{SALT_SIZE}sQ32sB")
_TABLE_NUMBER: Final = 2**64 - 1
_TABLE_KIND: Final = 255


# Bounds are part of the types, so that whatever decodes into them is within them.
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
SessionId = Annotated[str, msgspec.Meta(min_length=31, max_length=31)]
U8 = Annotated[int, msgspec.Meta(ge=0, le=2**8 - 1)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
U63 = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
RawLength = Annotated[int, msgspec.Meta(ge=0, le=CHUNK_CEILING)]


class ChunkKind(IntEnum):
    """What a chunk holds; the numbers are part of the stored format."""

    DATA = 0
    PAGE = 1
    TABLE = 2


class PackHead(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What opening any chunk of a pack takes: its digest (32 bytes), session id and salt."""

    digest: Bytes32
    session: SessionId
    salt: Bytes32


class ChunkPlace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a chunk lies: pack digest, number in the pack, byte offset and stored length there."""

    pack: Bytes32
    number: U32
    offset: U63
    length: U32
    raw_length: RawLength
    compressed: bool


class PackedChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A chunk's id (32 bytes), kind and place."""

    chunk_id: Bytes32
    kind: U8
    place: ChunkPlace


class ChunkRef(msgspec.Struct, frozen=True, array_like=True):
    """All that a reader needs to fetch and open one chunk, besides the session's keys."""

    chunk_id: Bytes32
    head: PackHead
    place: ChunkPlace


class TableRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A chunk in a table of contents; its number is its place in the table."""

    chunk_id: Bytes32
    kind: U8
    offset: U63
    length: U32
    raw_length: RawLength
    compressed: bool


class SealedPack(msgspec.Struct):
    """A finished pack; `chunks` are in the order of their numbers."""

    head: PackHead
    data: bytearray
    chunks: tuple[PackedChunk, ...]

    @property
    def digest(self) -> str:
        """The pack's name, 64 hex digits."""
        return self.head.digest.hex()

    def take(self) -> bytearray:
        """The pack's bytes, which it lets go of."""
        data, self.data = self.data, bytearray()
        return data


class PackBuilder:
    """Takes chunks one after another and seals them into one pack of one session.

    For one thread at a time.
    """

    def __init__(self, vault: str, session: str, data_key: bytes) -> None:
        self._session = session
        self._salt = new_salt()
        self._vault = vault_digest(vault)
        self._key = pack_key(data_key, self._salt)
        self._rows: list[TableRow] = []
        self._payloads: deque[Buffer] = deque()
        self.size = _HEADER.size
        """Bytes of the pack so far, without table and trailer."""

    def __len__(self) -> int:
        """How many chunks are in it."""
        return len(self._rows)

    def add(
        self, chunk_id: bytes, kind: int, *, raw_length: int, compressed: bool, payload: Buffer
    ) -> int:
        """Append one chunk; returns its number. `payload` is its data, compressed where so said."""
        length = len(payload) + TAG_SIZE
        self._rows.append(TableRow(chunk_id, kind, self.size, length, raw_length, compressed))
        self._payloads.append(payload)
        self.size += length
        return len(self._rows) - 1

    def finish(self) -> SealedPack:
        """Seal the chunks and the table, name the pack. Nothing may be added afterwards."""
        table = msgspec.msgpack.encode(self._rows)
        length = len(table) + TAG_SIZE
        data = bytearray(self.size + length + _TRAILER.size)
        session = self._session.encode("ascii")
        _HEADER.pack_into(data, 0, MAGIC, VERSION, self._vault, session, self._salt)
        whole = memoryview(data)
        for number, row in enumerate(self._rows):
            bound = _BOUND.pack(self._vault, self._salt, number, row.chunk_id, row.kind)
            place = whole[row.offset : row.offset + row.length]
            seal_into(self._key, number, bound, self._payloads.popleft(), place)
        bound = _table_bound(self._vault, self._salt)
        seal_into(self._key, _TABLE_NUMBER, bound, table, whole[self.size : self.size + length])
        _TRAILER.pack_into(data, self.size + length, length, END_MAGIC)
        head = PackHead(plain_digest(data), self._session, self._salt)
        return SealedPack(head, data, placed(head, self._rows))


class Stretch(NamedTuple):
    """Bytes of a pack, with the whole chunks in them; the last goes to its end (None)."""

    start: int
    length: int | None
    chunks: tuple[PackedChunk, ...]


def stretches(pack: SealedPack, most: int) -> Iterator[Stretch]:
    """All of a pack in order, by `most` bytes at a time where its chunks are not longer."""
    start, inside = 0, list[PackedChunk]()
    for chunk in pack.chunks:
        place = chunk.place
        if inside and place.offset + place.length - start > most:
            yield Stretch(start, place.offset - start, tuple(inside))
            start, inside = place.offset, []
        inside.append(chunk)
    yield Stretch(start, None, tuple(inside))


def prove_stretch(
    keys: SessionKeys, vault: str, head: PackHead, stretch: Stretch, data: Buffer
) -> None:
    """Decrypt every chunk of a stretch. Raises Corrupt; `keys` are its session's."""
    key, owner, whole = pack_key(keys.data_key, head.salt), vault_digest(vault), memoryview(data)
    longest = max((chunk.place.length for chunk in stretch.chunks), default=TAG_SIZE)
    scratch = memoryview(bytearray(longest))
    for chunk in stretch.chunks:
        place = chunk.place
        bound = _BOUND.pack(owner, head.salt, place.number, chunk.chunk_id, chunk.kind)
        piece = whole[place.offset - stretch.start :][: place.length]
        if len(piece) < place.length:
            raise Corrupt("a pack came back cut short")
        unseal_into(key, place.number, bound, piece, scratch[: place.length - TAG_SIZE])


def unseal_chunk(
    keys: SessionKeys, vault: str, ref: ChunkRef, *, kind: int, ciphertext: Buffer
) -> bytes:
    """Decrypt one chunk, still compressed where `ref` says so; `keys` are its session's.

    Raises Corrupt unless vault, pack, position, id and kind are those that it was sealed for.
    """
    place = ref.place
    if not (0 <= place.number < _TABLE_NUMBER and 0 <= place.raw_length <= CHUNK_CEILING):
        raise Corrupt("a reference to a chunk is out of bounds")
    if len(ciphertext) != place.length:
        raise Corrupt("a chunk is not as long as its place says")
    if place.pack != ref.head.digest:
        raise Corrupt("a reference to a chunk names two packs")
    bound = _BOUND.pack(vault_digest(vault), ref.head.salt, place.number, ref.chunk_id, kind)
    return unseal(pack_key(keys.data_key, ref.head.salt), place.number, bound, ciphertext)


def open_chunk(
    keys: SessionKeys, vault: str, ref: ChunkRef, *, kind: int, ciphertext: Buffer
) -> bytes:
    """Decrypt, expand and prove one chunk.

    Raises Corrupt as `unseal_chunk` does, and unless size and keyed id are what `ref` says.
    """
    data = unseal_chunk(keys, vault, ref, kind=kind, ciphertext=ciphertext)
    if ref.place.compressed:
        data = decompress(data, ref.place.raw_length)
    if len(data) != ref.place.raw_length or keyed_id(keys.chunk_id_key, data) != ref.chunk_id:
        raise Corrupt("a chunk's content is not what its id says")
    return data


def read_head(data: Buffer, vault: str, digest: bytes) -> PackHead:
    """Read a pack's header from its first bytes. Raises Corrupt, FeatureUnknown."""
    if len(data) < _HEADER.size or bytes(data[:8]) != MAGIC:
        raise Corrupt("this is not a pack")
    _, version, owner, session_bytes, salt = _HEADER.unpack_from(data)
    if version != VERSION:
        raise FeatureUnknown(
            f"a pack has layout {version}, this vault reads layout {VERSION}",
            hint="Install a newer vault and run the same command again.",
        )
    session = session_bytes.decode("ascii", "replace")
    if owner != vault_digest(vault) or not is_id(session, "sess"):
        raise Corrupt("a pack belongs to another vault or names no session")
    return PackHead(digest, session, salt)


def read_table(
    data: bytes, vault: str, keys_of: Callable[[str], SessionKeys]
) -> tuple[PackHead, tuple[PackedChunk, ...]]:
    """Read the table of contents of a whole pack; `keys_of` gives a session's keys.

    Raises Corrupt, FeatureUnknown, and what `keys_of` raises.
    """
    head = read_head(data, vault, plain_digest(data))
    if len(data) < _HEADER.size + TAG_SIZE + _TRAILER.size:
        raise Corrupt("a pack is cut short")
    length, magic = _TRAILER.unpack_from(data, len(data) - _TRAILER.size)
    start = len(data) - _TRAILER.size - length
    if magic != END_MAGIC or start < _HEADER.size:
        raise Corrupt("a pack's trailer is damaged")
    key = pack_key(keys_of(head.session).data_key, head.salt)
    bound = _table_bound(vault_digest(vault), head.salt)
    plain = unseal(key, _TABLE_NUMBER, bound, memoryview(data)[start : start + length])
    rows = read_msgpack(list[TableRow], plain, "a pack's table of contents")
    if any(row.offset + row.length > start for row in rows):
        raise Corrupt("a pack's table of contents points outside the pack")
    return head, placed(head, rows)


def _table_bound(vault: bytes, salt: bytes) -> bytes:
    return _BOUND.pack(vault, salt, _TABLE_NUMBER, bytes(32), _TABLE_KIND)


def rows_of(chunks: Iterable[PackedChunk]) -> list[TableRow]:
    """The table of contents that a pack's chunks, in order, make up."""
    return [
        TableRow(c.chunk_id, c.kind, p.offset, p.length, p.raw_length, p.compressed)
        for c in chunks
        for p in (c.place,)
    ]


def placed(head: PackHead, rows: Sequence[TableRow]) -> tuple[PackedChunk, ...]:
    """The chunks that a table of contents tells of."""
    return tuple(
        PackedChunk(
            row.chunk_id,
            row.kind,
            ChunkPlace(head.digest, n, row.offset, row.length, row.raw_length, row.compressed),
        )
        for n, row in enumerate(rows)
    )
