"""Contents: holes, and files that move while they are read."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.directory.mapping import clipped, gather
from tests.unit.adapters.directory.passing import begun, taken
from vault import limits

BLOCK = 4096


def read_while(root: Path, meanwhile: Callable[[], None]) -> tuple[bytes, bool, int]:
    """Read the file `f`, doing something after its first block: content, stable, size."""
    capture = begun(root)
    entry = next(entry for entry in capture.entries() if entry.path == b"f")
    with capture.open(entry) as content:
        assert content is not None
        blocks = content.blocks()
        first = next(blocks)
        meanwhile()
        return first + b"".join(blocks), content.stable, content.entry.size


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "READ_BLOCK", BLOCK)
    path = tmp_path / "f"
    path.write_bytes(b"a" * 5 * BLOCK)
    return path


def test_a_quiet_file_is_stable(file: Path) -> None:
    data, stable, size = read_while(file.parent, lambda: None)
    assert stable
    assert (data, size) == (file.read_bytes(), 5 * BLOCK)


def test_a_file_that_grows(file: Path) -> None:
    def grow() -> None:
        with file.open("ab") as out:
            out.write(b"more")

    data, stable, size = read_while(file.parent, grow)
    assert not stable
    assert len(data) == size == 5 * BLOCK


def test_a_file_that_shrinks(file: Path) -> None:
    data, stable, size = read_while(file.parent, lambda: os.truncate(file, 2 * BLOCK + 7))
    assert not stable
    assert len(data) == size == 2 * BLOCK + 7


def test_a_file_rewritten_at_the_same_size_and_mtime(file: Path) -> None:
    def rewrite() -> None:
        before = file.stat()
        with file.open("r+b") as out:
            out.write(b"b" * 5 * BLOCK)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    data, stable, _ = read_while(file.parent, rewrite)
    assert data[:1] + data[-1:] == b"ab"
    assert not stable


def test_a_file_that_is_replaced(file: Path) -> None:
    def replace() -> None:
        (file.parent / "new").write_bytes(b"c" * 5 * BLOCK)
        (file.parent / "new").rename(file)

    data, stable, _ = read_while(file.parent, replace)
    assert data == b"a" * 5 * BLOCK
    assert not stable


def test_a_file_that_vanishes(file: Path) -> None:
    _, stable, _ = read_while(file.parent, file.unlink)
    assert not stable


def test_content_that_was_not_read_to_its_end_is_not_stable(file: Path) -> None:
    capture = begun(file.parent)
    entry = list(capture.entries())[1]
    with capture.open(entry) as content:
        assert content is not None
        next(content.blocks())
        assert not content.stable


def test_an_empty_file_is_stable(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    capture = begun(tmp_path)
    with capture.open(list(capture.entries())[1]) as content:
        assert content is not None
        assert list(content.blocks()) == []
        assert content.stable


def test_holes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as out:
        out.truncate(1 << 40)
        out.seek(1 << 30)
        out.write(b"x" * BLOCK)
        out.seek(1 << 35)
        out.write(b"y" * BLOCK)
    (entry, blocks) = taken(tmp_path)[0][1]
    assert entry.size == 1 << 40
    assert entry.segments == ((1 << 30, BLOCK), (1 << 35, BLOCK))
    assert b"".join(blocks) == b"x" * BLOCK + b"y" * BLOCK


def test_a_file_of_nothing_but_a_hole(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    os.truncate(tmp_path / "f", 10**9)
    (entry, blocks) = taken(tmp_path)[0][1]
    assert (entry.size, entry.segments, blocks) == (10**9, (), [])


def test_the_smallest_holes_go_where_there_are_too_many() -> None:
    segments = [(number * 10_000, 1000) for number in range(50)] + [(10**9, 5)]
    joined = gather(segments, 3)
    assert joined == ((0, 491_000), (10**9, 5))
    assert gather(segments, 100) == tuple(segments)


def test_segments_are_clipped_to_what_was_read() -> None:
    segments = ((0, 10), (100, 10), (200, 10))
    assert clipped(segments, 15) == ((0, 10), (100, 5))
    assert clipped(segments, 0) == ()
    assert clipped(segments, 99) == segments


@pytest.mark.parametrize("call", ["open", "listxattr"])
def test_a_small_file_that_moves_is_looked_at_closer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whether before or after its bytes were read: what is told is what is there."""
    path = tmp_path / "f"
    path.write_bytes(b"before")
    capture = begun(tmp_path)
    capture.started_ns += 10**9  # the file is older than a tick
    entry = next(entry for entry in capture.entries() if entry.path == b"f")
    genuine = getattr(os, call)
    changed: list[int] = []

    def once(*given: object, **named: object) -> object:
        if not changed:
            changed.append(path.write_bytes(b"after"))
        return genuine(*given, **named)

    monkeypatch.setattr(os, call, once)
    with capture.open(entry) as content:
        assert content is not None
        assert b"".join(content.blocks()) == b"after"
        assert content.entry.size == len(b"after")
        assert content.stable
    assert changed


def test_a_mapped_file_that_changes_later_tells_so(tmp_path: Path) -> None:
    """A page that still waited for the disk would be written to without a new ctime."""
    path = tmp_path / "f"
    path.write_bytes(b"a" * BLOCK)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), BLOCK) as mapped:
        mapped.flush()
        before = path.stat().st_ctime_ns
        time.sleep(0.05)
        mapped[0:1] = b"b"
        if path.stat().st_ctime_ns == before:
            pytest.skip("this file system never tells of mapped writes")
        ((_, _), (first, content)), _ = taken(tmp_path)
        time.sleep(0.05)
        mapped[0:1] = b"c"
        ((_, _), (then, _)), _ = taken(tmp_path)
    assert content[0].startswith(b"b")
    assert then.ctime_ns > first.ctime_ns


def test_a_fifo_in_a_small_files_place_is_not_opened_again(tmp_path: Path) -> None:
    """Only what was just looked at is opened without another look."""
    path = tmp_path / "f"
    path.write_bytes(b"before")
    capture = begun(tmp_path)
    capture.started_ns += 10**9  # the file is older than a tick
    entry = next(entry for entry in capture.entries() if entry.path == b"f")
    with capture.open(entry) as content:
        assert content is not None
    path.unlink()
    os.mkfifo(path)
    with capture.open(entry) as content:
        assert content is None
    assert [finding.what for finding in capture.findings] == ["type-changed"]
