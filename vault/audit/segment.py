"""A segment: some entries of a log in order, with a checkpoint over the tree that ends in them.

Its bytes are JSON: {"first", "entries", "checkpoint"}. The entries stand there as they were
written; those bytes are the leaves of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from vault.audit.checkpoint import Checkpoint, open_checkpoint, origin_of, sign_checkpoint
from vault.audit.entry import Entry, decode_entry
from vault.audit.merkle import Frontier, leaf_hash
from vault.codec.decoding import read_json
from vault.codec.signing import SigningKey
from vault.errors import Corrupt
from vault.ids import BELIEVABLE
from vault.limits import MIB

ENTRIES_MAX: Final = 1000
"""So many entries are put into one segment, at most."""

BYTES_TARGET: Final = 4 * MIB
"""A segment of more than one entry stays below this size."""

_ID: Final = re.compile(f"aud_{BELIEVABLE}")


class _Body(msgspec.Struct, frozen=True):
    first: int
    entries: tuple[msgspec.Raw, ...]
    checkpoint: str


class Segment(msgspec.Struct, frozen=True):
    """Entries from index `first` on, as exact bytes; `note` is the signed checkpoint after them."""

    first: int
    leaves: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: str

    @property
    def end(self) -> int:
        """The index behind the last entry."""
        return self.first + len(self.leaves)

    def hashes(self) -> Iterator[bytes]:
        """The leaf hashes."""
        return map(leaf_hash, self.leaves)

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Each entry that this version understands, with its index."""
        for index, leaf in enumerate(self.leaves, start=self.first):
            try:
                yield index, decode_entry(leaf)
            except Corrupt:
                continue

    def sortable(self) -> Iterator[tuple[int, Entry]]:
        """Those of them behind whose ids others can be entered.

        Whoever has one member's key would else keep every host from entering anything.
        """
        return ((index, entry) for index, entry in self.entries() if _ID.fullmatch(entry.id))


def write_segment(
    vault: str, before: Frontier, leaves: Sequence[bytes], signer: SigningKey
) -> bytes:
    """The segment that brings these entries into the signer's log; the same give the same bytes."""
    after = before.grown(map(leaf_hash, leaves))
    checkpoint = Checkpoint(origin_of(vault, signer.key_id), after.size, after.root())
    note = sign_checkpoint(checkpoint, signer)
    return msgspec.json.encode(_Body(before.size, tuple(map(msgspec.Raw, leaves)), note))


def read_segment(data: bytes, vault: str, log: str, public_hex: str) -> Segment:
    """Read what `write_segment` wrote, and check the checkpoint's signature; not yet its root.

    Raises Corrupt.
    """
    body = read_json(_Body, data, "an audit segment")
    checkpoint = open_checkpoint(body.checkpoint, origin_of(vault, log), public_hex)
    leaves = tuple(bytes(entry) for entry in body.entries)
    if body.first < 0 or not leaves:
        raise Corrupt("an audit segment holds nothing")
    return Segment(body.first, leaves, checkpoint, body.checkpoint)
