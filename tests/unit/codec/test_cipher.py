"""Sealing binds key, number, associated data and every byte."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given

from tests.unit.codec.damage import damaged
from vault.codec.cipher import pack_key, seal, seal_alone, unseal, unseal_alone
from vault.errors import Corrupt

KEY = bytes(range(32))
SEALED = seal(KEY, 5, b"bound", b"content")
ALONE = seal_alone(KEY, "context", b"bound", b"content")


def test_the_nonce_is_the_number() -> None:
    """A stranger's AES-GCM opens it by the documented rule."""
    nonce = (5).to_bytes(12, "big")
    assert AESGCM(KEY).decrypt(nonce, SEALED, b"bound") == b"content"
    assert unseal(KEY, 5, b"bound", memoryview(SEALED)) == b"content"


@pytest.mark.parametrize(
    ("key", "number", "bound"),
    [(bytes(32), 5, b"bound"), (KEY, 6, b"bound"), (KEY, 5, b"other"), (KEY, 5, b"")],
)
def test_everything_is_bound(key: bytes, number: int, bound: bytes) -> None:
    """Another key, position or binding opens nothing."""
    with pytest.raises(Corrupt):
        unseal(key, number, bound, SEALED)


@given(damaged(SEALED))
def test_damage_is_found(data: bytes) -> None:
    """Any change at all."""
    with pytest.raises(Corrupt):
        unseal(KEY, 5, b"bound", data)


@given(damaged(ALONE))
def test_damage_is_found_in_what_stands_alone(data: bytes) -> None:
    """Salt and ciphertext."""
    with pytest.raises(Corrupt):
        unseal_alone(KEY, "context", b"bound", data)


def test_what_stands_alone_is_bound_to_its_purpose() -> None:
    """And two seals of one thing are different."""
    assert unseal_alone(KEY, "context", b"bound", ALONE) == b"content"
    with pytest.raises(Corrupt):
        unseal_alone(KEY, "another", b"bound", ALONE)
    assert seal_alone(KEY, "context", b"bound", b"content") != ALONE


def test_pack_keys_differ_by_salt_and_session() -> None:
    """So a number never meets a key twice."""
    salt = bytes(32)
    assert len({pack_key(KEY, salt), pack_key(KEY, KEY), pack_key(salt, salt)}) == 3
