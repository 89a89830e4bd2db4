"""Restoring: equal, in place, and never outside the target whatever a manifest says."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from adapters.directory import attributes, filling, kernel, metadata, provider
from tests.unit.adapters.directory.mounting import needs_mounts, tmpfs
from tests.unit.adapters.directory.passing import (
    file,
    folder,
    put,
    put_after_looking,
    taken,
    words,
)
from vault.errors import DiskFull, TargetNotEmpty
from vault.provider import Entry, Kind
from vault.testing.builders import acl, build_tree
from vault.testing.trees import differences

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root sets owners")


def test_everything_returns(tmp_path: Path) -> None:
    build_tree(tmp_path / "a", seed=7)
    stored, findings = taken(tmp_path / "a")
    assert not findings
    assert not put(tmp_path / "b", stored)
    assert not differences(tmp_path / "a", tmp_path / "b")


def test_the_disk_begins_early_with_large_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    begin = kernel.begin_writing

    def seen(fd: int, offset: int, length: int) -> None:
        begun.append(length)
        begin(fd, offset, length)

    monkeypatch.setattr(filling, "_STRETCH", 1000)
    monkeypatch.setattr(kernel, "begin_writing", seen)
    assert not put(tmp_path / "t", [(file(b"f", 3500), [b"abcde" * 100] * 7)])
    assert begun == [1000, 2000, 3000]
    assert (tmp_path / "t" / "f").read_bytes() == b"abcde" * 700


def test_the_disk_begins_at_once_with_what_is_not_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    monkeypatch.setattr(kernel, "begin_writing", lambda fd, *_: begun.append(os.fstat(fd).st_size))
    sizes = (100, 31 * 1024, 32 * 1024, 200 * 1024)
    entries = [(file(b"f%d" % n, size), [b"x" * size]) for n, size in enumerate(sizes)]
    assert not put(tmp_path / "t", entries)
    assert begun == [32 * 1024, 200 * 1024]


def test_everything_returns_in_place_from_any_damage(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "many").write_text("a file where a folder was")
    (tmp_path / "b" / "deep").symlink_to(tmp_path)
    (tmp_path / "b" / "some").mkdir()
    (tmp_path / "b" / "linked-again").symlink_to("linked")
    findings = put(tmp_path / "b", stored, in_place=True)
    assert {finding.what for finding in findings} == {"displaced"}
    for path in (tmp_path / "b").glob("*.vault-displaced-*"):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    os.utime(tmp_path / "b", ns=(0, stored[0][0].mtime_ns))
    assert not differences(tmp_path / "a", tmp_path / "b")


def test_attributes_and_acls_that_were_added_are_removed(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    for name in ("one", "many", "many/file-03"):
        os.setxattr(tmp_path / "a" / name, "user.added", b"x")
    os.setxattr(tmp_path / "a" / "some", "system.posix_acl_access", acl(4242))
    build_tree(tmp_path / "b")
    put(tmp_path / "a", stored, in_place=True)
    assert not differences(tmp_path / "a", tmp_path / "b")


def test_a_targets_default_acl_is_not_inherited(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    (tmp_path / "b").mkdir()
    os.setxattr(tmp_path / "b", "system.posix_acl_default", acl(4242))
    put(tmp_path / "b", stored)
    assert not differences(tmp_path / "a", tmp_path / "b")


def test_in_place_writes_only_what_differs(tmp_path: Path) -> None:
    root = tmp_path / "a"
    (root / "d").mkdir(parents=True)
    for name in ("d/changed", "d/same", "gone", "mode"):
        (root / name).write_text(name)
    os.utime(root / "d", ns=(1, 10**18))
    stored, _ = taken(root)
    inode = (root / "d" / "same").stat().st_ino
    (root / "d" / "changed").write_text("otherwise")
    os.utime(root / "d", ns=(1, 10**18))
    (root / "gone").unlink()
    (root / "mode").chmod(0o777)
    (root / "extra").touch()
    (root / "d" / "extra").mkdir()
    os.utime(root / "d", ns=(1, 10**18))
    findings = put(root, stored, in_place=True)
    assert words(findings) == [("extra", b"d/extra"), ("extra", b"extra")]
    assert (root / "d" / "changed").read_text() == "d/changed"
    assert (root / "gone").read_text() == "gone"
    assert stat.S_IMODE((root / "mode").stat().st_mode) == 0o644
    assert (root / "d" / "same").stat().st_ino == inode
    assert (root / "d").stat().st_mtime_ns == 10**18
    assert (root / "extra").exists()


def test_looking_ahead_of_writing_is_allowed(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    build_tree(tmp_path / "b", seed=3)
    assert not put_after_looking(tmp_path / "b", stored)
    assert not differences(tmp_path / "a", tmp_path / "b")


def test_looking_has_no_effect(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    restoration = provider().restoration(str(tmp_path / "new"), in_place=True)
    assert all(restoration.differs(entry, partial(iter, blocks)) for entry, blocks in stored)
    assert not (tmp_path / "new").exists()


def test_a_relinked_name_follows_its_first(tmp_path: Path) -> None:
    root = tmp_path / "a"
    root.mkdir()
    (root / "a").write_text("right")
    (root / "b").hardlink_to(root / "a")
    stored, _ = taken(root)
    (root / "a").write_text("wrong!")
    put(root, stored, in_place=True)
    assert (root / "a").read_text() == (root / "b").read_text() == "right"
    assert (root / "a").stat().st_ino == (root / "b").stat().st_ino
    assert sorted(os.listdir(root)) == ["a", "b"]


def test_a_later_name_follows_a_first_that_only_its_bytes_give_away(tmp_path: Path) -> None:
    """Same size, same time: what was written over it hides, and the inode is theirs together."""
    root = tmp_path / "a"
    root.mkdir()
    (root / "a").write_text("right")
    (root / "b").hardlink_to(root / "a")
    stored, _ = taken(root)
    (root / "a").write_text("wrong")
    os.utime(root / "a", ns=(5, stored[1][0].mtime_ns))
    put_after_looking(root, stored)
    assert (root / "a").read_text() == (root / "b").read_text() == "right"
    assert (root / "a").stat().st_ino == (root / "b").stat().st_ino


def test_what_fills_a_place_that_was_missing_is_no_extra(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    restoration = provider().restoration(str(tmp_path / "b"), in_place=True)
    half = len(stored) // 2
    for part in (stored[:half], stored[half:]):
        assert all(restoration.differs(entry, partial(iter, blocks)) for entry, blocks in part)
        for entry, blocks in part:
            restoration.write(entry, blocks)
    restoration.finish()
    assert not restoration.findings
    assert not differences(tmp_path / "a", tmp_path / "b")


@needs_mounts
def test_times_beyond_every_calendar_cost_no_content(tmp_path: Path) -> None:
    """What has no time at all says 1601 on some systems; an archive may say anything."""
    times = {"1601": -11_644_473_600, "2300": 10**10, "3000": 32_503_680_000, "never": 10**13}
    root = tmp_path / "a"
    root.mkdir()
    with tmpfs(root):
        for name, seconds in times.items():
            (root / name).write_text(name)
            os.utime(root / name, (0, seconds))
        stored, findings = taken(root)
    stored = [(msgspec.msgpack.decode(msgspec.msgpack.encode(e), type=Entry), b) for e, b in stored]
    assert not findings + put(tmp_path / "b", stored)
    assert {name: (tmp_path / "b" / name).read_text() for name in times} == {n: n for n in times}
    assert stored[2][0].mtime_ns == times["2300"] * 10**9


def test_a_displaced_folder_keeps_its_contents(tmp_path: Path) -> None:
    root = tmp_path / "a"
    long = "n" * 255
    (root / long).mkdir(parents=True)
    (root / long / "precious").touch()
    findings = put(root, [(folder(b""), []), (file(long.encode(), 1), [b"x"])], in_place=True)
    assert [finding.what for finding in findings] == ["displaced"]
    (kept,) = [path for path in root.iterdir() if path.name != long]
    assert (kept / "precious").exists()
    assert len(kept.name) == 255


def test_a_target_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(TargetNotEmpty):
            provider().restoration(str(place), in_place=False)


def test_a_target_reached_through_a_symlink_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "link", [(folder(b""), []), (file(b"f", 1), [b"x"])])
    assert (tmp_path / "real" / "f").read_text() == "x"


# --- what cannot be restored ---------------------------------------------------------------------


@needs_root
def test_without_rights_owners_and_devices_are_findings(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    entries = [
        folder(b""),
        Entry(b"device", Kind.CHARACTER_DEVICE, 0o666, 0, 0, 1, rdev=os.makedev(1, 3)),
        *(file(b"f%d" % number, 0, 0o4755) for number in range(5)),
        msgspec.structs.replace(file(b"g"), xattrs=((b"trusted.x", b"1"), (b"user.y", b"2"))),
        file(b"h", 0, 0o444),
    ]

    def check() -> None:
        findings = put(shared / "target", [(entry, []) for entry in entries])
        assert {finding.what for finding in findings} == {"not-restored"}
        assert len(findings) == 4
        assert any("and 7 more" in finding.detail for finding in findings)
        made = (shared / "target" / "f0").stat()
        assert stat.S_IMODE(made.st_mode) == 0o755
        assert os.getxattr(shared / "target" / "g", "user.y") == b"2"
        assert not (shared / "target" / "device").exists()

    as_nobody(check)


def test_an_ordinary_users_tree_returns(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    def check() -> None:
        build_tree(shared / "a")
        stored, findings = taken(shared / "a")
        assert [finding.path for finding in findings] == []
        assert not put(shared / "b", stored)
        assert not differences(shared / "a", shared / "b")
        assert not put(shared / "b", stored, in_place=True)
        assert not differences(shared / "a", shared / "b")

    as_nobody(check)


def test_a_read_only_folder_is_written_to_by_its_owner(
    shared: Path, as_nobody: Callable[[Callable[[], None]], None]
) -> None:
    def check() -> None:
        root = shared / "a"
        (root / "closed").mkdir(parents=True)
        (root / "closed" / "f").write_text("right")
        (root / "closed").chmod(0o555)
        stored, _ = taken(root)
        (root / "closed" / "f").write_text("wrong!")
        assert not put(root, stored, in_place=True)
        assert (root / "closed" / "f").read_text() == "right"
        assert stat.S_IMODE((root / "closed").stat().st_mode) == 0o555

    as_nobody(check)


@needs_mounts
@pytest.mark.parametrize("in_place", [False, True])
def test_a_full_disk_stops_the_restore_and_leaves_no_part(
    tmp_path: Path, *, in_place: bool
) -> None:
    (tmp_path / "small").mkdir()
    with tmpfs(tmp_path / "small", options="size=1m") as disk:
        restoration = provider().restoration(str(disk / "target"), in_place=in_place)
        restoration.write(folder(b""), ())
        restoration.write(file(b"a", 5), [b"whole"])
        with pytest.raises(DiskFull) as caught:
            restoration.write(file(b"b", 4 << 20), [b"x" * (1 << 20)] * 4)
        assert caught.value.safe
        assert os.listdir(disk / "target") == ["a"]
        restoration.finish()
        assert (disk / "target" / "a").read_text() == "whole"


def test_names_that_do_not_fit_are_findings(tmp_path: Path) -> None:
    findings = put(tmp_path / "target", [(file(b"n" * 300, 1), [b"x"]), (file(b"o", 1), [b"x"])])
    assert words(findings) == [("not-restored", b"n" * 300)]
    assert os.listdir(tmp_path / "target") == ["o"]


def test_what_lies_below_a_folder_that_could_not_be_made(tmp_path: Path) -> None:
    name = b"n" * 300
    findings = put(
        tmp_path / "target",
        [(folder(name), []), (file(name + b"/x", 1), [b"x"]), (folder(b"o"), [])],
    )
    assert words(findings) == [("not-restored", name), ("not-restored", name + b"/x")]


def test_descriptors_are_closed(tmp_path: Path) -> None:
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    before = os.listdir("/proc/self/fd")
    put(tmp_path / "b", stored)
    put(tmp_path / "b", stored, in_place=True)
    restoration = provider().restoration(str(tmp_path / "b"), in_place=True)
    for entry, blocks in stored[:-5]:
        restoration.differs(entry, partial(iter, blocks))
        restoration.write(entry, blocks)
    del restoration
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_where_inodes_cannot_be_held_the_rest_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a system without O_PATH and attributes."""
    build_tree(tmp_path / "a")
    stored, _ = taken(tmp_path / "a")
    monkeypatch.setattr(metadata, "O_PATH", 0)
    monkeypatch.setattr(attributes, "SUPPORTED", False)
    findings = put(tmp_path / "b", stored)
    assert {finding.what for finding in findings} == {"not-restored"}
    lines = differences(tmp_path / "a", tmp_path / "b")
    assert lines
    assert all("attributes" in line or "mode" in line for line in lines)
