"""zstd within bounds."""

from __future__ import annotations

import contextlib
import os
import resource

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.codec.damage import damaged
from vault.codec.compressor import compress, decompress
from vault.errors import Corrupt

TEXT = b"the same words again and again, " * 400
PACKED = zstandard.ZstdCompressor(level=3).compress(TEXT)


@given(st.binary(max_size=5000))
def test_round_trip(data: bytes) -> None:
    """Shrunk or not, it comes back."""
    shrunk, stored = compress(data)
    assert len(stored) <= len(data)
    assert (decompress(stored, len(data)) if shrunk else bytes(stored)) == data


def test_what_does_not_shrink_stays_as_it_is() -> None:
    """Random bytes are handed back uncopied."""
    data = os.urandom(10_000)
    shrunk, stored = compress(data)
    assert not shrunk
    assert stored is data


@pytest.mark.parametrize("size", [0, 1, len(TEXT) - 1, len(TEXT) + 1, 2**40])
def test_another_size_than_announced_is_refused(size: int) -> None:
    """The size comes from a sealed place; the frame has to agree."""
    with pytest.raises(Corrupt):
        decompress(PACKED, size)


def test_a_bomb_costs_nothing() -> None:
    """A frame that claims a gigabyte is refused before anything is allocated."""
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 30))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Corrupt):
        decompress(bomb, 1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_two_frames_are_not_one() -> None:
    """Bytes behind the frame are damage."""
    with pytest.raises(Corrupt):
        decompress(PACKED + PACKED, len(TEXT))


@given(damaged(PACKED))
def test_damage_is_corrupt_or_harmless(data: bytes) -> None:
    """Never another exception, never another size (content is proven by seal and id)."""
    with contextlib.suppress(Corrupt):
        assert len(decompress(data, len(TEXT))) == len(TEXT)
