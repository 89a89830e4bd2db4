"""Collect and the audit log: a round is judged before it deletes, and entered before it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_collect import grow
from vault.audit.entry import Entry, EntryKind
from vault.catalog.database import open_catalog
from vault.errors import Denied, NotInitialised, StoreDenied
from vault.operations import audit, freeze, homes
from vault.operations import collect as collecting
from vault.operations.audit import commit, refresh
from vault.operations.auditing import verify
from vault.operations.collect import collect
from vault.operations.extend import extend
from vault.operations.history import AuditFilter, export
from vault.operations.ledger import enter
from vault.operations.policy import FILE
from vault.operations.rebuild import rebuild
from vault.operations.unit import CollectUnit
from vault.repository.audit_log import read_segments
from vault.store.contract import ReapingStore


class Killed(BaseException):
    """The process ends here."""


class Failing:
    """A store of the collector's of which one method fails from some call on."""

    def __init__(self, store: ReapingStore, method: str, error: BaseException, after: int) -> None:
        self._store, self._method, self._error, self._left = store, method, error, after

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._left -= 1
            if self._left < 0:
                raise self._error
        return getattr(self._store, name)


@pytest.fixture
def ripe(site: Site) -> Site:
    """Snapshots of which most have lapsed, and nobody wants them."""
    grow(site, 30, timedelta(minutes=1))
    for _ in range(5):
        site.clock.advance(timedelta(days=10))
        captured(site)
        extend(site.write)
    return site


@pytest.fixture
def apart(ripe: Site, tmp_path: Path) -> Iterator[CollectUnit]:
    """The collector in a home of its own, as it should be."""
    home = tmp_path / "collector"
    home.mkdir(mode=0o700)
    with closing(open_catalog(home / "catalog.db")) as catalog:
        yield replace(ripe.collector, home=home, catalog=catalog)


def told(site: Site) -> list[Entry]:
    """The collector's log, as the store holds it."""
    logs = read_segments(site.write.reader, site.write.charter, [])
    mine = [s for s in logs if s.signer_hex == site.collector.signer.public_hex]
    return [entry for stored in mine for _, entry in stored.segment.entries()]


def snapshots(site: Site) -> set[str]:
    """The ids of those that are stored."""
    return {v.key.split("/")[2].split("-")[0] for v in site.memory.list("snapshots/")}


def test_a_round_is_entered_with_what_it_deleted(ripe: Site, apart: CollectUnit) -> None:
    """By a process that is let pass like anybody else; in the store, where others read it."""
    before = snapshots(ripe)
    report = collect(apart, dry_run=False)
    request, done = told(ripe)
    assert (request.kind, request.body["verb"], request.body["decision"]) == (
        *(EntryKind.REQUEST, "collect"),
        "allow",
    )
    assert request.body["rules"] == ["process"]
    assert (done.kind, done.about, done.caller.via) == (EntryKind.COLLECTED, request.id, "process")
    assert done.body["deleted"] == done.body["versions"] == report.deleted > 0
    assert (done.body["bytes"], done.body["plan"]) == (report.bytes, report.digest)
    assert done.body["ended"]
    assert set(done.body["snapshots"]) == before - snapshots(ripe)
    assert done.body["others"]["count"] == 0
    assert verify(ripe.write).findings == ()
    refresh(ripe.write)
    (line,) = export(ripe.write, AuditFilter(kind="collected"))
    event = json.loads(line)
    assert (event["class_uid"], event["activity_name"]) == (6003, "Delete")


def test_a_round_that_deletes_nothing_says_nothing(ripe: Site) -> None:
    """Nor does one that only looks."""
    assert collect(ripe.collector, dry_run=True).deleted > 0
    assert told(ripe) == []
    collect(ripe.collector, dry_run=False)
    entries = len(told(ripe))
    assert collect(ripe.collector, dry_run=False).deleted == 0
    assert len(told(ripe)) == entries == 2


def test_an_entry_names_no_more_than_so_many(ripe: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the others their number, and a digest by which a list of them can be recognised."""
    monkeypatch.setattr(collecting, "_NAMED", 2)
    before = snapshots(ripe)
    collect(ripe.collector, dry_run=False)
    gone, body = before - snapshots(ripe), told(ripe)[-1].body
    assert body["snapshots"] == sorted(gone)[:2]
    assert body["others"]["count"] == len(gone) - 2 > 0
    assert len(body["others"]["digest"]) == 64


@pytest.mark.parametrize("apart_from", ["a rule", "a freeze"])
def test_the_gate_can_keep_it_from_deleting(ripe: Site, apart_from: str) -> None:
    """As anybody else."""
    before = snapshots(ripe)
    if apart_from == "a rule":
        (ripe.home / FILE).write_text(
            '@id("not-now") @says("we look first")'
            ' forbid (principal, action == Action::"collect", resource);'
        )
    else:
        freeze.freeze(ripe.write, "collector@host", "a person has to look")
    with pytest.raises(Denied):
        collect(ripe.collector, dry_run=False)
    assert snapshots(ripe) == before
    (refused,) = (e for e in told(ripe) if e.kind is EntryKind.REQUEST)
    assert refused.body["decision"] == "deny"


def test_nothing_is_deleted_that_cannot_be_entered(ripe: Site) -> None:
    """Its credential may add nothing, or its home has no key."""
    before, unit = snapshots(ripe), ripe.collector
    store = Failing(unit.store, "put", StoreDenied("no"), 0)
    with pytest.raises(StoreDenied):
        collect(replace(unit, store=cast(ReapingStore, store)), dry_run=False)
    assert snapshots(ripe) == before
    with pytest.raises(NotInitialised, match=r"collector\.key") as caught:
        homes.read_role_key(ripe.home / "elsewhere" / homes.COLLECTOR_KEY)
    assert "vault key make collector" in caught.value.hint


@pytest.mark.parametrize("dies", ["delete", "put"])
def test_a_round_that_was_cut_short_is_entered_by_the_next(
    ripe: Site, apart: CollectUnit, dies: str
) -> None:
    """In the middle of it, or before its entry was in the store."""
    store = Failing(apart.store, dies, Killed(), 3 if dies == "delete" else 1)
    with pytest.raises(Killed):
        collect(replace(apart, store=cast(ReapingStore, store)), dry_run=False)
    assert [e.kind for e in told(ripe)] == [EntryKind.REQUEST]
    report = collect(apart, dry_run=False)
    first, *rest = [e for e in told(ripe) if e.kind is EntryKind.COLLECTED]
    assert first.about == told(ripe)[0].id
    assert first.body["ended"] is (dies == "put")
    if dies == "delete":
        assert first.body["versions"] == report.deleted + 3
        assert rest[0].body["deleted"] == report.deleted
    else:
        assert not rest
        assert report.deleted == 0
    assert verify(ripe.write).findings == ()


def test_a_collectors_key_steers_nobody(
    ripe: Site, apart: CollectUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has it can lie about what was collected, and about nothing else."""
    freeze.panic(ripe.write, "somebody has our tokens")
    enter(apart, EntryKind.CALM, {})
    enter(apart, EntryKind.COLLECTED, {"deleted": 7})
    monkeypatch.setattr(audit, "COLLECTORS", frozenset(EntryKind))  # a forger keeps to no rule
    commit(apart)
    assert [e.kind for e in told(ripe)] == [EntryKind.CALM, EntryKind.COLLECTED]
    for look in (refresh, rebuild):
        look(ripe.write)
        assert ripe.write.catalog.audit.books().freezes.panic
    assert [e.body for e, _ in ripe.write.catalog.audit.all(kind="collected")] == [{"deleted": 7}]


def test_what_waits_beside_it_goes_into_the_writers_log(ripe: Site) -> None:
    """In a home that both share: in the collector's it would not count."""
    enter(ripe.write, EntryKind.FROZEN, {"name": "bot", "reason": "too fast"})
    collect(ripe.collector, dry_run=False)
    assert {e.kind for e in told(ripe)} == {EntryKind.REQUEST, EntryKind.COLLECTED}
    commit(ripe.write)
    rebuild(ripe.write)
    assert ripe.write.catalog.audit.books().freezes.frozen("bot") == "too fast"
