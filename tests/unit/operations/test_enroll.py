"""Enroll, watch and rebuild: what is protected, what was lost, and knowing it again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_delete import deleted
from vault.codec.signing import SigningKey
from vault.errors import (
    SourceOverlaps,
    SourceVanished,
    UsageError,
    VolumeElsewhere,
    VolumeExists,
    VolumeUnknown,
)
from vault.lifecycle.due import Task
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State
from vault.operations.capture import CapturePlan, capture
from vault.operations.delete import plan_delete
from vault.operations.duties import due_now
from vault.operations.enroll import Enrolment, change, enroll
from vault.operations.identity import identity_text, is_registered, owns
from vault.operations.rebuild import rebuild
from vault.operations.status import status
from vault.operations.undelete import undelete
from vault.operations.watch import watch_tombstone, watch_volume
from vault.provider import SourceIdentity


def wish(site: Site, name: str, place: Path) -> None:
    """Ask for one more volume."""
    enroll(site.write, Enrolment(name=name, path=str(place)))


def test_places_that_lie_in_one_another_are_refused(site: Site, tmp_path: Path) -> None:
    inner = site.source / "inner"
    inner.mkdir()
    (tmp_path / "link").symlink_to(site.source)
    for place in (inner, site.source.parent, site.source, site.home, tmp_path, tmp_path / "link"):
        with pytest.raises(SourceOverlaps):
            wish(site, "other", place)
    assert len(site.write.catalog.volumes.all()) == 1


def test_what_waits_in_quarantine_is_no_volume(site: Site) -> None:
    """As another one, where less holds, it could be deleted from under its undelete."""
    (site.source / "inner").mkdir()
    tombstone = deleted(site)
    data = Path(tombstone.held_at)
    for place in (data / "inner", data, data.parent, data.parent.parent):
        with pytest.raises(SourceOverlaps, match="“db”"):
            wish(site, "other", place)
    undelete(site.write, tombstone.id)
    assert (site.source / "inner").exists()


def test_names_are_words_and_used_once(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    odd = ("a\0b", "a\u200bb", "a\u202eb", "a\u2028b", "cafe\u0301", "\udc80", "x" * 256, "..", ".")
    ours = ("", "a/b", "a b", "-x", "vol_01m8e9t", "Tomb_x", "a@b", "*", "a*", "a\nb", "a\u00a0b")
    for name in (*ours, *odd):
        with pytest.raises(UsageError):
            wish(site, name, tmp_path / "other")
    for name in ("db", "DB", "ｄｂ"):
        with pytest.raises(VolumeExists, match="“db”"):
            wish(site, name, tmp_path / "other")
    with pytest.raises(SourceVanished):
        wish(site, "gone", tmp_path / "gone")
    place = str(tmp_path / "other")
    for words in ({"environment": "moon"}, {"schedule": "often"}, {"keep": "all"}):
        with pytest.raises(UsageError):
            enroll(site.write, Enrolment(name="x", path=place, **words))


def test_a_removed_volume_keeps_its_snapshots_and_frees_name_and_place(site: Site) -> None:
    record, _ = captured(site)
    assert change(site.write, "db", EventType.VOLUME_REMOVED).state == "removed"
    wish(site, "db", site.source)
    assert site.write.catalog.snapshots.get(record.header.id).volume_name == "db"


def test_a_source_that_comes_back_is_captured_and_stays_an_alarm(site: Site) -> None:
    site.source.rename(site.source.with_name("moved"))
    volume = site.write.catalog.volumes.resolve("db")
    assert watch_volume(site.write, volume)
    site.source.with_name("moved").rename(site.source)
    assert watch_volume(site.write, site.write.catalog.volumes.resolve("db"))
    back = site.write.catalog.volumes.resolve("db")
    assert (back.state, back.alarm) == ("active", "vanished")
    assert any("acknowledge" in note for note in status(site.write).notes)
    assert change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED).alarm == ""


def test_data_destroyed_in_quarantine_are_noticed(site: Site) -> None:
    tombstone = deleted(site)
    (held,) = site.source.parent.glob(".vault-trash/tomb_*/data")
    held.rename(site.source.with_name("stolen"))
    assert "gone" in watch_tombstone(site.write, tombstone)
    after = site.write.catalog.tombstones.get(tombstone.id)
    assert after.state is State.STORE_ONLY


def test_a_lost_catalog_is_told_again_by_the_store(site: Site) -> None:
    captured(site)
    tombstone = deleted(site)
    catalog = site.write.catalog
    before = (catalog.volumes.all(), catalog.tombstones.all(), catalog.snapshots.all())
    with catalog.connection.writing() as database:
        for table in ("events", "volumes", "tombstones", "snapshots"):
            database.execute(f"DELETE FROM {table}")
    with pytest.raises(VolumeUnknown):
        catalog.volumes.resolve("db")
    report = rebuild(site.write)
    assert (report.volumes, report.snapshots, report.tombstones) == (1, 1, 1)
    assert (catalog.volumes.all(), catalog.tombstones.all(), catalog.snapshots.all()) == before
    assert status(site.write).recent[0].id == tombstone.id


def test_another_hosts_volume_is_not_judged_by_these_disks(site: Site) -> None:
    """Two homes share a store: what one looks after is not there for the other, and no loss."""
    tombstone = deleted(site)
    other = replace(
        site.write, keys=dataclasses.replace(site.write.keys, signing=SigningKey(b"o" * 32))
    )
    kinds = (Task.CAPTURE, Task.LOOK, Task.FINALIZE, Task.RESUME)
    start = site.clock.now()
    assert any(duty.task in kinds for duty in due_now(site.write, {}, start))
    assert not any(duty.task in kinds for duty in due_now(other, {}, start))
    undelete(site.write, tombstone.id)
    volume = other.catalog.volumes.resolve("db")
    with pytest.raises(VolumeElsewhere):
        plan_delete(other, "db", reason="test")
    with pytest.raises(VolumeElsewhere):
        capture(other, CapturePlan(volume=volume, location=volume.location))
    assert other.catalog.volumes.resolve("db").alarm == ""


def test_acknowledging_takes_a_volume_over(site: Site) -> None:
    unowned = replace(site.write.catalog.volumes.resolve("db"), owner="")
    assert owns(site.write, unowned)
    change(site.write, "db", EventType.SOURCE_ACKNOWLEDGED)
    assert site.write.catalog.volumes.resolve("db").owner == site.write.keys.signing.key_id


def test_disks_that_were_numbered_anew_are_no_other_source(site: Site) -> None:
    volume = site.write.catalog.volumes.resolve("db")
    found = site.write.providers["directory"].identify(volume.location)
    terms = tuple((n, "64999" if n == "device" else v) for n, v in found.terms)
    renumbered = replace(volume, identity=identity_text(SourceIdentity(found.kind, terms)))
    if dict(found.terms).get("born") and dict(found.terms).get("filesystem", "0") != "0":
        assert is_registered(site.write.providers["directory"], found, renumbered)
    moved = tuple((n, "1" if n == "inode" else v) for n, v in found.terms)
    other = replace(volume, identity=identity_text(SourceIdentity(found.kind, moved)))
    assert not is_registered(site.write.providers["directory"], found, other)
