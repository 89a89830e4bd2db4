"""BLAKE3 in its three modes."""

from __future__ import annotations

from blake3 import blake3

from vault.codec.digest import chunk_id, derive_key, plain_digest, vault_digest


def test_ids_depend_on_key_and_data() -> None:
    """Without the key an id tells nothing; with it the same data have the same id."""
    one, other = bytes(32), bytes([1]) * 32
    assert chunk_id(one, b"data") == chunk_id(one, memoryview(bytearray(b"data")))
    assert len({chunk_id(one, b"data"), chunk_id(other, b"data"), chunk_id(one, b"datb")}) == 3
    assert chunk_id(one, b"data") != plain_digest(b"data")


def test_derived_keys_are_apart_by_context() -> None:
    """One secret, two purposes, two keys."""
    assert derive_key("one", b"secret") != derive_key("other", b"secret")
    assert len(derive_key("one", b"secret")) == 32


def test_the_plain_digest_is_blake3() -> None:
    """The published test vector of the empty input."""
    assert plain_digest(b"").hex().startswith("af1349b9f5f9a1a6a0404dea36dcc949")
    assert vault_digest("vault_x") == blake3(b"vault_x").digest()[:16]
