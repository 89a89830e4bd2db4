"""Who stands where, and who overlaps whom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.directory import provider
from adapters.directory.identity import is_same
from adapters.directory.mounts import Mount, is_within, parse
from tests.unit.adapters.directory.mounting import bound, needs_mounts
from vault.errors import SourceError
from vault.provider import SourceIdentity

ADAPTER = provider()


def made(**terms: str) -> SourceIdentity:
    return SourceIdentity("directory", tuple(terms.items()))


def test_the_terms_name_device_and_inode(tmp_path: Path) -> None:
    identity = ADAPTER.identify(str(tmp_path))
    info = tmp_path.stat()
    terms = dict(identity.terms)
    assert identity.kind == "directory"
    assert (terms["device"], terms["inode"]) == (str(info.st_dev), str(info.st_ino))


def test_a_directory_made_anew_is_another(tmp_path: Path) -> None:
    """Also where the file system gives the same inode number again."""
    place = tmp_path / "volume"
    place.mkdir()
    before = ADAPTER.identify(str(place))
    place.rmdir()
    place.mkdir()
    assert ADAPTER.identify(str(place)) != before


def test_a_moved_directory_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = ADAPTER.identify(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    assert ADAPTER.identify(str(tmp_path / "b")) == before


def test_a_renumbered_disk_holds_the_same_directory() -> None:
    one = made(device="1", inode="5", filesystem="aa", born="7")
    assert is_same(one, made(device="2", inode="5", filesystem="aa", born="7"))
    assert not is_same(one, made(device="2", inode="5", filesystem="bb", born="7"))
    assert not is_same(one, made(device="1", inode="5", filesystem="bb", born="7"))
    assert not is_same(one, made(device="1", inode="6", filesystem="aa", born="7"))
    assert not is_same(one, made(device="1", inode="5", filesystem="aa", born="8"))
    assert not is_same(
        made(device="1", inode="5", filesystem="0"), made(device="2", inode="5", filesystem="0")
    )


def test_a_file_system_named_by_its_device_is_renumbered_with_it() -> None:
    """XFS has no other name for itself: 0x811 is the device 2065."""
    one = made(device="2065", inode="5", filesystem="811", born="7")
    assert is_same(one, made(device="2081", inode="5", filesystem="821", born="7"))
    assert not is_same(one, made(device="2081", inode="5", filesystem="821", born="8"))
    assert not is_same(one, made(device="2081", inode="5", filesystem="aa", born="7"))
    assert not is_same(
        made(device="2065", inode="5", filesystem="811"),
        made(device="2081", inode="5", filesystem="821"),
    )
    assert not is_same(one, made(device="junk", inode="5", filesystem="junk", born="7"))


def test_overlaps_by_path(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    (tmp_path / "link").symlink_to("a")
    a, b, ab, link = (str(tmp_path / name) for name in ("a", "a/b", "ab", "link"))
    assert ADAPTER.overlaps(a, b)
    assert ADAPTER.overlaps(b, a)
    assert ADAPTER.overlaps(link, b)
    assert ADAPTER.overlaps("/", a)
    assert ADAPTER.overlaps(a, a + "/not/there/yet")
    assert not ADAPTER.overlaps(a, ab)
    assert not ADAPTER.overlaps(b, ab + "/not/there/yet")


@needs_mounts
def test_overlaps_through_bind_mounts(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "other" / "below").mkdir(parents=True)
    with bound(tmp_path / "a" / "b", tmp_path / "other"):
        for place in ("a", "a/b", "a/b/c"):
            assert ADAPTER.overlaps(str(tmp_path / place), str(tmp_path / "other"))
            assert ADAPTER.overlaps(str(tmp_path / "other"), str(tmp_path / place))
        assert ADAPTER.overlaps(str(tmp_path / "a"), str(tmp_path / "other" / "c"))
        assert not ADAPTER.overlaps(str(tmp_path / "a" / "b" / "c"), str(tmp_path / "elsewhere"))


def test_a_location_that_is_not_text_is_refused(tmp_path: Path) -> None:
    place = os.path.join(os.fsencode(tmp_path), b"\xff")
    os.mkdir(place)
    with pytest.raises(SourceError, match="UTF-8"):
        ADAPTER.plan_quarantine(os.fsdecode(place), "tomb_1")


def test_the_mount_table_is_read() -> None:
    line = rb"42 27 254:0 /sub\040dir /mnt/a\134b\012 rw,relatime - ext4 /dev/vda rw"
    assert parse(line) == Mount(b"254:0", b"/sub dir", b"/mnt/a\\b\n")


def test_within_is_by_component() -> None:
    assert is_within(b"/a/b", b"/a")
    assert is_within(b"/a", b"/a")
    assert is_within(b"/a", b"/")
    assert not is_within(b"/ab", b"/a")
    assert not is_within(b"/a", b"/a/b")
