"""Packs: layout, bindings, damage."""

from __future__ import annotations

import os
import struct

import msgspec
import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.codec.damage import damaged
from tests.unit.repository.founding import SESSION, VAULT
from vault.codec.compressor import compress
from vault.codec.digest import chunk_id, derive_key
from vault.codec.keyring import SessionKeys
from vault.errors import Corrupt, FeatureUnknown
from vault.repository.pack import (
    CHUNK_CEILING,
    ChunkPlace,
    ChunkRef,
    PackBuilder,
    PackHead,
    SealedPack,
    open_chunk,
    read_head,
    read_table,
    rows_of,
    unseal_chunk,
)

KEYS = SessionKeys(SESSION, "", b"d" * 32, b"c" * 32, b"i" * 32)
CONTENTS = (b"words " * 500, os.urandom(3000), b"", b"x")


def build(contents: tuple[bytes, ...] = CONTENTS) -> SealedPack:
    """A pack of these chunks, kinds 0, 1, 2, 0, …"""
    builder = PackBuilder(VAULT, SESSION, KEYS.data_key)
    for n, content in enumerate(contents):
        shrunk, payload = compress(content)
        number = builder.add(
            chunk_id(KEYS.chunk_id_key, content),
            n % 3,
            raw_length=len(content),
            compressed=shrunk,
            payload=payload,
        )
        assert number == n
    assert len(builder) == len(contents)
    return builder.finish()


PACK = build()


def piece(pack: SealedPack, n: int) -> tuple[ChunkRef, bytes]:
    """Reference and ciphertext of a chunk."""
    chunk = pack.chunks[n]
    place = chunk.place
    ref = ChunkRef(chunk.chunk_id, pack.head, place)
    return ref, bytes(pack.data[place.offset : place.offset + place.length])


def test_chunks_come_back() -> None:
    """Compressed or not, empty too."""
    for n, content in enumerate(CONTENTS):
        ref, sealed = piece(PACK, n)
        assert open_chunk(KEYS, VAULT, ref, kind=n % 3, ciphertext=sealed) == content
        payload = unseal_chunk(KEYS, VAULT, ref, kind=n % 3, ciphertext=memoryview(sealed))
        assert (payload == content) is not ref.place.compressed
    assert PACK.chunks[0].place.compressed
    assert not PACK.chunks[1].place.compressed


def test_layout() -> None:
    """Taken apart by the documented offsets, with another reader's tools."""
    data = PACK.data
    magic, version, vault, session, salt = struct.unpack_from(">8sH16s31s32s", data)
    assert (magic, version, session.decode()) == (b"VAULTPCK", 1, SESSION)
    assert vault == blake3(VAULT.encode()).digest()[:16]
    key = derive_key("vault 2026-11 pack key", KEYS.data_key + salt)
    length, end = struct.unpack(">I8s", data[-12:])
    assert end == b"KCPTLUAV"
    bound = vault + salt + (2**64 - 1).to_bytes(8, "big") + bytes(32) + b"\xff"
    table = AESGCM(key).decrypt((2**64 - 1).to_bytes(12, "big"), data[-12 - length : -12], bound)
    rows = msgspec.msgpack.decode(table)
    first_id, kind, offset, size, raw, compressed = rows[1]
    assert (kind, raw, compressed) == (1, 3000, False)
    bound = vault + salt + (1).to_bytes(8, "big") + first_id + b"\x01"
    sealed = data[offset : offset + size]
    assert AESGCM(key).decrypt((1).to_bytes(12, "big"), sealed, bound) == CONTENTS[1]
    assert PACK.digest == blake3(data).hexdigest()


def test_the_table_tells_of_all_chunks() -> None:
    """With the kit alone an index can be made again."""
    assert read_table(bytes(PACK.data), VAULT, lambda _: KEYS) == (PACK.head, PACK.chunks)
    assert len(rows_of(PACK.chunks)) == len(CONTENTS)


def other(**changes: object) -> ChunkRef:
    """The reference to chunk 1, changed."""
    ref, _ = piece(PACK, 1)
    place = {k: v for k, v in changes.items() if k in ChunkPlace.__struct_fields__}
    head = {k: v for k, v in changes.items() if k in PackHead.__struct_fields__}
    return ChunkRef(
        piece(PACK, 3)[0].chunk_id if "chunk_id" in changes else ref.chunk_id,
        msgspec.structs.replace(ref.head, **head),
        msgspec.structs.replace(ref.place, **place),
    )


@pytest.mark.parametrize(
    "ref",
    [
        other(number=0),
        other(length=1),
        other(raw_length=2999),
        other(compressed=True),
        other(salt=bytes(32)),
        other(digest=bytes(32)),
        other(pack=bytes(32)),
        other(chunk_id=1),
    ],
)
def test_a_chunk_is_bound_to_its_place(ref: ChunkRef) -> None:
    """Swapped, reordered, relabelled: refused."""
    with pytest.raises(Corrupt):
        open_chunk(KEYS, VAULT, ref, kind=1, ciphertext=piece(PACK, 1)[1])


@pytest.mark.parametrize("changes", [{"number": -1}, {"number": 2**64}, {"raw_length": 2**40}])
def test_a_reference_out_of_bounds_is_refused(changes: dict[str, int]) -> None:
    """A page by a bad writer may say anything; nothing is allocated for it."""
    with pytest.raises(Corrupt):
        open_chunk(KEYS, VAULT, other(**changes), kind=1, ciphertext=piece(PACK, 1)[1])


def test_a_chunk_that_would_expand_beyond_the_ceiling_is_refused() -> None:
    """Though it was sealed by the rules."""
    builder = PackBuilder(VAULT, SESSION, KEYS.data_key)
    bomb = bytes(CHUNK_CEILING + 1)
    name = chunk_id(KEYS.chunk_id_key, bomb)
    _, payload = compress(bomb)
    builder.add(name, 0, raw_length=len(bomb), compressed=True, payload=payload)
    ref, sealed = piece(builder.finish(), 0)
    with pytest.raises(Corrupt):
        open_chunk(KEYS, VAULT, ref, kind=0, ciphertext=sealed)


def test_a_chunk_is_bound_to_kind_vault_and_session() -> None:
    """A page does not pass for data, another vault's chunk for this one's."""
    ref, sealed = piece(PACK, 1)
    another = SessionKeys(SESSION, "", b"e" * 32, KEYS.chunk_id_key, b"")
    for keys, vault, kind in ((KEYS, VAULT, 0), (KEYS, VAULT[:-1], 1), (another, VAULT, 1)):
        with pytest.raises(Corrupt):
            open_chunk(keys, vault, ref, kind=kind, ciphertext=sealed)


def test_the_keyed_id_is_proven() -> None:
    """A writer that sealed other content under an id is found out when it is read."""
    builder = PackBuilder(VAULT, SESSION, KEYS.data_key)
    name = chunk_id(KEYS.chunk_id_key, b"promised")
    builder.add(name, 0, raw_length=5, compressed=False, payload=b"given")
    ref, sealed = piece(builder.finish(), 0)
    with pytest.raises(Corrupt):
        open_chunk(KEYS, VAULT, ref, kind=0, ciphertext=sealed)


@settings(max_examples=200)
@given(st.integers(0, len(CONTENTS) - 1), st.data())
def test_damage_to_a_chunk_is_found(n: int, data: st.DataObject) -> None:
    """Any change at all."""
    ref, sealed = piece(PACK, n)
    with pytest.raises(Corrupt):
        open_chunk(KEYS, VAULT, ref, kind=n % 3, ciphertext=data.draw(damaged(sealed)))


@settings(max_examples=300)
@given(damaged(bytes(PACK.data)))
def test_damage_to_a_pack_is_found_or_harmless(data: bytes) -> None:
    """The table is never another (damage to chunks shows when they are opened)."""
    try:
        head, chunks = read_table(data, VAULT, lambda _: KEYS)
    except (Corrupt, FeatureUnknown):
        return
    assert head.salt == PACK.head.salt
    assert rows_of(chunks) == rows_of(PACK.chunks)


def test_another_vaults_pack_is_refused() -> None:
    """And a newer layout, with the way out."""
    with pytest.raises(Corrupt):
        read_head(PACK.data, "vault_" + "0" * 26, bytes(32))
    with pytest.raises(FeatureUnknown):
        read_head(bytes(PACK.data[:8]) + b"\x00\x02" + bytes(PACK.data[10:]), VAULT, bytes(32))


def test_bounds_are_part_of_the_types() -> None:
    """A place beyond any pack does not decode."""
    place = [bytes(32), 0, 0, 1, 2**31, False]
    for wrong in ([b"short", *place[1:]], [*place], [place[0], -1, 0, 1, 1, False]):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(wrong), type=ChunkPlace)
