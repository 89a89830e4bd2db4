"""The content stream is cut by its content, not by how it was read or divided among workers."""

from __future__ import annotations

import random
from pathlib import Path

from tests.unit.repository.scene import Scene, blocks
from vault.codec.chunker import cut
from vault.limits import MIB


def test_chunks_end_where_one_cut_over_everything_says(tmp_path: Path) -> None:
    """However the stream was divided among workers; a large file has chunks of its own."""
    small = random.Random(5).randbytes(13 * MIB)
    pieces = [small[at : at + 90_001] for at in range(0, len(small), 90_001)]
    large = random.Random(6).randbytes(11 * MIB)
    with Scene(tmp_path).recording() as recording:
        lengths: list[int] = []
        recording._content._lane._deliver = lambda _, length: lengths.append(length)
        for data in (*pieces, large, *pieces):
            recording.write(blocks(data))
        recording._content.finish()
    assert lengths == [*cut(small), *cut(large), *cut(small)]
