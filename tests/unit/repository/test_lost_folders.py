"""Folders whose own entries are lost with a page: told of by what lies in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.repository.scene import Scene
from vault import limits
from vault.errors import Corrupt
from vault.provider import LostFolder
from vault.repository.manifest import StoredEntry
from vault.repository.reader import Gap, SnapshotReader, lies_in


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A vault."""
    return Scene(tmp_path)


def test_folders_whose_entries_are_lost_are_told_of_by_what_lies_in_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above what follows a gap, no sooner and no more; nobody else meets them."""
    paths = [b"a", b"a/b", b"a/b/c", b"a/b/c/d", b"a/b/e", b"f", b"f/g"]
    record = scene.record(dict.fromkeys(paths, b""))
    gone = lose_rows(monkeypatch, {b"a/b", b"a/b/c", b"f"})
    with scene.reader(record) as reader:
        gaps: list[Gap] = []
        met: list[StoredEntry] = []
        with pytest.raises(Corrupt, match="after “a” and before “a/b/c/d”; after “a/b/e”"):
            met.extend(reader.walk(b"", gaps))
        assert [stored.path for stored in met] == [b"", *paths]
        assert {s.path for s in met if isinstance(s.entry, LostFolder)} == gone
        assert gaps == [Gap(b"a", b"a/b/c/d"), Gap(b"a/b/e", b"f/g")]
        assert [path for path in [b"", *paths, b"A", b"a/b/d", b"fa"] if lies_in(path, gaps)] == [
            *(b"a/b", b"a/b/c", b"f")
        ]
        assert isinstance(reader.find(b"a/b").entry, LostFolder)
        assert reader.find(b"a/b/c/d").path == b"a/b/c/d"
        seen: list[bytes] = []
        with pytest.raises(Corrupt):
            seen.extend(stored.path for stored in reader.entries())
        assert seen == [path for path in [b"", *paths] if path not in gone]


def test_a_path_without_end_has_no_folders_made_above_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a hostile manifest could have it: a few bytes for very many folders."""
    path = b"x/" * limits.LOST_PATH_MAX
    record = scene.record({b"w": b"", path + b"x": b""})
    lose_rows(monkeypatch, {b"w"})
    with scene.reader(record) as reader:
        met: list[bytes] = []
        with pytest.raises(Corrupt):
            met.extend(stored.path for stored in reader.walk(b"", []))
    assert met == [b"", path + b"x"]


def lose_rows(monkeypatch: pytest.MonkeyPatch, gone: set[bytes]) -> set[bytes]:
    """From now on these entries are lost, as if each page had held what lies between two others."""
    rows = SnapshotReader._rows

    def fewer(self: SnapshotReader, under: bytes, damage: list[Corrupt]) -> Iterator[StoredEntry]:
        lost = False
        for stored in rows(self, under, damage):
            if stored.path in gone and not lost:
                damage.append(Corrupt("a page is rotten"))
            lost = stored.path in gone
            if not lost:
                yield stored

    monkeypatch.setattr(SnapshotReader, "_rows", fewer)
    return gone
