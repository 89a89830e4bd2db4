"""Index objects: a writer's own, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.repository import founding
from tests.unit.repository.founding import LOCK, PURGER, SESSION, STRANGER, VAULT, Site, lay_over
from tests.unit.repository.test_index import assert_found, pack
from vault.codec.envelope import parse, sign
from vault.codec.keyring import SigningKey, WriterKeys
from vault.repository import index_objects
from vault.repository.charter import Member
from vault.repository.index import LocalIndex
from vault.repository.index_objects import IndexWriter, sync_index
from vault.store.names import named
from vault.testing.clock import START

SECOND = SigningKey(b"2" * 32)
PREFIX = f"index/{founding.WRITER.key_id}/{SESSION}"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalIndex]:
    """An empty index."""
    local = LocalIndex(tmp_path / "index.db")
    yield local
    local.close()


def store(site: Site, *packs: int) -> None:
    """Store the index of a session with these packs."""
    writer = IndexWriter(site.store, site.keys, SESSION, retain_until=LOCK)
    for number in packs:
        writer.add(pack(number))
    writer.finish()


def sync(site: Site, local: LocalIndex) -> int:
    """Load what is missing."""
    return sync_index(local, site.store, site.charter, keys=site.keys, tampering=site.tampering)


def keys_of(site: Site) -> list[str]:
    """Index objects in the store."""
    return sorted({version.key for version in site.store.list("index/")})


def test_a_lost_index_is_filled_from_the_store(local: LocalIndex) -> None:
    """Once: what is known is not read again."""
    site = Site()
    store(site, 1, 2)
    assert sync(site, local) == 1
    assert_found(local, pack(1))
    assert_found(local, pack(2))
    assert local.version(pack(1).head.digest) == "v1"
    assert sync(site, local) == 0
    (key,) = keys_of(site)
    assert key.startswith(f"{PREFIX}-000000-")
    assert site.tampering == []


def test_a_large_session_is_cut_into_several(
    local: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that none has to be held whole."""
    monkeypatch.setattr(index_objects, "_ROWS", 6)
    site = Site()
    store(site, 1, 2, 3, 4, 5)
    assert [key[: len(PREFIX) + 7] for key in keys_of(site)] == [
        f"{PREFIX}-{n:06d}" for n in range(3)
    ]
    assert sync(site, local) == 3
    for n in range(1, 6):
        assert_found(local, pack(n))


def test_nothing_is_stored_for_nothing() -> None:
    """A session that stored no pack has no index."""
    site = Site()
    store(site)
    assert keys_of(site) == []


def test_ids_and_places_are_sealed() -> None:
    """Which chunks exist is the writer's to know."""
    site = Site()
    store(site, 1)
    data = site.store.get(keys_of(site)[0])
    assert pack(1).head.digest not in data
    assert all(chunk.chunk_id not in data for chunk in pack(1).chunks)


def test_what_lies_over_it_hides_nothing(local: LocalIndex) -> None:
    """It is found and noted."""
    site = Site()
    store(site, 1)
    lay_over(site.store, keys_of(site)[0])
    assert sync(site, local) == 1
    assert {"marker", "overwritten"} <= site.words()


def test_nobody_poisons_another_writers_index(local: LocalIndex) -> None:
    """Not a stranger, not another role, not another chartered writer; no replay under a name."""
    second = Member(SECOND.public_hex, "writer", "second", START)
    site = Site(charter=founding.charter(members=(*founding.charter().members, second)))
    store(site, 1)
    (own,) = keys_of(site)
    body = parse(site.store.get(own)).body
    for signer in (STRANGER, PURGER, SECOND):
        data = sign("index", VAULT, body, signer)
        site.store.put(named(f"{PREFIX}-000000", data), data, LOCK)
    replayed = site.store.get(own)
    for stem in (f"{PREFIX}-000001", f"index/{founding.WRITER.key_id}/nonsense"):
        site.store.put(named(stem, replayed), replayed, LOCK)
    assert sync(site, local) == 1
    assert local.known_objects() == {own}
    assert len(site.seen()) == 5
    assert site.words() == {"unauthentic", "forged"}


def test_other_writers_indexes_are_not_even_looked_at(local: LocalIndex) -> None:
    """Each has a prefix of its own."""
    site = Site()
    store(site, 1)
    site.keys = WriterKeys(VAULT, "second", SECOND, b"k" * 32, b"j" * 32)
    assert sync(site, local) == 0
    assert site.tampering == []


def test_after_revocation_nothing_is_loaded(local: LocalIndex) -> None:
    """What the key signed since then."""
    site = Site()
    store(site, 1)
    member = Member(founding.WRITER.public_hex, "writer", "host", START, START)
    site.charter = founding.charter(members=(member,))
    assert sync(site, local) == 0
    assert site.words() == {"unauthentic"}
