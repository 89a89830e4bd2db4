"""The tree of RFC 6962: the vectors of Certificate Transparency's reference, and what must hold."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.audit.merkle import (
    Frontier,
    extends,
    includes,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
)

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
A, B, C = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
D, E, F = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
)

sizes = st.integers(1, 70)


def made(count: int) -> list[bytes]:
    """So many leaf hashes, all different."""
    return [leaf_hash(str(number).encode()) for number in range(count)]


def texts(hashes: tuple[bytes, ...]) -> list[str]:
    """In hex."""
    return [one.hex() for one in hashes]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_reference_roots(size: int) -> None:
    """Of every size up to eight, in one go and leaf by leaf."""
    assert root_hash(LEAVES[:size]).hex() == ROOTS[size - 1]
    tree = Frontier()
    for leaf in LEAVES[:size]:
        tree = tree.grown([leaf])
    assert tree.root().hex() == ROOTS[size - 1]
    assert tree.size == size
    assert tree.is_sound()


def test_the_empty_tree() -> None:
    """Its root is the hash of nothing."""
    assert Frontier().root() == sha256(b"").digest()


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (0, 8, [A, B, C]),
        (5, 8, [D, E, ROOTS[3]]),
        (2, 3, [ROOTS[1]]),
        (1, 5, [ROOTS[0], B, D]),
    ],
)
def test_the_reference_inclusion_proofs(index: int, size: int, proof: list[str]) -> None:
    """Made and believed."""
    made = prove_inclusion(LEAVES[:size], index)
    assert texts(made) == proof
    assert includes(LEAVES[index], index, size, made, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(
    ("former", "size", "proof"),
    [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])],
)
def test_the_reference_consistency_proofs(former: int, size: int, proof: list[str]) -> None:
    """Made and believed."""
    made = prove_consistency(LEAVES[:size], former)
    assert texts(made) == proof
    first, last = (bytes.fromhex(ROOTS[n - 1]) for n in (former, size))
    assert extends((former, first), (size, last), made)


@given(sizes, st.data())
def test_every_leaf_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    """A proof holds for its leaf, place, size and root; with any of them changed for nothing."""
    leaves, index = made(size), data.draw(st.integers(0, size - 1))
    proof, root = prove_inclusion(leaves, index), root_hash(leaves)
    assert includes(leaves[index], index, size, proof, root)
    assert not includes(leaf_hash(b"another"), index, size, proof, root)
    assert not includes(leaves[index], index, size, (*proof, root), root)
    assert not includes(leaves[index], index, size, proof, leaf_hash(root))
    other = data.draw(st.integers(-1, size + 1).filter(lambda place: place != index))
    assert not includes(leaves[index], other, size, proof, root)
    if proof:
        spoilt = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:spoilt], leaf_hash(proof[spoilt]), *proof[spoilt + 1 :]]
        assert not includes(leaves[index], index, size, changed, root)
        assert not includes(leaves[index], index, size, proof[:-1], root)


@given(sizes, st.data())
def test_every_growth_is_proved_and_no_change(size: int, data: st.DataObject) -> None:
    """A log that only grew is believed; one in which an old leaf is another never is."""
    leaves, former = made(size), data.draw(st.integers(0, size))
    proof = prove_consistency(leaves, former)
    before, after = (former, root_hash(leaves[:former])), (size, root_hash(leaves))
    assert extends(before, after, proof)
    assert not extends(before, (size, leaf_hash(after[1])), proof) or former == 0
    assert not extends(before, after, (*proof, after[1]))
    if former:
        spoilt = data.draw(st.integers(0, former - 1))
        changed = [*leaves[:spoilt], leaf_hash(b"another"), *leaves[spoilt + 1 :]]
        later = (size, root_hash(changed))
        assert not extends(before, later, prove_consistency(changed, former))
        assert not extends(before, later, proof)


@given(st.lists(st.integers(0, 9), max_size=12))
def test_a_tree_grows_alike_in_whatever_steps(steps: list[int]) -> None:
    """And keeps no more than a hash for each bit of its size."""
    leaves = made(sum(steps))
    tree = Frontier()
    for step in steps:
        tree = tree.grown(leaves[tree.size : tree.size + step])
    assert tree.root() == root_hash(leaves)
    assert len(tree.nodes) == tree.size.bit_count()


def test_leaves_and_nodes_cannot_be_taken_for_each_other() -> None:
    """A leaf that holds two hashes is not the node over them."""
    one, other = LEAVES[:2]
    assert leaf_hash(one + other) != node_hash(one, other)


def test_what_is_not_there_cannot_be_proved() -> None:
    """Neither a leaf nor a former tree."""
    with pytest.raises(ValueError, match="none at 8"):
        prove_inclusion(LEAVES, 8)
    with pytest.raises(ValueError, match="never had 9"):
        prove_consistency(LEAVES, 9)
    assert not Frontier(3, (LEAVES[0],)).is_sound()
    assert not Frontier(1, (b"short",)).is_sound()
