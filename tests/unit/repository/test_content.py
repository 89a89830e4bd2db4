"""The content stream is cut by its content, not by how it was read or divided among workers."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.unit.repository.scene import Scene, blocks
from vault.codec.chunker import cut
from vault.limits import MIB
from vault.repository.pack import ChunkKind, ChunkPlace, PackHead
from vault.repository.pipeline import Prepared


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


def test_a_chunk_that_two_workers_hold_at_once_is_no_news_where_it_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(7).randbytes(50_000)
    scene = Scene(tmp_path)
    scene.record({b"a": data})
    with scene.recording() as recording:
        shop, find = recording._shop, scene.index.find
        other: list[Prepared] = []

        def overtaken(chunk_id: bytes, kind: int) -> tuple[PackHead, ChunkPlace] | None:
            monkeypatch.setattr(scene.index, "find", find)
            other.extend(shop.prepare(ChunkKind.DATA, data, [len(data)]))
            return find(chunk_id, kind)

        monkeypatch.setattr(scene.index, "find", overtaken)
        (first,) = shop.prepare(ChunkKind.DATA, data, [len(data)])
    (second,) = other
    assert first.slot is second.slot
    assert (first.new, second.new) == (False, False)
