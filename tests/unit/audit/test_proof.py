"""Proofs and checkpoints: believed as they were made, and not with one thing changed."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.audit.lines import SIGNER, STRANGER, VAULT, leaves
from vault.audit.checkpoint import (
    Checkpoint,
    open_checkpoint,
    origin_of,
    sign_checkpoint,
    verifier_key,
)
from vault.audit.merkle import leaf_hash, root_hash
from vault.audit.proof import Proof, check_proof, make_proof, with_former
from vault.codec.signing import SigningKey, verify
from vault.errors import Corrupt

ENTRIES = leaves(20)
HASHES = [leaf_hash(entry) for entry in ENTRIES]
ORIGIN = origin_of(VAULT, SIGNER.key_id)


def note(size: int, signer: SigningKey = SIGNER) -> str:
    """The signed checkpoint of the first so many entries."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, root_hash(HASHES[:size])), signer)


def proved(index: int, size: int, former: int = 0) -> Proof:
    """A proof of one entry."""
    hashes = HASHES[:size]
    proof = make_proof(VAULT, SIGNER.public_hex, hashes, note(size), (index, ENTRIES[index]))
    return with_former(proof, hashes, former) if former else proof


@given(st.integers(1, 20), st.data())
def test_a_proof_holds(size: int, data: st.DataObject) -> None:
    """For every entry of every size, with every former size; also once it was text."""
    index, former = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    text = msgspec.json.encode(proved(index, size, former))
    assert check_proof(msgspec.json.decode(text, type=Proof)).size == size


@pytest.mark.parametrize(
    "changes",
    [
        {"index": 4},
        {"entry": ENTRIES[4].decode()},
        {"vault": VAULT[:-1] + "1"},
        {"public": STRANGER.public_hex},
        {"inclusion": ()},
        {"inclusion": ("no base64",)},
        {"checkpoint": note(12)},
        {"checkpoint": note(13, STRANGER)},
        {"checkpoint": note(13).replace("\n13\n", "\n14\n")},
        {"checkpoint": ""},
        {"former_size": 6},
        {"former_root": b64encode(HASHES[0]).decode()},
        {"consistency": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_changed_proof_proves_nothing(changes: dict[str, object]) -> None:
    """Whatever it is that was changed."""
    proof = proved(5, 13, 7)
    check_proof(proof)
    with pytest.raises(Corrupt):
        check_proof(msgspec.structs.replace(proof, **changes))


def test_a_checkpoint_is_a_signed_note() -> None:
    """As C2SP's documents have it, taken apart here by their words alone."""
    signed = note(3)
    text, _, signature = signed.partition("\n\n")
    assert text.split("\n") == [ORIGIN, "3", b64encode(root_hash(HASHES[:3])).decode()]
    dash, name, blob = signature.removesuffix("\n").split(" ")
    assert (dash, name) == ("—", ORIGIN)
    raw, public = b64decode(blob), bytes.fromhex(SIGNER.public_hex)
    assert raw[:4] == sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    assert verify(SIGNER.public_hex, raw[4:], (text + "\n").encode())
    key = verifier_key(ORIGIN, SIGNER.public_hex)
    assert key == "+".join((ORIGIN, raw[:4].hex(), b64encode(b"\x01" + public).decode()))


def test_other_signatures_and_extensions_are_let_be() -> None:
    """A witness may sign beside the log."""
    signed = note(3) + "— witness.example/w AAAAAAAA\n"
    assert open_checkpoint(signed, ORIGIN, SIGNER.public_hex).size == 3


@pytest.mark.parametrize(
    "spoilt",
    [
        note(3)[:-1],
        note(3).replace("\n\n", "\n"),
        note(3).replace("—", "-"),
        note(3).replace("\n3\n", "\n03\n"),
        note(3, STRANGER),
        "\n\n",
        "x" * 5000,
    ],
)
def test_what_is_no_checkpoint_is_refused(spoilt: str) -> None:
    """Cut, changed, signed by another, too long."""
    with pytest.raises(Corrupt):
        open_checkpoint(spoilt, ORIGIN, SIGNER.public_hex)
