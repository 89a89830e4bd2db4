"""Rows of a manifest: what is too long for one row is cut and put together again."""

from __future__ import annotations

import pytest

from tests.unit.repository.scene import entry
from vault.repository import manifest
from vault.repository.manifest import Extent, StoredEntry, join_rows, split_rows
from vault.repository.pack import ChunkPlace, ChunkRef, PackHead

HEAD = PackHead(b"d" * 32, f"sess_{0:026}", b"s" * 32)


def ref(number: int, head: PackHead = HEAD) -> ChunkRef:
    """A chunk somewhere in a pack."""
    place = ChunkPlace(head.digest, number, number * 100, 100, 200, True)
    return ChunkRef(bytes([number % 256]) * 32, head, place)


def long_entry(extents: int, segments: int | None = None) -> StoredEntry:
    """A file in very many pieces."""
    holes = None if segments is None else tuple((n * 10, 5) for n in range(segments))
    of_file = entry(b"long", size=7, segments=holes)
    return StoredEntry(of_file, tuple(Extent(ref(n), n, 1) for n in range(extents)))


@pytest.fixture(autouse=True)
def short_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of at most four extents."""
    monkeypatch.setattr(manifest, "EXTENTS_PER_ROW", 4)


@pytest.mark.parametrize("extents", [0, 1, 4, 5, 8, 9, 23])
@pytest.mark.parametrize("segments", [None, 0, 3, 5, 17])
def test_cut_rows_join_to_the_same_entry(extents: int, segments: int | None) -> None:
    """Nothing is lost or added, whichever list is the longer."""
    whole = long_entry(extents, segments)
    rows = list(split_rows(whole))
    assert all(len(row.extents) <= 4 for row in rows)
    assert list(join_rows(rows)) == [whole]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_an_entry_with_a_lost_part_is_left_out(lost: int) -> None:
    """Half a file never looks like a whole one."""
    rows = list(split_rows(long_entry(11)))
    before, behind = StoredEntry(entry(b"a")), StoredEntry(entry(b"z"))
    assert len(rows) == 3
    del rows[lost]
    assert list(join_rows([before, *rows, behind])) == [before, behind]


def test_a_lost_part_does_not_take_the_next_long_entry_with_it() -> None:
    """The first part of an entry begins it, whatever went before."""
    first, second = long_entry(11), long_entry(9)
    rows = [*list(split_rows(first))[:1], *split_rows(second)]
    assert list(join_rows(rows)) == [second]
