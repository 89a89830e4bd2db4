"""Content-defined cutting."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.codec.chunker import cut
from vault.limits import CHUNK_MAX, CHUNK_MIN, MIB

DATA = random.Random(7).randbytes(24 * MIB)


def test_lengths_sum_up_and_keep_the_bounds() -> None:
    """Every chunk but the last is within the bounds."""
    lengths = cut(DATA)
    assert sum(lengths) == len(DATA)
    assert all(CHUNK_MIN <= length <= CHUNK_MAX for length in lengths[:-1])
    assert 8 <= len(lengths) <= 40


@pytest.mark.parametrize("data", [b"", b"x", bytes(CHUNK_MIN), bytes(9 * MIB)])
def test_small_and_dull_data(data: bytes) -> None:
    """Nothing gives nothing; zeros are cut at the maximum."""
    lengths = cut(data)
    assert sum(lengths) == len(data)
    assert all(0 < length <= CHUNK_MAX for length in lengths)


def test_an_insertion_moves_few_cuts() -> None:
    """What follows the insertion soon has the same chunks again."""
    changed = DATA[:3_000_000] + b"inserted" + DATA[3_000_000:]
    assert len(pieces(changed) - pieces(DATA)) <= 3


def test_threads_do_not_disturb_each_other() -> None:
    """The library's object is not shared."""
    with ThreadPoolExecutor(4) as pool:
        assert len({tuple(lengths) for lengths in pool.map(cut, [DATA] * 8)}) == 1


def pieces(data: bytes) -> set[bytes]:
    """The chunks of a buffer."""
    start, found = 0, set()
    for length in cut(data):
        found.add(data[start : start + length])
        start += length
    return found
