"""Snapshot objects."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from tests.unit.codec.damage import damaged
from tests.unit.repository.founding import (
    IDENTITY,
    LOCK,
    PURGER,
    RECIPIENT,
    SESSION,
    STRANGER,
    VAULT,
    VOLUME,
    WRITER,
    Site,
    header,
    lay_over,
)
from vault.codec.envelope import sign
from vault.codec.keyring import SigningKey
from vault.errors import Corrupt, FeatureUnknown, RepositoryError, Unauthentic
from vault.ids import new_id
from vault.limits import MAX_RECORD
from vault.repository.pack import ChunkPlace, ChunkRef, PackHead
from vault.repository.sessions import SessionRing, new_session_keys, store_session
from vault.repository.snapshot import (
    SnapshotBody,
    SnapshotHeader,
    list_snapshots,
    read_body,
    read_snapshot,
    store_snapshot,
)
from vault.store.names import named
from vault.testing.clock import START

REF = ChunkRef(
    bytes(32), PackHead(b"p" * 32, SESSION, b"s" * 32), ChunkPlace(b"p" * 32, 0, 89, 5, 5, False)
)
BODY = SnapshotBody((REF,), (("unreadable", b"a/\xff", "no right"),))


class Stored:
    """A site with one session and one snapshot."""

    def __init__(self) -> None:
        self.site = Site()
        self.keys = new_session_keys(SESSION, self.site.keys)
        store_session(
            self.site.store, self.site.keys, self.keys, recipients=(RECIPIENT,), retain_until=LOCK
        )
        self.header = header()
        self.key = self.put(self.header)

    def put(self, head: SnapshotHeader, signer: SigningKey = WRITER) -> str:
        """Store another one."""
        return store_snapshot(self.site.store, head, BODY, keys=self.keys, signer=signer).key

    def listed(self, volume: str | None = None) -> list[str]:
        """Keys of the authentic ones."""
        site = self.site
        found = list_snapshots(site.store, site.charter, site.tampering, volume)
        return [record.key for record in found]

    def ring(self) -> SessionRing:
        """The kit's ring."""
        return SessionRing(self.site.store, self.site.charter, (IDENTITY,))


def test_it_comes_back() -> None:
    """The header for anyone, the body with the kit."""
    stored = Stored()
    site = stored.site
    (record,) = list_snapshots(site.store, site.charter, site.tampering)
    assert record.header == stored.header
    assert (record.stored_at, record.signer_hex) == (START, WRITER.public_hex)
    assert read_snapshot(site.store, site.charter, stored.key, site.tampering) == record
    assert read_body(site.store, record, stored.ring(), site.tampering) == BODY
    assert site.tampering == []
    assert stored.key.startswith(f"snapshots/{VOLUME}/{stored.header.id}-")
    assert site.store.retention(stored.key).until == LOCK


def test_only_one_volume_where_asked() -> None:
    """In order of volume and id."""
    stored = Stored()
    other = stored.put(header(volume=new_id("vol", START)))
    assert stored.listed() == sorted([stored.key, other])
    assert stored.listed(VOLUME) == [stored.key]


def test_the_body_is_secret_and_the_findings_with_it() -> None:
    """Paths are content."""
    stored = Stored()
    assert b"a/\xff" not in stored.site.store.get(stored.key)


def test_what_lies_over_it_changes_nothing() -> None:
    """Neither list, nor date, nor body."""
    stored = Stored()
    site = stored.site
    site.pass_time(days=2)
    lay_over(site.store, stored.key)
    (record,) = list_snapshots(site.store, site.charter, site.tampering)
    assert record.stored_at == START
    assert read_body(site.store, record, stored.ring(), []) == BODY
    assert {"marker", "overwritten"} <= site.words()


def test_forgeries_are_left_out_and_noted() -> None:
    """By strangers, by other roles, replayed under another volume, from another vault."""
    stored = Stored()
    store = stored.site.store
    data = store.get(stored.key)
    replay = named(f"snapshots/{new_id('vol', START)}/{stored.header.id}", data)
    elsewhere = store.put(replay, data, LOCK).key
    bad = {
        (stored.put(header(), STRANGER), "unauthentic"),
        (stored.put(header(), PURGER), "unauthentic"),
        (stored.put(header(vault=VAULT[:-1])), "forged"),
        (stored.put(header(features=("page-maps",))), "feature-unknown"),
        (stored.put(header(packs=("../../etc",))), "forged"),
        (elsewhere, "forged"),
    }
    assert stored.listed() == [stored.key]
    assert stored.site.seen() == bad
    for key, what in bad:
        error = {
            "unauthentic": Unauthentic,
            "forged": Corrupt,
            "feature-unknown": FeatureUnknown,
        }[what]
        with pytest.raises(error):
            read_snapshot(store, stored.site.charter, key, [])


def test_header_and_body_belong_together() -> None:
    """A sealed body under another header, even of the same session, does not open."""
    stored = Stored()
    site = stored.site
    data = site.store.get(stored.key)
    sealed = data[data.index(b"}", data.index(b'"volume_name"')) + 1 : -64]
    head = msgspec.json.encode(header(), order="deterministic")
    body = struct.pack(">I", len(head)) + head + sealed
    forged = sign("snapshot", VAULT, body, WRITER)
    name = msgspec.json.decode(head)["id"]
    key = site.store.put(named(f"snapshots/{VOLUME}/{name}", forged), forged, LOCK).key
    record = read_snapshot(site.store, site.charter, key, [])
    with pytest.raises(Corrupt):
        read_body(site.store, record, stored.ring(), [])


def test_a_session_of_another_signer_is_refused() -> None:
    """A writer cannot hang its snapshot on a session of another one."""
    stored = Stored()
    site = stored.site
    (record,) = list_snapshots(site.store, site.charter, [])
    foreign = replace(record, signer_hex=STRANGER.public_hex)
    with pytest.raises(Unauthentic):
        read_body(site.store, foreign, stored.ring(), [])


def test_a_record_that_nobody_would_read_is_not_stored() -> None:
    """The commit fails instead."""
    stored = Stored()
    body = SnapshotBody((REF,), (("unreadable", bytes(MAX_RECORD), ""),))
    with pytest.raises(RepositoryError):
        store_snapshot(stored.site.store, header(), body, keys=stored.keys, signer=WRITER)
    assert stored.listed() == [stored.key]


HEAD = msgspec.json.encode(header(), order="deterministic")


@settings(max_examples=150)
@given(damaged(struct.pack(">I", len(HEAD)) + HEAD + bytes(80)))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Signed junk by a chartered writer is noted; nothing else happens."""
    site = Site()
    data = sign("snapshot", VAULT, body, WRITER)
    name = msgspec.json.decode(HEAD)["id"]
    key = site.store.put(named(f"snapshots/{VOLUME}/{name}", data), data, LOCK).key
    found = [record.key for record in list_snapshots(site.store, site.charter, site.tampering)]
    assert found == [key] or site.words() <= {"forged", "feature-unknown"}
