"""The walk: order, bounds, what vanishes, what is not to be touched."""

from __future__ import annotations

import gc
import os
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.directory import config
from tests.unit.adapters.directory.mounting import bound, needs_mounts, tmpfs
from tests.unit.adapters.directory.passing import begun, paths, taken, words
from vault import limits
from vault.errors import SourceDenied, SourceError, SourceVanished
from vault.provider import Kind, order_key


def test_the_order_is_by_component(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/z", "a-b", "a.b", "A", "a0"):
        (tmp_path / name).touch()
    stored, findings = taken(tmp_path)
    assert paths(stored) == [b"", b"A", b"a", b"a/z", b"a-b", b"a.b", b"a0"]
    assert not findings


def test_an_empty_volume_is_its_root(tmp_path: Path) -> None:
    stored, findings = taken(tmp_path)
    assert paths(stored) == [b""]
    assert not findings


def test_names_beyond_memory_are_sorted_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NAMES_IN_MEMORY", 7)
    names = [b"%d\n\xff" % (number * 37 % 100) for number in range(100)]
    for name in names:
        (tmp_path / os.fsdecode(name)).touch()
    stored, _ = taken(tmp_path)
    assert paths(stored)[1:] == sorted(names)


def test_a_hundred_thousand_files_in_one_directory(shared: Path) -> None:
    fd = os.open(shared, os.O_RDONLY)
    for number in range(100_000):
        os.mknod(b"%x" % number, stat.S_IFREG | 0o644, dir_fd=fd)
    os.close(fd)
    found = [entry.path for entry in begun(shared).entries()]
    assert len(found) == 100_001
    assert found == sorted(found, key=order_key)


def test_a_tree_deeper_than_paths_and_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPEN_DIRECTORIES", 4)
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(300):
        os.mkdir(b"d" * 50, dir_fd=fd)
        os.mknod(b"after", stat.S_IFREG | 0o644, dir_fd=fd)
        child = os.open(b"d" * 50, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = child
    os.close(fd)
    before = len(os.listdir("/proc/self/fd"))
    most, count = 0, 0
    for _ in begun(tmp_path).entries():
        count += 1
        most = max(most, len(os.listdir("/proc/self/fd")) - before)
    assert count == 601
    assert most <= 8
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_captures_descriptors_are_closed_with_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").touch()
    gc.collect()  # what earlier tests have left does not go just now
    before = len(os.listdir("/proc/self/fd"))
    capture = begun(tmp_path)
    entries = capture.entries()
    for _ in range(3):
        next(entries)
    assert len(os.listdir("/proc/self/fd")) > before
    del capture, entries
    assert len(os.listdir("/proc/self/fd")) <= before


def test_what_vanishes_is_reported(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).touch()
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "inner").touch()
    capture = begun(tmp_path)
    for entry in capture.entries():
        if entry.path == b"a":
            (tmp_path / "b").unlink()
        if entry.path == b"c":
            (tmp_path / "c").unlink()
            with capture.open(entry) as content:
                assert content is None
        if entry.path == b"e":
            shutil.rmtree(tmp_path / "e")
            assert capture.complete(entry) is None
    assert words(capture.findings) == [("vanished", b"b"), ("vanished", b"c"), ("vanished", b"e")]


def test_nothing_follows_below_a_directory_that_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    capture = begun(tmp_path)
    seen = []
    for entry in capture.entries():
        seen.append(entry.path)
        if entry.path == b"d":
            (tmp_path / "d").rmdir()
            assert capture.complete(entry) is None
            (tmp_path / "d").mkdir()
            (tmp_path / "d" / "inner").touch()
    assert seen == [b"", b"d"]


def test_what_becomes_another_kind_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("x")
    capture = begun(tmp_path)
    for entry in capture.entries():
        if entry.path == b"file":
            (tmp_path / "file").unlink()
            os.mkfifo(tmp_path / "file")
            with capture.open(entry) as content:
                assert content is None
        if entry.path == b"link":
            (tmp_path / "link").unlink()
            (tmp_path / "link").mkdir()
            assert capture.complete(entry) is None
    assert words(capture.findings) == [("type-changed", b"file"), ("type-changed", b"link")]


def test_a_directory_replaced_by_a_symlink_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (root / "d" / "f").write_text("mine")
    capture = begun(root)
    entries = {entry.path: entry for entry in capture.entries()}
    shutil.rmtree(root / "d")
    (root / "d").symlink_to(outside)
    (outside / "f").write_text("theirs")
    with capture.open(entries[b"d/f"]) as content:
        assert content is None
    assert words(capture.findings) == [("type-changed", b"d/f")]


def test_a_fifo_is_never_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    opened = threading.Event()

    def write() -> None:
        with fifo.open("wb"):  # returns as soon as anyone opens it to read
            opened.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    stored, findings = taken(tmp_path)
    assert not opened.wait(0.05)
    assert [entry.kind for entry, _ in stored] == [Kind.DIRECTORY, Kind.FIFO]
    assert not findings
    os.close(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
    writer.join(5)


def test_reading_leaves_access_times_alone(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    os.utime(path, ns=(1, 10**18))
    taken(tmp_path)
    assert path.stat().st_atime_ns == 1


def test_what_may_not_be_read_is_reported(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    (shared / "closed-file").write_text("x")
    (shared / "closed-file").chmod(0)
    (shared / "closed-folder").mkdir(mode=0)
    (shared / "listed-only").mkdir()
    (shared / "listed-only" / "inner").touch()
    (shared / "listed-only").chmod(0o444)
    (shared / "open").write_text("y")
    if os.geteuid() == 0:
        for path in [shared, *shared.iterdir()]:
            os.chown(path, 65534, 65534)

    def check() -> None:
        stored, findings = taken(shared)
        assert paths(stored) == [b"", b"closed-folder", b"listed-only", b"open"]
        assert {finding.what for finding in findings} == {"unreadable"}
        assert {b"closed-file", b"closed-folder", b"listed-only/inner"} <= {
            finding.path for finding in findings
        }

    as_nobody(check)


def test_a_volume_that_may_not_be_opened_is_denied(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    (shared / "volume").mkdir(mode=0)

    def check() -> None:
        with pytest.raises(SourceDenied):
            begun(shared / "volume")

    as_nobody(check)


def test_what_is_no_directory_has_vanished(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("file", "missing", "loop", "file/below"):
        with pytest.raises(SourceVanished):
            begun(tmp_path / name)


def test_a_process_out_of_descriptors_stops_the_capture(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    capture = begun(tmp_path)
    entries = list(capture.entries())

    taken_up = []
    try:
        while True:
            taken_up.append(os.dup(0))
    except OSError:
        pass
    try:
        with pytest.raises(SourceError):
            capture.open(entries[1])
    finally:
        for fd in taken_up:
            os.close(fd)
    assert not capture.findings


def test_later_names_are_links_to_the_first(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "b").write_text("content")
    (tmp_path / "d" / "a").hardlink_to(tmp_path / "b")
    (tmp_path / "c").hardlink_to(tmp_path / "b")
    links = {entry.path: entry.link for entry, _ in taken(tmp_path)[0]}
    assert links == {b"": None, b"b": None, b"c": b"b", b"d": None, b"d/a": b"b"}


def test_links_beyond_memory_are_remembered_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINKS_IN_MEMORY", 5)
    for number in range(60):
        (tmp_path / f"a{number:02}").touch()
        (tmp_path / f"b{number:02}").hardlink_to(tmp_path / f"a{number:02}")
    links = {entry.path: entry.link for entry in begun(tmp_path).entries()}
    assert all(links[b"b%02d" % number] == b"a%02d" % number for number in range(60))
    assert all(links[b"a%02d" % number] is None for number in range(60))


@pytest.mark.parametrize("memory", [1000, 0])
def test_a_first_name_that_is_lost_gives_its_place_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setattr(limits, "LINKS_IN_MEMORY", memory)
    if not memory:
        monkeypatch.setattr(limits, "LINKS_IN_MEMORY", 1)
        (tmp_path / "0").touch()
        (tmp_path / "00").hardlink_to(tmp_path / "0")
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").hardlink_to(tmp_path / "a")
    capture = begun(tmp_path)
    links = {}
    for entry in capture.entries():
        links[entry.path] = entry.link
        if entry.path == b"a":
            (tmp_path / "a").unlink()
            with capture.open(entry) as content:
                assert content is None
    assert links[b"b"] is None
    assert links[b"c"] == b"b"


def test_a_replaced_first_name_is_nobodys_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    capture = begun(tmp_path)
    links = {}
    for entry in capture.entries():
        links[entry.path] = entry.link
        if entry.path == b"a":
            (tmp_path / "new").write_text("new")
            (tmp_path / "new").rename(tmp_path / "a")
            with capture.open(entry) as content:
                assert content is not None
                assert b"".join(content.blocks()) == b"new"
    assert links[b"b"] is None


def test_a_number_given_out_anew_makes_no_link(tmp_path: Path) -> None:
    """What was a file with two names is gone; its number is that of another one with two."""
    (tmp_path / "z").mkdir()
    (tmp_path / "a").write_text("gone")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    number = (tmp_path / "a").stat().st_ino
    found = []
    for entry in begun(tmp_path).entries():
        found.append(entry)
        if entry.path == b"b":
            (tmp_path / "a").unlink()
            (tmp_path / "b").unlink()
            for name in map(str, range(100)):
                (tmp_path / "z" / name).write_text("new")
                if (tmp_path / "z" / name).stat().st_ino == number:
                    break
            else:
                pytest.skip("this file system gives out no number twice")
            (tmp_path / "z" / "twin").hardlink_to(tmp_path / "z" / name)
    links = {entry.path: entry.link for entry in found}
    assert links[b"b"] == b"a"
    assert links[b"z/" + name.encode()] is None
    assert links[b"z/twin"] == b"z/" + name.encode()


@needs_mounts
def test_other_file_systems_are_not_captured(tmp_path: Path) -> None:
    (tmp_path / "root" / "disk").mkdir(parents=True)
    (tmp_path / "root" / "same").mkdir()
    (tmp_path / "root" / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "inner").touch()
    with (
        tmpfs(tmp_path / "root" / "disk") as disk,
        bound(tmp_path / "elsewhere", tmp_path / "root" / "same"),
        bound(tmp_path / "elsewhere" / "inner", tmp_path / "root" / "file"),
    ):
        (disk / "inner").touch()
        stored, findings = taken(tmp_path / "root")
    assert paths(stored) == [b"", b"disk", b"same"]
    assert sorted(words(findings)) == [
        ("not-captured", b"disk"),
        ("not-captured", b"file"),
        ("not-captured", b"same"),
    ]


def test_a_trash_in_an_ordinary_volume_is_captured(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(config.TRASH)).mkdir()
    assert config.TRASH in paths(taken(tmp_path)[0])


@needs_mounts
def test_the_trash_of_a_mount_point_is_left_out(tmp_path: Path) -> None:
    with tmpfs(tmp_path):
        (tmp_path / os.fsdecode(config.TRASH)).mkdir()
        (tmp_path / "d" / os.fsdecode(config.TRASH)).mkdir(parents=True)
        assert paths(taken(tmp_path)[0]) == [b"", b"d", b"d/" + config.TRASH]


def test_findings_stay_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FINDINGS_MAX", 3)
    for number in range(10):
        (tmp_path / str(number)).touch()
    capture = begun(tmp_path)
    for entry in capture.entries():
        if entry.path == b"0":
            for number in range(1, 10):
                (tmp_path / str(number)).unlink()
    assert [finding.path for finding in capture.findings] == [b"1", b"2", b"3", b""]
    assert capture.findings[-1].detail == "and 6 more that are not listed"


def test_attributes_are_sorted(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    for name in ("user.b", "user.a", "user.c"):
        os.setxattr(path, name, name.encode())
    stored, _ = taken(tmp_path)
    assert [name for name, _ in stored[1][0].xattrs] == [b"user.a", b"user.b", b"user.c"]
