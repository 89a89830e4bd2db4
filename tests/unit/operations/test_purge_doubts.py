"""Purge, where something speaks up late: a hold, a change, a file that no snapshot holds."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from adapters.directory import content, listing, scan
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_delete import deleted
from tests.unit.operations.test_purge import WINDOW, finalized, verdict
from vault.catalog.database import open_catalog
from vault.errors import PlaceTaken, TransitionRefused
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import Tombstone
from vault.operations import hold as holding
from vault.operations import undelete
from vault.operations.capture import CapturePlan, capture
from vault.operations.extend import extend
from vault.operations.hold import hold
from vault.operations.purge import purge
from vault.operations.record import Draft, record_next, refresh
from vault.operations.unit import ReadUnit
from vault.progress import Silent
from vault.provider import Provider, PurgePermit
from vault.repository.journal import StoredEvent


class _HoldComes(Silent):
    """While the purger verifies, somebody puts a hold on the tombstone."""

    def __init__(self, site: Site, tombstone: Tombstone) -> None:
        self._site, self._tombstone = site, tombstone

    def begin(self, task: str, *, files: int | None = None, size: int | None = None) -> None:
        if task == "verify":
            hold(self._site.write, self._tombstone.id, "legal")


def test_a_hold_that_comes_while_the_purger_verifies_counts(site: Site) -> None:
    tombstone = finalized(site)
    site.clock.advance(WINDOW)
    purger = replace(site.purger, progress=_HoldComes(site, tombstone))
    (item,) = purge(purger, dry_run=False).items
    assert item.verdict == "refused"
    assert "a hold is on it" in verdict(site)[1]
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").exists()


def test_a_hold_that_meets_a_purge_is_not_acknowledged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The purger's record arrives between the holder's look and the holder's own."""
    tombstone = finalized(site)
    kind = EventType.PURGE_STARTED
    draft = Draft(type=kind, volume=tombstone.volume, tombstone=tombstone.id)
    purger = replace(site.purger, catalog=open_catalog(None))
    looked = iter((True,))

    def refreshing(unit: ReadUnit, volume: str) -> tuple[StoredEvent, ...]:
        events = refresh(unit, volume)
        if next(looked, False):
            record_next(purger, draft)
        return events

    monkeypatch.setattr(holding, "refresh", refreshing)
    with pytest.raises(TransitionRefused):
        hold(site.write, tombstone.id, "legal")
    purger.catalog.close()


class _Dawdling:
    """The directory adapter; before its purge a volume is undeleted and deleted again."""

    def __init__(self, site: Site, tombstone: Tombstone) -> None:
        self._site, self._tombstone = site, tombstone

    def purge(self, permit: PurgePermit) -> None:
        """See Provider."""
        undelete.undelete(self._site.write, self._tombstone.id)
        deleted(self._site)
        self._site.write.provider("directory").purge(permit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._site.write.provider("directory"), name)


def test_what_was_undeleted_and_deleted_again_is_not_said_to_be_purged(site: Site) -> None:
    """Its data are not where the first delete had set them aside."""
    tombstone = finalized(site)
    site.clock.advance(WINDOW)
    dawdling = cast(Provider, _Dawdling(site, tombstone))
    (item,) = purge(replace(site.purger, providers={"directory": dawdling}), dry_run=False).items
    assert item.verdict == "restored"
    events = refresh(site.write, tombstone.volume)
    assert EventType.PURGED not in {stored.event.type for stored in events}
    assert list(site.source.parent.glob(".vault-trash/tomb_*/data/orders"))


def test_a_hold_after_an_undelete_that_was_given_up_may_come_too_late(site: Site) -> None:
    """A purger that had begun may go on though the tombstone's state shows it no more."""
    tombstone = finalized(site)
    begun = Draft(type=EventType.PURGE_STARTED, volume=tombstone.volume, tombstone=tombstone.id)
    record_next(site.purger, begun)
    site.source.mkdir()
    with pytest.raises(PlaceTaken):
        undelete.undelete(site.write, tombstone.id)
    with pytest.raises(TransitionRefused, match="may not see this hold"):
        hold(site.write, tombstone.id, "legal")
    site.clock.advance(WINDOW)
    assert "a hold is on it" in verdict(site)[1]


def test_data_that_changed_after_a_purge_was_begun_are_not_purged(site: Site) -> None:
    """The purger died after its record and before its rename: all is judged again."""
    site.clock.set_wall(site.clock.now() - timedelta(minutes=1))
    tombstone = deleted(site)
    volume = site.write.catalog.volumes.resolve("db")
    plan = CapturePlan(volume=volume, location=tombstone.held_at, final_for=tombstone.id)
    record, _ = capture(site.write, plan)
    details = {"snapshot": record.header.id}
    kind = EventType.FINAL_SNAPSHOT
    draft = Draft(type=kind, volume=volume.id, tombstone=tombstone.id, details=details)
    record_next(site.write, draft)
    extend(site.write)
    site.clock.advance(WINDOW + timedelta(hours=1))
    begun = Draft(type=EventType.PURGE_STARTED, volume=volume.id, tombstone=tombstone.id)
    record_next(site.purger, begun)
    assert "changed after the final snapshot" in verdict(site)[1]
    refresh(site.write, volume.id)
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").exists()


def test_what_the_final_snapshot_could_not_read_is_not_purged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may unlink a file may not always read it."""

    def refused(name: bytes, parent: int) -> int:
        raise PermissionError(13, "Permission denied")

    for module in (scan, content):
        monkeypatch.setattr(module, "open_quietly", refused)
    tombstone = finalized(site)
    site.clock.advance(WINDOW)
    said, why = verdict(site)
    assert said == "refused"
    assert "could not be read" in why
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").exists()


def test_what_the_purger_cannot_look_at_once_more_is_not_purged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment hides what has changed, and then lets it be unlinked."""
    tombstone = finalized(site)
    site.clock.advance(WINDOW)

    def fails(fd: int) -> Iterator[bytes]:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(listing, "sorted_names", fails)
        said, why = verdict(site)
    assert said == "refused"
    assert "could not be looked at" in why
    undelete.undelete(site.write, tombstone.id)
    assert (site.source / "orders").exists()


def test_within_the_window_not_every_byte_is_read(site: Site) -> None:
    """What waits is looked at every few minutes; only a purge needs it byte for byte."""
    finalized(site)
    packs = {found.key for found in site.memory.list("packs/")}
    for key in packs:
        site.memory.rot(key, b"\0" * len(site.memory.get(key)))
    said = verdict(site)[1]
    assert "window" in said
    assert "verified" not in said
    site.clock.advance(WINDOW)
    assert "could not be verified" in verdict(site)[1]
