"""A proof that one entry is in a log: checked by anyone, offline, with the log's public key."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

import msgspec

from vault.audit.checkpoint import Checkpoint, open_checkpoint, origin_of
from vault.audit.merkle import (
    extends,
    includes,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
)
from vault.codec.signing import key_id
from vault.errors import Corrupt

_PUBLIC: Final = re.compile(r"[0-9a-f]{64}")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """`entry` is the exact text of the leaf at `index`; hashes are base64.

    `inclusion` leads to the root in `checkpoint`, a signed note. `consistency` shows the tree of
    `former_size` with `former_root` to be its begin; there is none where the size is 0.
    """

    vault: str
    public: str
    index: int
    entry: str
    inclusion: tuple[str, ...]
    checkpoint: str
    former_size: int = 0
    former_root: str = ""
    consistency: tuple[str, ...] = ()


def make_proof(
    vault: str, public_hex: str, leaves: Sequence[bytes], note: str, entry: tuple[int, bytes]
) -> Proof:
    """Prove that `entry` (index, exact bytes) is in the tree of these leaf hashes; `note` signs it.

    Raises ValueError where there is no such entry.
    """
    index, leaf = entry
    return Proof(
        vault=vault,
        public=public_hex,
        index=index,
        entry=leaf.decode(),
        inclusion=_texts(prove_inclusion(leaves, index)),
        checkpoint=note,
    )


def with_former(proof: Proof, leaves: Sequence[bytes], size: int) -> Proof:
    """The proof, and that the log was once of this size and nothing has changed since.

    Raises ValueError where it never was.
    """
    return msgspec.structs.replace(
        proof,
        former_size=size,
        former_root=b64encode(root_hash(leaves[:size])).decode(),
        consistency=_texts(prove_consistency(leaves, size)),
    )


def check_proof(proof: Proof) -> Checkpoint:
    """The checkpoint that the proof leads to. Raises Corrupt where it proves nothing.

    Whether its key counts, and its former root is the one that was seen then, the reader knows.
    """
    if _PUBLIC.fullmatch(proof.public) is None:
        raise Corrupt("a proof names no key")
    origin = origin_of(proof.vault, key_id(proof.public))
    checkpoint = open_checkpoint(proof.checkpoint, origin, proof.public)
    leaf = leaf_hash(proof.entry.encode())
    inclusion = _hashes(proof.inclusion)
    if not includes(leaf, proof.index, checkpoint.size, inclusion, checkpoint.root):
        raise Corrupt("the entry is not in the tree of the checkpoint")
    if proof.former_size:
        (former,) = _hashes((proof.former_root,))
        later = (checkpoint.size, checkpoint.root)
        if not extends((proof.former_size, former), later, _hashes(proof.consistency)):
            raise Corrupt("the checkpoint's tree has not grown out of the former one")
    return checkpoint


def _texts(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(b64encode(one).decode() for one in hashes)


def _hashes(texts: Sequence[str]) -> tuple[bytes, ...]:
    try:
        return tuple(b64decode(text.encode(), validate=True) for text in texts)
    except (binascii.Error, ValueError) as error:
        raise Corrupt("a proof holds what is no base64") from error
