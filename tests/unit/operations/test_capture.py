"""Capture: what did not change is not read, what moved is marked, a lost source is recorded."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_delete import deleted
from vault.errors import SourceReplaced, SourceVanished, VolumeTombstoned
from vault.lifecycle.event import EventType
from vault.operations.capture import CapturePlan, capture
from vault.operations.enroll import change
from vault.provider import Entry, Finding
from vault.repository.reader import SnapshotReader
from vault.repository.snapshot import SnapshotRecord


def captured(site: Site, **changes: Any) -> tuple[SnapshotRecord, tuple[Finding, ...]]:
    """One snapshot of the volume."""
    volume = site.write.catalog.volumes.resolve("db")
    plan = CapturePlan(volume=volume, location=volume.location)
    return capture(replace(site.write, **changes), plan)


def entries(site: Site, record: SnapshotRecord) -> dict[bytes, Entry]:
    """What a snapshot holds."""
    reader = SnapshotReader(site.write.reader, site.ring, record, [])
    return {stored.entry.path: stored.entry for stored in reader.entries()}


class Spy:
    """Passes a provider's captures on and counts which files are opened."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self.opened: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def capture(self, location: str) -> Any:
        walk = self._provider.capture(location)
        opened, original = self.opened, walk.open

        def spied(entry: Entry) -> Any:
            opened.append(entry.path)
            return self.content(original, entry)

        walk.open = spied
        return walk

    def content(self, original: Any, entry: Entry) -> Any:
        """What a capture's open gives back."""
        return original(entry)


def test_unchanged_files_are_not_opened_and_add_nothing(site: Site) -> None:
    site.clock.advance(timedelta(minutes=5))  # the first walk begins well after the last change
    captured(site)
    spy = Spy(site.write.providers["directory"])
    record, findings = captured(site, providers={"directory": spy})
    assert spy.opened == []
    assert (record.header.bytes_added, findings) == (0, ())
    (site.source / "new").write_bytes(b"new")
    captured(site, providers={"directory": spy})
    assert spy.opened == [b"new"]


def test_a_change_within_a_tick_of_the_last_walk_is_not_overlooked(site: Site) -> None:
    """The clock stands behind the files' ctime: nothing proves that they did not move since."""
    site.clock.set_wall(site.clock.now() - timedelta(minutes=5))
    captured(site)
    spy = Spy(site.write.providers["directory"])
    captured(site, providers={"directory": spy})
    assert spy.opened == [b"orders"]


class Restless(Spy):
    """A provider whose files change each time they are read: before the opening, and after it."""

    path: Path

    @contextmanager
    def content(self, original: Any, entry: Entry) -> Iterator[Any]:
        self._change()
        with original(entry) as content:
            self._change()
            yield content

    def _change(self) -> None:
        with self.path.open("ab") as file:
            file.write(b"more")


def test_a_file_that_keeps_changing_is_marked_and_reported(site: Site) -> None:
    restless = Restless(site.write.providers["directory"])
    restless.path = site.source / "orders"
    record, findings = captured(site, providers={"directory": restless})
    assert [(finding.what, finding.path) for finding in findings] == [("changing", b"orders")]
    assert entries(site, record)[b"orders"].torn
    record, findings = captured(site)
    assert findings == ()
    assert not entries(site, record)[b"orders"].torn


def test_attributes_that_cannot_be_read_are_told_of_until_they_can(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The final snapshot, too, has to say what is in none."""
    (site.source / "folder").mkdir()
    for name in ("folder", "orders"):
        os.setxattr(site.source / name, "user.note", b"precious")
    site.clock.advance(timedelta(minutes=5))

    def refused(*_: object, **__: object) -> bytes:
        raise OSError(errno.EOVERFLOW, "Value too large for defined data type")

    with monkeypatch.context() as patch:
        patch.setattr(os, "getxattr", refused)
        for _ in range(2):
            record, findings = captured(site)
            assert [finding.path for finding in findings] == [b"folder", b"orders"]
            assert record.header.findings == 2
    record, findings = captured(site)
    assert findings == ()
    kept = entries(site, record)
    assert kept[b"folder"].xattrs == kept[b"orders"].xattrs == ((b"user.note", b"precious"),)


class Forgetful(Spy):
    """A provider of which one file vanishes between the walk and the opening."""

    path = b""

    def content(self, original: Any, entry: Entry) -> Any:
        return _nothing() if entry.path == self.path else original(entry)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def test_a_hard_link_survives_the_loss_of_its_first_name(site: Site) -> None:
    os.link(site.source / "orders", site.source / "second")
    os.link(site.source / "orders", site.source / "third")
    forgetful = Forgetful(site.write.providers["directory"])
    forgetful.path = b"orders"
    record, _ = captured(site, providers={"directory": forgetful})
    kept = entries(site, record)
    assert b"orders" not in kept
    assert (kept[b"second"].link, kept[b"second"].size) == (None, 6000)
    assert kept[b"third"].link == b"second"


def test_a_vanished_volume_is_recorded_and_keeps_its_snapshots(site: Site) -> None:
    captured(site)
    site.source.rename(site.source.with_name("moved"))
    with pytest.raises(SourceVanished):
        captured(site)
    assert site.write.catalog.volumes.resolve("db").alarm == "vanished"
    with pytest.raises(SourceVanished):
        captured(site)
    events = site.write.catalog.events.of(site.write.catalog.volumes.resolve("db").id)
    assert [e.event.type for e in events].count(EventType.SOURCE_VANISHED) == 1


def test_an_empty_folder_in_the_place_is_no_emptied_volume(site: Site) -> None:
    first, _ = captured(site)
    site.source.rename(site.source.with_name("moved"))
    site.source.mkdir()
    with pytest.raises(SourceReplaced):
        captured(site)
    assert [row.id for row in site.write.catalog.snapshots.all()] == [first.header.id]
    assert change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED).state == "active"
    record, _ = captured(site)
    assert list(entries(site, record)) == [b""]


def test_a_deleted_volume_is_not_captured_and_not_taken_for_lost(site: Site) -> None:
    deleted(site)
    with pytest.raises(VolumeTombstoned):
        captured(site)
    assert site.write.catalog.volumes.resolve("db").refused == ()


@pytest.mark.parametrize("how", ["rots", "is lost"])
def test_a_parent_that_cannot_be_read_keeps_nothing_from_being_captured(
    site: Site, how: str
) -> None:
    first, _ = captured(site)
    second, _ = captured(site)
    if how == "rots":
        site.memory.rot(second.key, b"dust")
    else:
        site.memory.lose(second.key)
    record, _ = captured(site)
    assert record.header.parent == first.header.id
    assert b"orders" in entries(site, record)


def test_a_source_that_is_swapped_after_it_was_looked_at_is_not_captured(site: Site) -> None:
    class Swapping(Spy):
        """A disk that is unmounted just when the walk begins."""

        def capture(self, location: str) -> Any:
            site.source.rename(site.source.with_name("moved"))
            site.source.mkdir()
            return self._provider.capture(location)

    swapping = Swapping(site.write.providers["directory"])
    with pytest.raises(SourceReplaced):
        captured(site, providers={"directory": swapping})
    assert site.write.catalog.snapshots.all() == []
