"""What an attacker who may write to the bucket could lay over and beside what is stored."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from hashlib import shake_256

from vault.clock import SystemClock
from vault.codec.envelope import MAGIC, parse, sign
from vault.codec.signing import SigningKey
from vault.ids import new_id
from vault.repository.pack import MAGIC as PACK
from vault.repository.pack import PackBuilder, read_head
from vault.store.names import digest_of, named

STRANGER = SigningKey.generate()
"""A key that no charter knows."""


def laid_over(vault: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """(what it is, bytes) to lay over an object that holds `data`."""
    yield "random, as long", secrets.token_bytes(len(data))
    yield "random, longer", secrets.token_bytes(len(data) + 17)
    yield "nothing", b""
    yield "cut short", data[: len(data) // 2]
    yield "one bit other", flipped(data, len(data) * 8 // 3)
    yield "well-formed, by a stranger", forged(vault, data)


def forged(vault: str, data: bytes) -> bytes:
    """The same kind of object, whole and well-formed, that someone else made."""
    if data.startswith(MAGIC):
        envelope = parse(data)
        return sign(envelope.kind, envelope.vault, envelope.body, STRANGER)
    assert data.startswith(PACK)
    session = read_head(data, vault, bytes(32)).session
    return forged_pack(vault, session, size=len(data))


def forged_pack(vault: str, session: str, *, size: int = 1000) -> bytes:
    """A pack of that session with one chunk, sealed under a key of the attacker's."""
    pack = PackBuilder(vault, session, secrets.token_bytes(32))
    payload = secrets.token_bytes(max(1, size - 300))
    pack.add(secrets.token_bytes(32), 0, raw_length=len(payload), compressed=False, payload=payload)
    return bytes(pack.finish().data)


def newcomers(vault: str, stored: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """(key, bytes) of objects under names of their own, each hashing to its name.

    Of each kind: a stranger's record under a new id or number, newer than all that is there; the
    authentic bytes under such a name; and what is no record at all.
    """
    now = SystemClock().now()
    fresh = {
        "charter": "00000099",
        "keys": new_id("sess", now),
        "index": f"{new_id('sess', now)}-000000",
        "snapshots": new_id("snap", now),
        "events": new_id("evt", now),
        "audit": f"{10**11:012}",
        "stamps": f"{10**11:012}",
    }
    for key in filter(None, (max(_of(kind, stored), default="") for kind in fresh)):
        name = fresh[key.partition("/")[0]]
        folder = key.rpartition("/")[0]
        for data in (forged(vault, stored[key]), stored[key], secrets.token_bytes(500)):
            yield named(f"{folder}/{name}", data), data
    keys = sorted(key for key in stored if key.startswith("keys/"))
    for place in keys:  # the authentic keys of one session under the name of another
        for other in keys:
            if other != place:
                yield named(place[: -len("-") - 64], stored[other]), stored[other]
    pack = next(data for key, data in stored.items() if key.startswith("packs/"))
    data = forged_pack(vault, read_head(pack, vault, bytes(32)).session)
    digest = digest_of(named("x", data))
    assert digest is not None
    yield f"packs/{digest[:2]}/{digest}", data
    yield "packs/zz/stray", b"no digest in its name"


def _of(kind: str, stored: dict[str, bytes]) -> list[str]:
    return [key for key in stored if key.startswith(f"{kind}/")]


def flipped(data: bytes, bit: int) -> bytes:
    """The same with one bit turned over."""
    place, mask = divmod(bit % (len(data) * 8), 8)
    return data[:place] + bytes([data[place] ^ (1 << mask)]) + data[place + 1 :]


def draw(seed: str, below: int) -> int:
    """A number that depends on nothing but the seed."""
    return int.from_bytes(shake_256(seed.encode()).digest(8), "big") % below
