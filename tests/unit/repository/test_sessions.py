"""Session keys: stored once, read with the kit, never passed off as another's."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given, settings

from tests.unit.codec.damage import damaged
from tests.unit.repository.founding import (
    IDENTITY,
    LOCK,
    PURGER,
    RECIPIENT,
    SESSION,
    STRANGER,
    VAULT,
    WRITER,
    Site,
    charter,
    lay_over,
)
from vault.codec.envelope import sign
from vault.codec.keyring import SessionKeys, WriterKeys, new_identity, wrap
from vault.errors import Corrupt, KitMissing, KitWrong, ObjectMissing, Unauthentic
from vault.repository.charter import Member
from vault.repository.sessions import SessionRing, new_session_keys, store_session
from vault.store.names import named
from vault.testing.clock import START


def stored(site: Site, keys: SessionKeys | None = None) -> tuple[str, SessionKeys]:
    """Store a session's keys."""
    keys = keys or new_session_keys(SESSION, site.keys)
    receipt = store_session(site.store, site.keys, keys, recipients=(RECIPIENT,), retain_until=LOCK)
    return receipt.key, keys


def ring(site: Site, *identities: str) -> SessionRing:
    """A ring with the kit's identity unless others are given."""
    return SessionRing(site.store, site.charter, identities or (IDENTITY,), site.tampering)


def forge(site: Site, session: str, secret: dict[str, str], key: WriterKeys) -> str:
    """Lay a session object with any sealed content."""
    public = msgspec.json.encode({"session": session, "name": "x"})
    body = struct.pack(">I", len(public)) + public + wrap(msgspec.json.encode(secret), [RECIPIENT])
    data = sign("session", VAULT, body, key.signing)
    return site.store.put(named(f"keys/{session}", data), data, LOCK).key


def secret(keys: SessionKeys, **changes: str) -> dict[str, str]:
    """The sealed part as it should be, changed."""
    plain = {
        "vault": VAULT,
        "session": keys.session,
        "writer": keys.writer,
        "data_key": keys.data_key.hex(),
        "chunk_id_key": keys.chunk_id_key.hex(),
        "index_key": keys.index_key.hex(),
    }
    return plain | changes


def test_the_kit_opens_what_the_writer_stored() -> None:
    """All three keys, once fetched, twice given."""
    site = Site()
    key, keys = stored(site)
    assert key.startswith(f"keys/{SESSION}-")
    opened = ring(site)
    assert opened.key(SESSION) == keys
    site.store.lose(key)
    assert opened.key(SESSION) == keys


def test_every_session_has_a_data_key_of_its_own() -> None:
    """And shares what names chunks and seals indexes."""
    site = Site()
    one, two = (new_session_keys(SESSION, site.keys) for _ in "12")
    assert one.data_key != two.data_key
    assert (one.chunk_id_key, one.index_key) == (two.chunk_id_key, two.index_key)


def test_the_writer_cannot_read_what_it_stored() -> None:
    """Nothing in its own keys opens the object, and the data key stands nowhere in the clear."""
    site = Site()
    key, keys = stored(site)
    with pytest.raises(KitMissing):
        SessionRing(site.store, site.charter, ()).key(SESSION)
    data = site.store.get(key)
    for form in (keys.data_key, keys.data_key.hex().encode()):
        assert form not in data
    own = SessionRing(site.store, site.charter, ())
    own.add(keys)
    assert own.key(SESSION) == keys


def test_another_kit_opens_nothing() -> None:
    """KitWrong, with the way to check."""
    site = Site()
    stored(site)
    with pytest.raises(KitWrong):
        ring(site, new_identity()[0]).key(SESSION)


def test_what_lies_over_or_beside_it_changes_nothing() -> None:
    """Markers, overwrites, a stranger's session, a later one by the writer's own key."""
    site = Site()
    key, keys = stored(site)
    site.pass_time(seconds=5)
    stranger = WriterKeys(VAULT, "x", STRANGER, b"k" * 32, b"i" * 32)
    forge(site, SESSION, secret(keys), stranger)
    stored(site, new_session_keys(SESSION, site.keys))
    lay_over(site.store, key)
    assert ring(site).key(SESSION) == keys
    assert {"marker", "overwritten", "unauthentic"} <= site.words()


@pytest.mark.parametrize(
    "changes",
    [
        {"vault": VAULT[:-1]},
        {"session": SESSION[::-1]},
        {"writer": STRANGER.public_hex},
        {"data_key": "00"},
        {"index_key": "ZZ" * 32},
    ],
)
def test_sealed_keys_are_bound_to_vault_session_and_signer(changes: dict[str, str]) -> None:
    """A ciphertext copied from elsewhere is refused, though the kit opens it."""
    site = Site()
    forge(site, SESSION, secret(new_session_keys(SESSION, site.keys), **changes), site.keys)
    with pytest.raises(Corrupt):
        ring(site).key(SESSION)


def test_the_keys_of_another_session_do_not_stand_in() -> None:
    """Anyone who can put can lay a true record under a wrong name, even before the right one."""
    site = Site()
    other, keys = (new_session_keys(session, site.keys) for session in (SESSION[::-1], SESSION))
    copied, _ = stored(site, other)
    data = site.store.get(copied)
    site.store.put(named(f"keys/{SESSION}", data), data, LOCK)
    with pytest.raises(Corrupt):
        ring(site).key(SESSION)
    site.pass_time(seconds=5)
    stored(site, keys)
    assert ring(site).key(SESSION) == keys


def test_sessions_of_revoked_writers_do_not_count() -> None:
    """Those stored since."""
    site = Site()
    site.pass_time(days=1)
    stored(site)
    site.charter = charter(members=(Member(WRITER.public_hex, "writer", "h", START, START),))
    with pytest.raises(ObjectMissing):
        ring(site).key(SESSION)


@settings(max_examples=60)
@given(damaged(b'\x00\x00\x00\x1b{"session": "x", "name": "x"}age-encryption.org/v1\n'))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Signed junk by a chartered writer raises nothing but Corrupt and KitWrong."""
    site = Site()
    data = sign("session", VAULT, body, WRITER)
    site.store.put(named(f"keys/{SESSION}", data), data, LOCK)
    with pytest.raises((Corrupt, KitWrong)):
        ring(site).key(SESSION)


def test_keys_laid_beside_within_the_same_second_stand_in_for_nobodys() -> None:
    """A writer's key in the wrong hands: the store's dates do not tell who was first."""
    site = Site()
    other = WriterKeys(VAULT, "x", STRANGER, b"k" * 32, b"i" * 32)
    member = Member(STRANGER.public_hex, "writer", "x", START)
    site.charter = charter(members=(*site.charter.members, member))
    _, keys = stored(site)
    false = new_session_keys(SESSION, other)
    for _ in range(8):  # one of them sorts first
        store_session(site.store, other, false, recipients=(RECIPIENT,), retain_until=LOCK)
    opened = ring(site)
    assert opened.key(SESSION, writer=WRITER.public_hex) == keys
    assert opened.key(SESSION, writer=STRANGER.public_hex) == false
    with pytest.raises(Unauthentic):
        opened.key(SESSION, writer=PURGER.public_hex)
