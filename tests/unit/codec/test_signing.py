"""Ed25519 keys."""

from __future__ import annotations

import pytest

from vault.codec.signing import SigningKey, verify

KEY = SigningKey(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))


def test_the_published_vector() -> None:
    """RFC 8032, test 1."""
    assert KEY.public_hex == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert KEY.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a")


def test_verify() -> None:
    """True for the key's own signature and for nothing else."""
    signature = KEY.sign(b"data")
    assert verify(KEY.public_hex, signature, b"data")
    assert not verify(KEY.public_hex, signature, b"dat4")
    assert not verify(SigningKey.generate().public_hex, signature, b"data")


@pytest.mark.parametrize("name", ["", "00", "zz" * 32, "D7" * 32, "00" * 32, "ff" * 32, "d7" * 33])
def test_what_is_no_key_verifies_nothing(name: str) -> None:
    """Malformed names, other spellings and points of small order."""
    assert not verify(name, KEY.sign(b"data"), b"data")


def test_a_key_shows_only_its_public_half() -> None:
    """Not in logs, not in tracebacks."""
    assert KEY.seed.hex() not in repr(KEY)
    assert KEY.key_id in repr(KEY)
