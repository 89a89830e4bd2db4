"""Folders that no entry describes: made closed, or left as they are, and never led through."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest

from adapters.directory import provider, scribes
from tests.unit.adapters.directory.passing import Stored, file, folder, put, symlink, words
from vault.errors import PathUnsafe
from vault.provider import Entry, Finding, LostFolder

LOST = LostFolder.at(b"d")
NESTED: Stored = [
    (folder(b""), []),
    (LOST, []),
    (LostFolder.at(b"d/e"), []),
    (file(b"d/e/f", 1), [b"x"]),
    (folder(b"g"), []),
]
FOUND = [("folder-lost", b"d"), ("folder-lost", b"d/e")]


def mode(path: Path) -> int:
    """The permission bits of what stands there."""
    return stat.S_IMODE(path.lstat().st_mode)


def put_safely(
    target: Path, entries: Iterable[tuple[Entry, list[bytes]]], *, in_place: bool
) -> tuple[list[bytes], list[Finding]]:
    """Restore; the paths that were refused as unsafe, and the findings."""
    restoration, refused = provider().restoration(str(target), in_place=in_place), []
    for entry, blocks in entries:
        try:
            if restoration.differs(entry, partial(iter, blocks)):
                restoration.write(entry, blocks)
        except PathUnsafe:
            refused.append(entry.path)
    restoration.finish()
    return refused, restoration.findings


@pytest.mark.parametrize("in_place", [False, True])
def test_they_are_made_for_their_owner_alone(tmp_path: Path, *, in_place: bool) -> None:
    """One in the other, whatever the mask and the folder above would give them."""
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o2777)
    mask = os.umask(0o277)
    try:
        found = put(target, NESTED[1:], in_place=in_place)
    finally:
        os.umask(mask)
    assert words(found) == FOUND
    assert all("made anew" in finding.detail for finding in found)
    assert (target / "d" / "e" / "f").read_text() == "x"
    for path in (target / "d", target / "d" / "e"):
        assert (mode(path), path.stat().st_uid) == (0o700, os.geteuid())


def test_in_place_one_that_stands_there_is_left_as_it_is(tmp_path: Path) -> None:
    """Its mode and time, too; it is no extra, and what else is in it is one."""
    inner = tmp_path / "d" / "e"
    inner.mkdir(parents=True)
    (inner / "other").touch()
    for path in (inner, tmp_path / "d"):
        path.chmod(0o751)
        os.utime(path, ns=(5, 10**18))
    found = put(tmp_path, NESTED, in_place=True)
    assert sorted(words(found)) == [("extra", b"d/e/other"), *FOUND]
    assert all("left as it is" in finding.detail for finding in found)
    assert (inner / "f").read_text() == "x"
    assert [(mode(p), p.stat().st_mtime_ns) for p in (inner, tmp_path / "d")] == [
        (0o751, 10**18)
    ] * 2
    assert sorted(words(put(tmp_path, NESTED, in_place=True))) == [
        *(("extra", b"d/e/other"), *FOUND)
    ]


def test_in_place_one_that_is_gone_is_made(tmp_path: Path) -> None:
    """In what is left of the one above it."""
    (tmp_path / "d").mkdir(mode=0o755)
    found = put(tmp_path, NESTED, in_place=True)
    assert words(found) == FOUND
    assert ["left as" in finding.detail for finding in found] == [True, False]
    assert (mode(tmp_path / "d"), mode(tmp_path / "d" / "e")) == (0o755, 0o700)
    assert (tmp_path / "d" / "e" / "f").read_text() == "x"


@pytest.mark.parametrize("taken", ["symlink", "file", "dangling"])
@pytest.mark.parametrize("in_place", [False, True])
def test_what_is_no_folder_stays_in_its_place(
    tmp_path: Path, taken: str, *, in_place: bool
) -> None:
    """Nothing is written through a symlink; what lay below is named as lost, the rest returns."""
    target, outside = tmp_path / "target", tmp_path / "outside"
    (outside / "e").mkdir(parents=True)
    leads = {"symlink": b"../outside", "dangling": b"../nothing"}
    first = symlink(b"d", leads[taken]) if taken in leads else file(b"d")
    stands: Stored = [(folder(b""), []), (first, [])]
    if in_place:
        put(target, stands)
        refused, found = put_safely(target, NESTED, in_place=True)
    else:
        refused, found = put_safely(target, [*stands, *NESTED[1:]], in_place=False)
    assert refused == [b"d", b"d/e", b"d/e/f"]
    assert not found
    assert os.listdir(outside) == ["e"]
    assert not os.listdir(outside / "e")
    assert sorted(os.listdir(target)) == ["d", "g"]
    assert sorted(os.listdir(tmp_path)) == ["outside", "target"]
    assert (target / "d").is_symlink() == (taken in leads)


@pytest.mark.parametrize("path", [b"..", b"../new", b"/new", b"a/../../new", b"a//b", b"x\0y"])
def test_paths_that_no_walk_yields(tmp_path: Path, path: bytes) -> None:
    """Are refused as those of any other entry."""
    target = tmp_path / "target"
    refused, found = put_safely(target, [(LostFolder.at(path), [])], in_place=False)
    assert (refused, found) == ([path], [])
    assert not [path for path in tmp_path.rglob("*") if path != target]


@pytest.mark.parametrize("stands", [False, True])
def test_the_root_itself(tmp_path: Path, *, stands: bool) -> None:
    """A target that is new is closed; one that was there is as it was."""
    target = tmp_path / "target"
    if stands:
        target.mkdir(mode=0o755)
    (found,) = put(target, [(LostFolder.at(b""), []), (file(b"f", 1), [b"x"])])
    assert (found.what, found.path) == ("folder-lost", b".")
    assert ("left as it is" in found.detail, mode(target)) == (stands, 0o755 if stands else 0o700)
    assert (target / "f").read_text() == "x"


def test_processes_write_into_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As into any folder that was made before."""
    monkeypatch.setattr(scribes, "_ALONE", 1)
    monkeypatch.setattr(scribes, "_PATIENCE", 60.0)
    files = [(file(b"d/%03d" % n, 1), [b"x"]) for n in range(50)]
    assert words(put(tmp_path / "t", [(folder(b""), []), (LOST, []), *files])) == FOUND[:1]
    assert len(os.listdir(tmp_path / "t" / "d")) == 50
    assert mode(tmp_path / "t" / "d") == 0o700
