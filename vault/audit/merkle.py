"""The Merkle tree of RFC 6962 over the entries of a log, and its proofs; SHA-256, nothing kept.

Hashes are 32 bytes. A leaf's is SHA-256(0x00 | entry), a node's SHA-256(0x01 | left | right); an
empty tree's is SHA-256 of nothing. See RFC 6962, section 2.1, and RFC 9162, section 2.1.3–2.1.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

import msgspec

HASH_SIZE: Final = 32


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry's exact bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier(msgspec.Struct, frozen=True):
    """All that appending needs of a tree: its size and the roots of its full subtrees, left first.

    There is one subtree for each bit that is set in the size.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def grown(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after these leaf hashes."""
        size, nodes = self.size, list(self.nodes)
        for leaf in leaves:
            node, bits = leaf, size
            while bits & 1:
                node = node_hash(nodes.pop(), node)
                bits >>= 1
            nodes.append(node)
            size += 1
        return Frontier(size, tuple(nodes))

    def root(self) -> bytes:
        """The root hash of the whole tree."""
        if not self.nodes:
            return sha256(b"").digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root

    def is_sound(self) -> bool:
        """Whether there are as many subtrees as the size asks for, each with a whole hash."""
        fits = self.size >= 0 and len(self.nodes) == self.size.bit_count()
        return fits and all(len(node) == HASH_SIZE for node in self.nodes)


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    return Frontier().grown(leaves).root()


def prove_inclusion(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes that lead from the leaf at `index` to the root over all `leaves`.

    Raises ValueError where there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ValueError(f"a tree of {len(leaves)} leaves has none at {index}")
    if len(leaves) == 1:
        return ()
    middle = _split(len(leaves))
    left, right = leaves[:middle], leaves[middle:]
    if index < middle:
        return (*prove_inclusion(left, index), root_hash(right))
    return (*prove_inclusion(right, index - middle), root_hash(left))


def prove_consistency(leaves: Sequence[bytes], former: int) -> tuple[bytes, ...]:
    """The hashes that show the tree over the first `former` leaves to be a part of the whole.

    Raises ValueError where there are fewer leaves.
    """
    if not 0 <= former <= len(leaves):
        raise ValueError(f"a tree of {len(leaves)} leaves never had {former}")
    return () if former == 0 else _subproof(leaves, former, whole=True)


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` leads from this leaf hash at `index` to the root of a tree of that size."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def extends(former: tuple[int, bytes], later: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Whether a tree (size, root) has grown out of a former one, nothing changed, by `proof`."""
    size, root = former
    if not 0 <= size <= later[0]:
        return False
    if size in (0, later[0]):
        return not proof and root == (Frontier().root() if size == 0 else later[1])
    steps = [root, *proof] if size & (size - 1) == 0 else list(proof)
    if not steps:
        return False
    place, last = size - 1, later[0] - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, step)
        place, last = place >> 1, last >> 1
    return last == 0 and (old, new) == (root, later[1])


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _subproof(leaves: Sequence[bytes], former: int, *, whole: bool) -> tuple[bytes, ...]:
    if former == len(leaves):
        return () if whole else (root_hash(leaves),)
    middle = _split(len(leaves))
    left, right = leaves[:middle], leaves[middle:]
    if former <= middle:
        return (*_subproof(left, former, whole=whole), root_hash(right))
    return (*_subproof(right, former - middle, whole=False), root_hash(left))
