"""What a killed restore in place has left beside a file: the next one clears it, and only that."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.directory import parts, provider
from tests.unit.adapters.directory.passing import put, taken, words
from vault.provider import Entry
from vault.testing.crash import CrashPoint, killed_at

PART = ".vault-part-4711-1"
Stored = list[tuple[Entry, list[bytes]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file in a folder."""
    place = tmp_path / "a"
    (place / "d").mkdir(parents=True)
    (place / "d" / "f").write_text("former")
    return place


@pytest.mark.parametrize("call", ["rename", "utime"])
def test_killed_in_the_middle_and_restored_again_nothing_is_left(root: Path, call: str) -> None:
    stored, _ = taken(root)
    (root / "d" / "f").write_text("present")

    def dying(point: CrashPoint) -> str:
        point.wrap(os, call)
        put(root, stored, in_place=True)
        return "restored"

    left = set()
    for step in range(50):
        died, _ = killed_at(step, dying)
        left |= {path.name.rpartition("-")[0] for path in (root / "d").iterdir()}
        assert not put(root, stored, in_place=True)
        assert sorted(path.name for path in root.rglob("*")) == ["d", "f"]
        assert (root / "d").stat().st_mtime_ns == stored[1][0].mtime_ns
        (root / "d" / "f").write_text("present")
        if not died:
            break
    assert any(name.startswith(".vault-part-") for name in left)


def test_the_folder_keeps_its_time(root: Path) -> None:
    stored, _ = taken(root)
    before = (root / "d").stat().st_mtime_ns
    (root / "d" / PART).write_text("half")
    os.utime(root / "d", ns=(before, before))
    assert not put(root, stored, in_place=True)
    assert os.listdir(root / "d") == ["f"]
    assert (root / "d").stat().st_mtime_ns == before


def test_what_the_snapshot_has_is_no_part(root: Path) -> None:
    (root / "d" / PART).write_text("a user's")
    stored, _ = taken(root)
    assert not put(root, stored, in_place=True)
    assert (root / "d" / PART).read_text() == "a user's"


def test_looking_alone_clears_nothing(root: Path) -> None:
    stored, _ = taken(root)
    (root / "d" / PART).write_text("half")
    restoration = provider().restoration(str(root), in_place=True)
    for entry, blocks in stored:
        restoration.differs(entry, lambda blocks=blocks: iter(blocks))  # type: ignore[misc]
    assert (root / "d" / PART).exists()


def test_one_that_is_being_written_stays(root: Path) -> None:
    stored, _ = taken(root)
    (root / "d" / PART).write_text("half")
    with (root / "d" / PART).open("ab") as writer:
        parts.claim(writer.fileno())
        assert words(put(root, stored, in_place=True)) == [("extra", f"d/{PART}".encode())]
    assert not put(root, stored, in_place=True)
    assert os.listdir(root / "d") == ["f"]


def test_a_restore_holds_its_part_until_it_has_its_name(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, _ = taken(root)
    (root / "d" / "f").write_text("present")
    seen, rename = [], os.rename

    def renaming(part: bytes, *words: object, src_dir_fd: int, **named: int) -> None:
        seen.append(parts.clear(src_dir_fd, part))
        rename(part, *words, src_dir_fd=src_dir_fd, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", renaming)
    assert not put(root, stored, in_place=True)
    assert seen == [False]
    assert (root / "d" / "f").read_text() == "former"
    with (root / "d" / "f").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds it any more


@pytest.mark.parametrize(
    "lay",
    [
        lambda place: (place / PART).mkdir(),
        lambda place: (place / PART).symlink_to("f"),
        lambda place: os.mkfifo(place / PART),
        lambda place: (place / PART).hardlink_to(place / "f"),
        lambda place: (place / ".vault-part-4711-0").touch(),
        lambda place: (place / ".vault-part-4711-01").touch(),
        lambda place: (place / ".vault-part-4711-1x").touch(),
        lambda place: (place / "x.vault-part-4711-1").touch(),
        lambda place: (place / ".vault-part-4711").touch(),
    ],
)
def test_whatever_else_has_such_a_name_stays(root: Path, lay: Callable[[Path], None]) -> None:
    stored, _ = taken(root)
    lay(root / "d")
    names = set(os.listdir(root / "d"))
    (found,) = put(root, stored, in_place=True)
    assert found.what == "extra"
    assert set(os.listdir(root / "d")) == names
    assert stat.S_ISREG((root / "d" / "f").lstat().st_mode)


def test_no_symlink_leads_it_elsewhere(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / PART).touch()
    (root / "link").symlink_to(tmp_path / "other")
    handle = os.open(root, os.O_RDONLY)
    try:
        assert not parts.clear(handle, b"link/" + PART.encode())
    finally:
        os.close(handle)
    assert (tmp_path / "other" / PART).exists()
