"""Hostile manifests and hostile targets: nothing outside is touched, whatever they say."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from adapters.directory import provider
from tests.unit.adapters.directory.passing import file, folder, put, symlink, words
from vault import limits
from vault.errors import Corrupt, PathUnsafe
from vault.provider import Entry, Kind


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What no restore may touch; checked by `untouched`."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_text("as it was")
    (folder / "precious").chmod(0o640)
    return folder


def untouched(outside: Path) -> bool:
    """Whether nothing outside has changed."""
    precious = outside / "precious"
    return (
        [path.name for path in outside.iterdir()] == ["precious"]
        and precious.read_text() == "as it was"
        and stat.S_IMODE(precious.stat().st_mode) == 0o640
        and precious.stat().st_nlink == 1
    )


def refused(target: Path, *entries: Entry, in_place: bool = False) -> list[bytes]:
    """Write all, with one byte for files; the paths that were refused as unsafe."""
    restoration = provider().restoration(str(target), in_place=in_place)
    unsafe = []
    for entry in entries:
        try:
            restoration.write(entry, [b"!"] * entry.size)
        except PathUnsafe:
            unsafe.append(entry.path)
    restoration.finish()
    return unsafe


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        *(b"../outside/x", b"..", b".", b"/etc/x", b"//x", b"x/", b"a//b", b"a/./b"),
        *(b"a/../../outside/x", b"x\0y", b"/", b"./x"),
    ],
)
def test_paths_that_no_walk_yields(
    tmp_path: Path, outside: Path, path: bytes, *, in_place: bool
) -> None:
    entries = (folder(b""), file(path, 1))
    assert refused(tmp_path / "target", *entries, in_place=in_place) == [path]
    assert untouched(outside)
    assert not os.listdir(tmp_path / "target")


@pytest.mark.parametrize("in_place", [False, True])
def test_a_symlink_of_the_snapshot_is_no_folder(
    tmp_path: Path, outside: Path, *, in_place: bool
) -> None:
    entries = (
        folder(b""),
        symlink(b"s", os.fsencode(outside)),
        file(b"s/precious", 1),
        file(b"s/new", 1),
        folder(b"s/sub"),
        file(b"t", 1),
    )
    unsafe = refused(tmp_path / "target", *entries, in_place=in_place)
    assert unsafe == [b"s/precious", b"s/new", b"s/sub"]
    assert untouched(outside)
    assert (tmp_path / "target" / "t").read_text() == "!"


def test_a_symlink_planted_in_the_target(tmp_path: Path, outside: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "a").symlink_to(outside)
    (target / "f").symlink_to(outside / "precious")
    assert refused(target, file(b"a/precious", 1), in_place=True) == [b"a/precious"]
    assert refused(target, folder(b""), file(b"f", 1), in_place=True) == []
    assert (target / "f").read_text() == "!"
    assert not (target / "f").is_symlink()
    assert untouched(outside)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    entries = (folder(b""), file(b"f", 1), file(b"f/x", 1), file(b"g", 1))
    assert refused(tmp_path / "target", *entries) == [b"f/x"]
    assert sorted(os.listdir(tmp_path / "target")) == ["f", "g"]


def test_the_wrong_order(tmp_path: Path) -> None:
    entries = (folder(b""), file(b"d/early", 1), folder(b"d"), file(b"b", 1), file(b"e", 1))
    assert refused(tmp_path / "target", *entries) == [b"d/early", b"d", b"b"]
    assert os.listdir(tmp_path / "target") == ["e"]


def test_the_same_path_twice(tmp_path: Path) -> None:
    entries = (folder(b""), file(b"a", 1), file(b"a", 2), folder(b"b"), folder(b"b"))
    assert refused(tmp_path / "target", *entries) == [b"a", b"b"]
    assert (tmp_path / "target" / "a").read_text() == "!"


@pytest.mark.parametrize("link", [b"../outside/precious", b"/etc/passwd", b"z", b"", b"a/../z"])
def test_links_that_lead_elsewhere(tmp_path: Path, outside: Path, link: bytes) -> None:
    entry = msgspec.structs.replace(file(b"x", 1), link=link)
    assert refused(tmp_path / "target", folder(b""), entry) == [b"x"]
    assert untouched(outside)


def test_links_through_and_to_symlinks(tmp_path: Path, outside: Path) -> None:
    through = msgspec.structs.replace(file(b"x", 1), link=b"s/precious")
    onto = msgspec.structs.replace(file(b"y", 1), link=b"s")
    entries = (folder(b""), symlink(b"s", os.fsencode(outside)), through, onto)
    assert refused(tmp_path / "target", *entries) == [b"x", b"y"]
    assert untouched(outside)


def test_a_link_whose_first_name_is_missing_is_reported(tmp_path: Path) -> None:
    entry = msgspec.structs.replace(file(b"x", 1), link=b"lost")
    assert words(put(tmp_path / "target", [(folder(b""), []), (entry, [])])) == [
        ("not-restored", b"x")
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 9},
        {"kind": -1},
        {"uid": -1},
        {"gid": 2**32 - 1},
        {"mtime_ns": 2**64},
        {"size": -1},
        {"size": 2**63},
        {"kind": Kind.SYMLINK, "target": b"a\0b"},
        {"xattrs": ((b"user.\0", b""),)},
        {"kind": Kind.DIRECTORY, "link": b"a"},
        {"segments": ((0, 2), (1, 1)), "size": 3},
        {"segments": ((5, 5),), "size": 6},
        {"segments": ((0, -1), (3, 4)), "size": 9},
        {"path": b"", "kind": Kind.FILE},
    ],
)
def test_entries_that_no_walk_yields(tmp_path: Path, changes: dict[str, object]) -> None:
    entry = msgspec.structs.replace(file(b"x"), **changes)
    restoration = provider().restoration(str(tmp_path / "target"), in_place=False)
    restoration.write(folder(b""), ())
    with pytest.raises(PathUnsafe):
        restoration.write(entry, ())
    restoration.finish()
    assert not os.listdir(tmp_path / "target")


@pytest.mark.parametrize("blocks", [[b"12"], [b"1234"], [], [b"12", b"34"]])
def test_content_of_another_length_leaves_nothing(tmp_path: Path, blocks: list[bytes]) -> None:
    restoration = provider().restoration(str(tmp_path / "target"), in_place=False)
    with pytest.raises(PathUnsafe):
        restoration.write(file(b"x", 3), blocks)
    restoration.finish()
    assert not os.listdir(tmp_path / "target")


def test_torn_content_may_be_short(tmp_path: Path) -> None:
    entry = msgspec.structs.replace(file(b"x", 5), torn=True)
    assert not put(tmp_path / "target", [(entry, [b"ab"])])
    assert (tmp_path / "target" / "x").read_bytes() == b"ab\0\0\0"


@pytest.mark.parametrize("in_place", [False, True])
def test_content_that_fails_half_way_leaves_what_was_there(
    tmp_path: Path, *, in_place: bool
) -> None:
    target = tmp_path / "target"
    if in_place:
        target.mkdir()
        (target / "x").write_text("former")

    def blocks() -> Iterator[bytes]:
        yield b"12"
        raise Corrupt("a chunk")

    restoration = provider().restoration(str(target), in_place=in_place)
    with pytest.raises(Corrupt):
        restoration.write(file(b"x", 4), blocks())
    restoration.finish()
    assert os.listdir(target) == (["x"] if in_place else [])
    assert not in_place or (target / "x").read_text() == "former"


@pytest.mark.parametrize("in_place", [False, True])
def test_a_folder_swapped_for_a_symlink_meanwhile(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch, *, in_place: bool
) -> None:
    monkeypatch.setattr(limits, "OPEN_DIRECTORIES", 2)
    target = tmp_path / "target"

    def swap() -> Iterator[bytes]:
        (target / "a").rename(tmp_path / "moved")
        (target / "a").symlink_to(outside)
        yield b"!"

    restoration = provider().restoration(str(target), in_place=in_place)
    for entry in (folder(b""), folder(b"a"), folder(b"a/b"), folder(b"a/b/c")):
        restoration.write(entry, ())
    restoration.write(file(b"a/b/c/f", 1), swap())
    for entry in (file(b"a/b/precious", 1), file(b"a/precious", 1), file(b"z", 1)):
        restoration.write(entry, [b"!"])
    restoration.finish()
    assert untouched(outside)
    assert (target / "z").exists()
