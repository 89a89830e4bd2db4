"""Signed records."""

from __future__ import annotations

import json
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given

from tests.unit.codec.damage import damaged
from vault.codec.envelope import parse, sign
from vault.codec.signing import SigningKey
from vault.errors import Corrupt, FeatureUnknown

KEY = SigningKey(bytes(range(32)))
VAULT = "vault_" + "0" * 26
RECORD = sign("event", VAULT, b"what happened", KEY)


def test_layout() -> None:
    """Taken apart by the documented offsets, with another reader's tools."""
    magic, version, length = struct.unpack_from(">8sHI", RECORD)
    header = json.loads(RECORD[14 : 14 + length])
    (size,) = struct.unpack_from(">Q", RECORD, 14 + length)
    body = RECORD[22 + length : 22 + length + size]
    assert (magic, version, body) == (b"VAULTREC", 1, b"what happened")
    assert header == {"kind": "event", "vault": VAULT, "key": KEY.public_hex, "features": []}
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(header["key"]))
    public.verify(RECORD[-64:], RECORD[:-64])


def test_round_trip() -> None:
    """What went in comes out, with the signer's name on it."""
    envelope = parse(RECORD)
    assert envelope.signer_hex == KEY.public_hex
    assert envelope.require("event", VAULT) == b"what happened"


@given(damaged(RECORD))
def test_damage_is_found(data: bytes) -> None:
    """Never another exception, never other content."""
    with pytest.raises((Corrupt, FeatureUnknown)):
        parse(data)


@pytest.mark.parametrize(("kind", "vault"), [("charter", VAULT), ("event", "vault_" + "1" * 26)])
def test_a_record_stands_only_for_its_kind_and_vault(kind: str, vault: str) -> None:
    """Replayed elsewhere it is refused."""
    with pytest.raises(Corrupt):
        parse(RECORD).require(kind, vault)


def test_an_unknown_feature_is_refused_with_the_way_out() -> None:
    """But only once somebody asks for the body: parsing lets the signer be judged first."""
    envelope = parse(sign("event", VAULT, b"", KEY, features=("page-maps",)))
    with pytest.raises(FeatureUnknown, match="page-maps") as caught:
        envelope.require("event", VAULT)
    assert "newer vault" in caught.value.hint


def test_a_newer_layout_is_refused_with_the_way_out() -> None:
    """The version is looked at before anything that it may have changed."""
    with pytest.raises(FeatureUnknown) as caught:
        parse(RECORD[:8] + b"\x00\x02" + RECORD[10:])
    assert "newer vault" in caught.value.hint


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x10000, 15])
def test_lengths_are_bounded_before_they_are_believed(length: int) -> None:
    """A header of four gigabytes is not waited for."""
    with pytest.raises(Corrupt):
        parse(RECORD[:10] + struct.pack(">I", length) + RECORD[14:])


def test_a_header_is_no_place_for_data() -> None:
    """Though its signature fits."""
    parse(sign("event", VAULT, b"", KEY, features=("x" * 8_000,)))
    with pytest.raises(Corrupt):
        parse(sign("event", VAULT, b"", KEY, features=("x" * 17_000,)))


def test_the_signature_binds_the_named_key() -> None:
    """Somebody else's name over one's own signature does not hold."""
    other = SigningKey(bytes(32))
    forged = RECORD.replace(KEY.public_hex.encode(), other.public_hex.encode())
    with pytest.raises(Corrupt):
        parse(forged)
