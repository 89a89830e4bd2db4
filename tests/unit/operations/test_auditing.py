"""Audit verify, prove, show, export, reconcile: what the store holds, and what should be there."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from vault.audit.entry import Entry, EntryKind, decode_entry, encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.catalog.database import open_catalog
from vault.errors import Corrupt, UsageError
from vault.lifecycle.event import EventType
from vault.operations import auditing, history
from vault.operations.audit import commit, refresh
from vault.operations.auditing import prove, verify
from vault.operations.enroll import change
from vault.operations.ledger import Place, enter
from vault.operations.rebuild import rebuild
from vault.operations.reconcile import reconcile
from vault.operations.unit import ReadUnit, WriteUnit
from vault.repository.audit_log import StoredSegment, put_segment, read_segments, seal_segment

LONG = timedelta(minutes=5)


@pytest.fixture
def log(site: Site) -> Site:
    """A vault with five segments in its writer's log, all of them older than a minute."""
    commit(site.write)
    for number in range(4):
        site.clock.advance(timedelta(seconds=5))
        kind = EventType.VOLUME_PAUSED if number % 2 == 0 else EventType.VOLUME_RESUMED
        change(site.write, "db", kind)
        commit(site.write)
    site.clock.advance(LONG)
    return site


def away(site: Site) -> ReadUnit:
    """The vault on another machine: a catalog that knows what the store tells, and no more."""
    unit = replace(site.write, catalog=open_catalog(None), tampering=[])
    rebuild(unit)
    return unit


def keys(unit: ReadUnit) -> list[str]:
    """The segments of the store."""
    return [stored.key for stored in read_segments(unit.reader, unit.charter, [])]


def found(site: Site) -> list[str]:
    """The words of what another machine finds."""
    return [finding.what for finding in verify(away(site)).findings]


def drop(site: Site, key: str) -> None:
    """Take an object away, as no store with locks would let anyone."""
    site.memory._keys = {k: v for k, v in site.memory._keys.items() if k != key}


def _kinds(stored: StoredSegment) -> set[EntryKind]:
    return {decode_entry(leaf).kind for leaf in stored.segment.leaves}


def told(unit: WriteUnit, *names: str) -> None:
    """Let an entry wait for each name."""
    for name in names:
        enter(unit, EntryKind.FROZEN, {"name": name, "reasons": []})


def test_an_untouched_log_has_no_findings(log: Site) -> None:
    """Here and on another machine; each member's log is named."""
    report = verify(log.write)
    assert report.findings == ()
    assert verify(away(log)) == report
    (item,) = report.logs
    assert (item.log, item.member, item.role) == (log.write.signer.key_id, "host", "writer")
    assert item.entries == report.entries >= 5
    assert len(bytes.fromhex(item.root)) == 32


def test_a_segment_that_is_gone_is_a_gap_and_its_event_untold(log: Site) -> None:
    """One in the middle that tells of a change of the volume."""
    stored = list(read_segments(log.write.reader, log.write.charter, []))[1:-1]
    drop(log, [one.key for one in stored if EntryKind.TRANSITION in _kinds(one)][-1])
    assert set(found(log)) == {"gap", "unlogged"}


def test_the_tail_that_is_gone_is_found(log: Site) -> None:
    """Here by what was seen, elsewhere by the journal."""
    drop(log, keys(log.write)[-1])
    assert found(log) == ["unlogged"]
    assert {finding.what for finding in verify(log.write).findings} == {"cut", "unlogged"}


def test_a_whole_log_that_is_gone_is_found_here(log: Site) -> None:
    """By what this home has seen of it."""
    for key in keys(log.write):
        drop(log, key)
    assert "cut" in {finding.what for finding in verify(log.write).findings}


def test_events_that_are_gone_are_missed(log: Site) -> None:
    """The journal's last one, too: its entry names it."""
    last = max(v.key for v in log.write.reader.list("events/"))
    drop(log, last)
    assert "missing" in found(log)


def test_a_young_event_may_wait_for_its_entry(log: Site) -> None:
    """A minute later it may not."""
    change(log.write, "db", EventType.VOLUME_PAUSED)
    assert found(log) == []
    log.clock.advance(LONG)
    assert found(log) == ["unlogged"]
    commit(log.write)
    assert found(log) == []


def test_a_fork_by_the_key_itself_is_found(log: Site) -> None:
    """Whoever has taken the host cannot write its past anew beside what is locked."""
    first = next(iter(read_segments(log.write.reader, log.write.charter, []))).segment
    entry = decode_entry(first.leaves[0])
    other = replace_body(entry, {"type": "harmless"})
    body = write_segment(log.write.charter.vault, Frontier(), [other], log.write.signer)
    record = seal_segment(log.write.charter.vault, body, log.write.signer)
    until = log.clock.now() + timedelta(days=40)
    put_segment(log.write.store, log.write.signer.key_id, 0, record, until)
    assert found(log) == ["fork"]


def test_what_lies_over_a_segment_is_said_and_read_through(log: Site) -> None:
    """A stranger's bytes, as long or longer."""
    key = keys(log.write)[1]
    until = log.clock.now() + timedelta(days=40)
    log.write.store.put(key, b"junk", until)
    assert found(log) == ["overwritten"]


def test_local_edits_change_nothing_elsewhere_and_are_found_here(log: Site) -> None:
    """A row that says something else, and a log that is made to look shorter."""
    with log.write.catalog.connection.writing():
        for row in log.write.catalog.connection.read("audit", "WHERE place = 2"):
            entry = replace_body(decode_entry(row["body"]), {"type": "harmless"})
            log.write.catalog.connection.put("audit", {**without_sum(row), "body": entry})
    assert found(log) == []
    assert [finding.what for finding in verify(log.write).findings] == ["local"]
    rebuild(log.write)
    assert verify(log.write).findings == ()


def test_a_host_whose_memory_was_cut_forks_nothing(log: Site) -> None:
    """It finds its own segments in the store, and goes on behind them."""
    key = f"audit_head:{log.write.signer.key_id}"
    log.write.catalog.meta.set(key, "")
    told(log.write, "a")
    commit(log.write)
    assert found(log) == []


def test_an_entry_is_proved_and_checked_without_the_vault(log: Site) -> None:
    """By a prefix of its id; with a former size of the log."""
    unit = away(log)
    item = next(iter(history.show(unit, history.AuditFilter())))
    proof = prove(unit, item.id, former=2)
    assert (proof.entry, proof.index) == (item.id, item.index)
    assert auditing.check(proof.proof) == proof
    with pytest.raises(Corrupt):
        auditing.check(proof.proof.replace('"index":0', '"index":1'))
    with pytest.raises(Corrupt):
        auditing.check("{}")
    with pytest.raises(UsageError):
        prove(unit, "aud_zz")
    with pytest.raises(Corrupt):
        prove(unit, item.id, former=10_000)


def test_show_chooses(log: Site) -> None:
    """By time, caller, volume and kind."""
    told(log.write, "a")
    everything = list(history.show(log.write, history.AuditFilter()))
    assert [item.id for item in everything] == sorted(item.id for item in everything)

    def count(**wish: object) -> int:
        return len(list(history.show(log.write, history.AuditFilter(**wish))))  # type: ignore[arg-type]

    assert count(by="nobody") == 0
    assert count(by="ann@host") == len(everything)
    assert count(kind="frozen") == 1
    assert count(volume="db") == len(everything) - 1
    assert count(since=log.clock.now() - timedelta(seconds=1)) == 1
    assert [item.index for item in everything if item.kind == "frozen"] == [-1]
    with pytest.raises(UsageError):
        count(kind="of-later")


def test_an_environment_sees_its_own_entries_alone(log: Site) -> None:
    """Entries of another are as little there as its volumes."""
    enter(log.write, EntryKind.FROZEN, {"name": "x"}, Place("staging"))
    scoped = replace(log.write, catalog=log.write.catalog.scoped("staging"))
    assert [i.environment for i in history.show(scoped, history.AuditFilter())] == ["staging"]


def test_every_entry_is_exported(log: Site) -> None:
    """A line each."""
    lines = [json.loads(line) for line in history.export(log.write, history.AuditFilter())]
    shown = list(history.show(log.write, history.AuditFilter()))
    assert [line["metadata"]["uid"] for line in lines] == [item.id for item in shown]


def test_reconcile_enters_what_a_crash_kept_out(log: Site) -> None:
    """Once; and it is in the store on return."""
    change(log.write, "db", EventType.VOLUME_PAUSED)
    with log.write.catalog.connection.writing() as handle:
        handle.execute("DELETE FROM audit WHERE place = -1")
    assert reconcile(log.write) == 1
    assert reconcile(log.write) == 0
    log.clock.advance(LONG)
    assert found(log) == []


def test_reconcile_passes_over_what_somebody_made_up(log: Site) -> None:
    """An entry with no event's name, by whoever has a writer's key."""
    made_up: tuple[object, ...] = ([], {"a": 1}, None)
    for event in made_up:
        enter(log.write, EntryKind.TRANSITION, {"event": event})
    assert reconcile(log.write) == 0


def test_what_others_committed_is_taken_in(log: Site) -> None:
    """The purger's own home learns what was entered in the writer's."""
    with closing(open_catalog(None)) as catalog:
        other = replace(log.purger, catalog=catalog)
        refresh(other)
        assert catalog.audit.placed() == log.write.catalog.audit.placed()
        told(log.write, "bot")
        commit(log.write)
        refresh(other)
        refresh(other)
        assert catalog.audit.placed() == log.write.catalog.audit.placed()


def test_a_rebuilt_catalog_knows_every_entry(log: Site) -> None:
    """What waits stays; what was forged into the catalog goes; how long logs were is kept."""
    told(log.write, "waiting")
    before = list(history.show(log.write, history.AuditFilter()))
    rebuild(log.write)
    assert list(history.show(log.write, history.AuditFilter())) == before
    drop(log, keys(log.write)[-1])
    log.clock.advance(LONG)
    rebuild(log.write)
    assert "cut" in {finding.what for finding in verify(log.write).findings}
    with closing(open_catalog(None)) as catalog:
        rebuild(replace(log.write, catalog=catalog))
        assert catalog.audit.placed().keys() < {item.id for item in before}


def replace_body(entry: Entry, body: dict[str, str]) -> bytes:
    """The entry with another body, encoded."""
    return encode_entry(replace(entry, body=body))


def without_sum(row: dict[str, object]) -> dict[str, object]:
    """A row without its checksum, to be written with another."""
    return {name: value for name, value in row.items() if name != "checksum"}
