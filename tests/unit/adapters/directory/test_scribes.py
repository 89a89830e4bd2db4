"""Restoring with several processes: the same tree, the same findings, the same ends."""

from __future__ import annotations

import gc
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from adapters.directory import provider, scribes
from adapters.directory.restoration import DirectoryRestoration
from tests.unit.adapters.directory.mounting import needs_mounts, tmpfs
from tests.unit.adapters.directory.passing import Stored, file, folder, put, symlink, taken, words
from vault.errors import Corrupt, DiskFull, SourceError
from vault.provider import Kind
from vault.testing.builders import acl, build_tree
from vault.testing.trees import differences


@pytest.fixture(autouse=True)
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes write from the second file on, in stretches of few files."""
    monkeypatch.setattr(scribes, "_ALONE", 1)
    monkeypatch.setattr(scribes, "_PATIENCE", 60.0)
    monkeypatch.setattr(scribes, "_SLOT", 4096)
    monkeypatch.setattr(scribes, "_processors", lambda: 2)


def begun(target: Path) -> DirectoryRestoration:
    """A restoration whose processes run, with one file written."""
    restoration = DirectoryRestoration(str(target), in_place=False)
    restoration.write(folder(b""), ())
    restoration.write(file(b"a", 5), [b"whole"])
    assert len(restoration._scribes._processes) == 2
    return restoration


def write_many(restoration: DirectoryRestoration, count: int) -> None:
    """Files of 1000 bytes, and the end."""
    for number in range(count):
        restoration.write(file(b"f%04d" % number, 1000), [b"x" * 1000])
    restoration.finish()


def test_they_start_where_vault_is_on_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an editable installation, whose modules are found by what `site` loads."""
    elsewhere = [path for path in sys.path if not (Path(path) / "adapters").is_dir()]
    monkeypatch.setattr(sys, "path", elsewhere)
    write_many(begun(tmp_path / "b"), 3)
    assert len(list((tmp_path / "b").iterdir())) == 4


def test_everything_returns(tmp_path: Path) -> None:
    build_tree(tmp_path / "a", seed=7)
    many = tmp_path / "a" / "apart"
    for number in range(300):
        (many / f"{number % 17}").mkdir(parents=True, exist_ok=True)
        (many / f"{number % 17}" / f"{number}").write_text(f"{number}" * (number % 50))
    os.link(many / "1" / "1", many / "linked")
    for place in many.iterdir():
        os.utime(place, ns=(1, 10**18))
    stored, findings = taken(tmp_path / "a")
    assert not findings
    before = len(os.listdir("/proc/self/fd"))
    assert not put(tmp_path / "b", stored)
    assert not differences(tmp_path / "a", tmp_path / "b")
    assert len(os.listdir("/proc/self/fd")) <= before


def test_folders_that_nobody_may_enter_return(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    def check() -> None:
        closed = shared / "a" / "closed"
        for number in range(40):
            (closed / f"{number}" / "below").mkdir(parents=True)
            (closed / f"{number}" / "below" / "f").write_text("x" * 500)
        for place in (*closed.glob("*/below"), *closed.glob("*"), closed):
            place.chmod(0o500)
        stored, _ = taken(shared / "a")
        shut = [
            (msgspec.structs.replace(e, mode=0) if e.kind == Kind.DIRECTORY and e.path else e, b)
            for e, b in stored
        ]
        assert not put(shared / "b", shut)
        assert stat.S_IMODE((shared / "b" / "closed").stat().st_mode) == 0
        (shared / "b" / "closed").chmod(0o700)
        for number in range(40):
            place = shared / "b" / "closed" / f"{number}"
            assert stat.S_IMODE(place.stat().st_mode) == 0
            place.chmod(0o700)
            (place / "below").chmod(0o700)
            assert (place / "below" / "f").read_text() == "x" * 500

    as_nobody(check)


def test_what_cannot_be_written_is_found_and_the_rest_returns(tmp_path: Path) -> None:
    long = b"n" * 300
    entries: Stored = [
        (folder(b""), []),
        (file(b"a", 1), [b"x"]),
        (file(b"b", 3), [b"x"]),
        (file(b"c", 1), [b"xyz"]),
        (file(b"d", 1), [b"x"]),
        (file(b"d", 1), [b"y"]),
        (file(long, 1), [b"x"]),
        (symlink(b"s", os.fsencode(tmp_path)), []),
        (file(b"z", 2), [b"x", b"y"]),
    ]
    restoration = DirectoryRestoration(str(tmp_path / "target"), in_place=False)
    for entry, blocks in entries:
        restoration.write(entry, blocks)
    restoration.finish()
    assert words(restoration.findings) == [("not-restored", p) for p in (b"b", b"c", b"d", long)]
    assert sorted(os.listdir(tmp_path / "target")) == ["a", "d", "s", "z"]
    assert (tmp_path / "target" / "d").read_text() == "x"
    assert (tmp_path / "target" / "z").read_text() == "xy"


def test_a_damaged_content_leaves_nothing(tmp_path: Path) -> None:
    def damaged() -> Iterator[bytes]:
        yield b"x"
        raise Corrupt("a chunk is lost")

    restoration = begun(tmp_path / "target")
    with pytest.raises(Corrupt):
        restoration.write(file(b"b", 2), damaged())
    restoration.write(file(b"c", 1), [b"x"])
    restoration.finish()
    assert sorted(os.listdir(tmp_path / "target")) == ["a", "c"]


def test_what_is_refused_is_counted_together(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    def check() -> None:
        stored: Stored = [(folder(b""), [])]
        for number in range(20):
            entry = msgspec.structs.replace(file(b"%02d" % number, 500), uid=os.geteuid() + 1)
            stored.append((entry, [b"x" * 500]))
        found = put(shared / "b", stored)
        assert words(found) == [("not-restored", b"00")]
        assert "and 19 more" in found[0].detail

    as_nobody(check)


def test_a_targets_default_acl_is_not_inherited(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    (tmp_path / "b").mkdir()
    os.setxattr(tmp_path / "b", "system.posix_acl_default", acl(4242))
    put(tmp_path / "b", stored)
    assert not differences(tmp_path / "a", tmp_path / "b")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another group")
def test_a_targets_group_is_not_inherited(tmp_path: Path) -> None:
    """The first file of a folder tells what the others are given."""
    target = tmp_path / "b"
    target.mkdir()
    os.chown(target, 0, 4242)
    target.chmod(0o2770)
    stored: Stored = [(folder(b""), [])]
    for place in (b"d", b"e"):
        stored.append((folder(place), []))
        for number in range(9):
            entry = file(b"%s/%d" % (place, number), 500, 0o640 + number % 2)
            stored.append((msgspec.structs.replace(entry, gid=4242 + number % 3), [b"x" * 500]))
    assert not put(target, stored)
    for entry, _ in stored:
        info = os.stat(os.fsencode(target) + b"/" + entry.path)
        assert (info.st_gid, info.st_mode & 0o7777) == (entry.gid, entry.mode)


@needs_mounts
def test_a_full_disk_stops_the_restore_and_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with tmpfs(tmp_path / "small", options="size=1m") as disk:
        restoration = begun(disk / "target")
        with pytest.raises(DiskFull, match="f0"):
            write_many(restoration, 2000)
        with pytest.raises(DiskFull):
            restoration.finish()
        sizes = {path.stat().st_size for path in (disk / "target").iterdir()}
        assert sizes <= {5, 1000}
        del restoration
        gc.collect()  # the errors above hold on to it


def test_a_process_that_ends_before_its_time(tmp_path: Path) -> None:
    restoration = begun(tmp_path / "target")
    for process in restoration._scribes._processes:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with pytest.raises(SourceError, match="before its time"):
        write_many(restoration, 100)


def test_where_no_process_can_be_started_it_goes_on_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("raise SystemExit", None):
        if program is None:
            monkeypatch.setattr("sys.executable", str(tmp_path / "nothing"))
        else:
            monkeypatch.setattr(scribes, "_PROGRAM", program)
        target = tmp_path / f"target-{program}"
        stored = [(folder(b""), []), *((file(b"%d" % n, 1), [b"x"]) for n in range(9))]
        assert not put(target, stored)
        assert sorted(os.listdir(target)) == [str(n) for n in range(9)]


def test_in_place_everything_is_written_here(tmp_path: Path) -> None:
    restoration = provider().restoration(str(tmp_path / "b"), in_place=True)
    assert isinstance(restoration, DirectoryRestoration)
    for number in range(9):
        restoration.write(file(b"%d" % number, 1), [b"x"])
    assert not restoration._scribes._processes
    restoration.finish()


def test_one_that_nobody_waits_for_ends_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, memory = os.open(tmp_path, os.O_DIRECTORY), os.memfd_create("none")
    os.ftruncate(memory, 4096)
    try:
        with scribes._started(root, memory) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.close()
            process.stdin.close()
            assert process.wait() == 0
    finally:
        os.close(root)
        os.close(memory)
    assert capfd.readouterr().err == ""
