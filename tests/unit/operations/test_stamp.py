"""Stamp: a real service sees the log, its answer is checked and stored, and found again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.tsa import Authority, Service, make_authority, serving
from tests.unit.operations.conftest import Site
from vault.audit.entry import EntryKind, encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.catalog.database import open_catalog
from vault.clock import SystemClock
from vault.errors import Corrupt, SettingsError
from vault.lifecycle.due import Duty, Task
from vault.operations import duties
from vault.operations.amend import record_lock
from vault.operations.audit import commit
from vault.operations.audit_items import AuditReport
from vault.operations.auditing import verify
from vault.operations.ledger import enter
from vault.operations.rebuild import rebuild
from vault.operations.stamp import stamp
from vault.operations.unit import WriteUnit
from vault.repository.audit_log import put_segment, seal_segment
from vault.repository.authentic import TamperingLog
from vault.repository.stamps import StoredStamp, read_stamps
from vault.settings import AuditSettings


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """One service for all of these."""
    made = make_authority()
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def service(authority: Authority) -> Iterator[Service]:
    """It answers as it should."""
    with serving(authority) as running:
        yield running


@dataclass
class Log:
    """A site's log, and a service that is asked about it."""

    site: Site
    service: Service

    @property
    def unit(self) -> WriteUnit:
        """The daemon's, told of the service."""
        roots = str(self.service.authority.root)
        audit = AuditSettings(timestamp_url=self.service.url, timestamp_roots=roots)
        settings = replace(self.site.write.settings, audit=audit)
        return replace(self.site.write, settings=settings)

    def grows(self) -> int:
        """One more entry, committed; how many there are."""
        enter(self.unit, EntryKind.PANIC, {"reason": "test"})
        commit(self.unit)
        return self.unit.catalog.audit.size(self.unit.signer.key_id)

    @property
    def stamps(self) -> list[StoredStamp]:
        """What is in the store, all of it authentic."""
        notes: TamperingLog = []
        found = list(read_stamps(self.unit.reader, self.unit.charter, notes))
        assert notes == []
        return found

    def verified(self, roots: Path | None = None) -> AuditReport:
        """What another machine finds, which knows nothing but store and certificate."""
        unit = replace(self.site.write, catalog=open_catalog(None), tampering=[])
        rebuild(unit)
        self.site.clock.advance(timedelta(minutes=5))
        return verify(unit, roots)


@pytest.fixture
def log(site: Site, service: Service) -> Log:
    """A log with an entry or two, not stamped yet."""
    made = Log(site, service)
    made.grows()
    return made


def test_a_checkpoint_is_stamped_and_stored_under_a_records_lock(log: Log) -> None:
    """Once: a log that has not grown is not stamped again."""
    size = log.grows()
    assert stamp(log.unit).startswith(f"{size} entries are stamped, at ")
    assert stamp(log.unit) == ""
    (stored,) = log.stamps
    assert stored.key.startswith(f"stamps/{log.unit.signer.key_id}/{size:012d}-")
    assert stored.checkpoint.size == size
    (version,) = (v for v in log.site.memory.list("stamps/"))
    lock = log.site.memory.retention(version.key, version=version.version).until
    assert lock is not None
    assert lock >= record_lock(log.site.clock.now()) - timedelta(days=1)
    assert stamp(log.unit) == ""
    more = log.grows()
    stamp(log.unit)
    assert [one.checkpoint.size for one in log.stamps] == [size, more]
    assert len(log.service.asked) == 2


def test_verify_tells_what_is_stamped_by_the_certificate_alone(log: Log) -> None:
    size = log.grows()
    stamp(log.unit)
    log.grows()
    report = log.verified(log.service.authority.root)
    assert report.findings == ()
    (item,) = report.logs
    assert (item.entries, item.stamped) == (size + 1, size)
    assert item.stamped_at is not None
    assert abs(SystemClock().now() - item.stamped_at) < timedelta(minutes=5)
    (unchecked,) = log.verified().logs
    assert (unchecked.stamped, unchecked.stamped_at) == (0, None)


def test_another_certificate_proves_nothing(log: Log) -> None:
    stamp(log.unit)
    stranger = make_authority()
    try:
        report = log.verified(stranger.root)
    finally:
        shutil.rmtree(stranger.folder)
    assert [one.what for one in report.findings] == ["unstamped"]
    assert report.logs[0].stamped == 0


@pytest.mark.parametrize("stamped_first", [True, False])
def test_who_holds_every_key_cannot_write_anew_what_was_stamped(
    log: Log, *, stamped_first: bool
) -> None:
    """A log of other entries, signed well from its begin: only the stamp tells."""
    unit, site = log.unit, log.site
    size = log.grows()
    if stamped_first:
        stamp(unit)
    for version in list(site.memory.list("audit/")):  # a store that locks nothing
        site.memory._keys.pop(version.key, None)
    lies = [replace_entry(unit, number) for number in range(size)]
    body = write_segment(unit.charter.vault, Frontier(), lies, unit.signer)
    record = seal_segment(unit.charter.vault, body, unit.signer)
    put_segment(unit.store, unit.signer.key_id, 0, record, record_lock(site.clock.now()))
    words = [one.what for one in log.verified(log.service.authority.root).findings]
    assert ("rewritten" in words) is stamped_first


def replace_entry(unit: WriteUnit, number: int) -> bytes:
    """An entry that was never made, in its place."""
    entry = enter(unit, EntryKind.CALM, {"ask": f"lie {number}"})
    return encode_entry(entry)


def test_a_log_that_ends_before_its_stamp_was_cut(log: Log) -> None:
    log.grows()
    stamp(log.unit)
    newest = max(version.key for version in log.site.memory.list("audit/"))
    log.site.memory._keys.pop(newest)
    words = [one.what for one in log.verified(log.service.authority.root).findings]
    assert "cut" in words


def test_what_the_service_answers_is_checked_before_it_is_stored(log: Log) -> None:
    """An answer about something else, a changed one, none at all: nothing is stored, and later it
    is asked again.
    """
    other = log.service.authority.answer
    spoilers = (
        lambda reply: reply[:-1] + bytes([reply[-1] ^ 1]),
        lambda _: other(log.service.asked[0]),  # an old answer to another query
        lambda _: b"<html>busy</html>",
    )
    log.service.spoil = lambda _: b""
    with pytest.raises(SettingsError, match="answered 503"):
        stamp(log.unit)
    for spoil in spoilers:
        log.service.spoil = spoil
        with pytest.raises(Corrupt):
            stamp(log.unit)
    assert log.stamps == []
    log.service.spoil = None
    assert stamp(log.unit)
    assert len(log.stamps) == 1


def test_a_service_that_hangs_holds_up_a_round_for_a_bounded_time(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.messenger.post.NOTICE_SECONDS", 0.3)
    log.service.gate.clear()
    with pytest.raises(SettingsError, match=r"did not answer within 0\.3 s|timed out"):
        stamp(log.unit)
    assert log.stamps == []


def test_the_daemon_stamps_by_the_hour_where_it_is_told_to(log: Log) -> None:
    """And tries again after a failure; without a service nothing is due."""

    def due(unit: WriteUnit) -> list[Duty]:
        found = duties.due_now(unit, attempts, log.site.clock.now())
        return [duty for duty in found if duty.task is Task.STAMP]

    attempts: duties.Attempts = {}
    assert due(log.site.write) == []
    (duty,) = due(log.unit)
    log.service.spoil = lambda _: b""
    with pytest.raises(SettingsError):
        duties.perform(log.unit, attempts, duty)
    assert due(log.unit) == []
    log.site.clock.advance(timedelta(minutes=5))
    log.service.spoil = None
    (duty,) = due(log.unit)
    assert "entries are stamped" in duties.perform(log.unit, attempts, duty)
    log.site.clock.advance(timedelta(minutes=59))
    assert due(log.unit) == []
    log.site.clock.advance(timedelta(minutes=1))
    (duty,) = due(log.unit)
    assert duties.perform(log.unit, attempts, duty) == ""


def test_a_stamp_in_a_wrong_place_is_noted_and_left_out(log: Log) -> None:
    """Well signed, and not the one that its name says."""
    stamp(log.unit)
    (stored,) = log.stamps
    data = log.site.memory.get(stored.key)
    wrong = stored.key.replace(f"{stored.checkpoint.size:012d}", f"{7:012d}")
    log.site.memory.put(wrong, data, record_lock(log.site.clock.now()))
    notes: TamperingLog = []
    assert len(list(read_stamps(log.unit.reader, log.unit.charter, notes))) == 1
    assert [(one.what, one.key) for one in notes] == [("forged", wrong)]


def test_certificates_that_cannot_be_read_are_named(log: Log, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.pem cannot be read"):
        log.verified(tmp_path / "none.pem")
