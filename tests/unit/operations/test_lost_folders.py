"""Restoring, in place too, and looking at what lies in folders whose own entries are lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_restore import restored, tree
from vault.errors import Corrupt, UsageError
from vault.operations.inspect import list_entries, read_file
from vault.operations.items import RestoreReport
from vault.repository.manifest import StoredEntry
from vault.repository.reader import SnapshotReader


@pytest.fixture
def half_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A snapshot whose folders `a` and `a/b` are lost with a page, and `a/b/x`; `a/b/y` is not."""
    (site.source / "a" / "b").mkdir(parents=True)
    for name in ("a/b/x", "a/b/y", "a/z"):
        (site.source / name).write_text(name)
    os.link(site.source / "a" / "b" / "x", site.source / "l")
    captured(site)
    rows = SnapshotReader._rows

    def fewer(self: SnapshotReader, under: bytes, damage: list[Corrupt]) -> Iterator[StoredEntry]:
        for stored in rows(self, under, damage):
            if stored.path in (b"a", b"a/b", b"a/b/x"):
                damage[:] = [Corrupt("a page is rotten")]
            else:
                yield stored

    monkeypatch.setattr(SnapshotReader, "_rows", fewer)
    return site


def told(report: RestoreReport) -> list[tuple[str, str]]:
    """What was found where, in order of path."""
    found = [(item.what, item.path) for item in report.findings]
    return sorted(found, key=lambda item: (item[1], item[0]))


LOST = [("not-restored", ""), ("folder-lost", "a"), ("folder-lost", "a/b")]
LINK = ("not-restored", "l")


def test_what_lies_in_a_folder_whose_entry_is_lost_is_restored(
    half_lost: Site, tmp_path: Path
) -> None:
    """Into folders that are closed to others; each is named, and what is not known of it."""
    report = restored(half_lost, to=tmp_path / "out")
    assert told(report) == [*LOST, LINK]
    unknown = [item.detail for item in report.findings if "are not known" in item.detail]
    assert len(unknown) == 2
    assert tree(tmp_path / "out") == {
        **{name: name.encode() for name in ("a/b/y", "a/z")},
        "orders": b"orders" * 1000,
    }
    for name in ("a", "a/b"):
        assert stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) == 0o700
    report = restored(half_lost, to=tmp_path / "part", include=("a/b/*",))
    assert told(report) == LOST
    assert tree(tmp_path / "part") == {"a/b/y": b"a/b/y"}
    report = restored(half_lost, to=tmp_path / "linked", include=("l", "orders"))
    assert told(report) == [LOST[0], LINK]
    assert tree(tmp_path / "linked") == {"orders": b"orders" * 1000}
    assert told(restored(half_lost, to=tmp_path / "dry", dry_run=True)) == LOST[:1]
    assert not (tmp_path / "dry").exists()


def test_in_place_a_folder_whose_entry_is_lost_is_left_as_it_is(half_lost: Site) -> None:
    """What stands where entries are lost is not called an extra: nobody knows."""
    source = half_lost.source
    (source / "a" / "b").chmod(0o711)
    for name in ("a/b/own", "b", "a/zz"):
        (source / name).touch()
    (source / "a" / "b" / "y").write_text("damage")
    report = restored(half_lost, in_place=True)
    assert told(report) == [
        *LOST[:3],
        ("unknown", "a/b/own"),
        ("unknown", "a/b/x"),
        ("extra", "a/zz"),
        ("extra", "b"),
    ]
    assert (source / "a" / "b" / "y").read_text() == "a/b/y"
    assert stat.S_IMODE((source / "a" / "b").stat().st_mode) == 0o711
    assert stat.S_IMODE((source / "a").stat().st_mode) == 0o755


def test_in_place_a_lost_folder_that_is_gone_is_made(half_lost: Site) -> None:
    """And where a symlink stands now, nothing is written through it."""
    source = half_lost.source
    (source / "a").rename(source.parent / "moved")
    assert told(restored(half_lost, in_place=True)) == [*LOST, LINK]
    assert (source / "a" / "b" / "y").read_text() == "a/b/y"
    assert stat.S_IMODE((source / "a").stat().st_mode) == 0o700
    (source / "a").rename(source.parent / "second")
    outside = source.parent / "outside"
    outside.mkdir()
    (source / "a").symlink_to(outside)
    assert told(restored(half_lost, in_place=True)) == [
        *(("not-restored", path) for path in ("", "a", "a/b", "a/b/y", "a/z", "l"))
    ]
    assert (source / "a").is_symlink()
    assert not os.listdir(outside)


def test_what_is_intact_in_a_lost_folder_is_shown(half_lost: Site) -> None:
    """The folder by the error at the end: nobody knows its mode."""
    unit, ring = half_lost.write, half_lost.ring
    assert b"".join(read_file(unit, ring, "db", "a/b/y")) == b"a/b/y"
    for path, below in (
        ("", [".", "a/b/y", "a/z", "l", "link", "orders"]),
        ("a", ["a/b/y", "a/z"]),
    ):
        seen: list[str] = []
        with pytest.raises(Corrupt, match="lost"):
            seen.extend(item.path for item in list_entries(unit, ring, "db", path))
        assert seen == below
    with pytest.raises(UsageError, match="no regular file"):
        read_file(unit, ring, "db", "a/b")
