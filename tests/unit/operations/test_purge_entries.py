"""Purge and the audit log: each step of a purge is in the store's log before it counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_purge import WINDOW, finalized
from vault.lifecycle.event import EventType
from vault.operations import duties, ledger
from vault.operations.auditing import verify
from vault.operations.policy import FILE
from vault.operations.purge import purge
from vault.provider import PurgePermit
from vault.repository.audit_log import read_segments


class Killed(BaseException):
    """The process ends here."""


class Watched:
    """A provider that says when its deciding step is taken."""

    def __init__(self, provider: Any, decides: Callable[[], None]) -> None:
        self._provider, self._decides = provider, decides

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def purge(self, permit: PurgePermit) -> None:
        self._decides()
        self._provider.purge(permit)


@pytest.fixture
def ripe(site: Site) -> Site:
    """A tombstone that nothing speaks for any more."""
    finalized(site)
    site.clock.advance(WINDOW)
    return site


def told(site: Site) -> list[str]:
    """The transitions of the purger's log, as the store holds it."""
    logs = read_segments(site.purger.reader, site.purger.charter, [])
    mine = [s for s in logs if s.signer_hex == site.purger.signer.public_hex]
    entries = [entry for stored in mine for _, entry in stored.segment.entries()]
    return [entry.body["type"] for entry in entries if "type" in entry.body]


def test_a_purge_is_in_the_store_on_return(ripe: Site) -> None:
    """Without anybody else's doing."""
    assert not told(ripe)
    assert [item.verdict for item in purge(ripe.purger, dry_run=False).items] == ["purged"]
    assert told(ripe)[-2:] == ["purge_started", "purged"]
    ripe.clock.advance(timedelta(minutes=5))
    assert verify(ripe.write).findings == ()


def test_a_purge_is_let_pass_by_the_gate(ripe: Site) -> None:
    """As a request of a process; a rule of one's own keeps it from happening."""
    (ripe.home / FILE).write_text(
        '@id("not-now") @says("we look first")'
        ' forbid (principal, action == Action::"purge", resource);'
    )
    (item,) = purge(ripe.purger, dry_run=False).items
    assert (item.verdict, "not-now: we look first" in item.reasons[0]) == ("refused", True)
    assert "purge_started" not in told(ripe)
    (ripe.home / FILE).write_text("// nothing more\n")
    (item,) = purge(ripe.purger, dry_run=False).items
    assert item.verdict == "purged"
    entries = ripe.write.catalog.audit.requests("purger@host")
    assert [entry.body["decision"] for entry in entries] == ["deny", "allow"]
    assert {(e.body["verb"], e.body["volume_name"], e.caller.via) for e in entries} == {
        ("purge", "db", "process")
    }
    assert entries[1].body["rules"] == ["process"]


def test_nothing_is_destroyed_before_the_log_tells_of_it(ripe: Site) -> None:
    """The entry is there when the deciding step is taken."""
    seen: list[str] = []
    providers = {
        name: Watched(provider, lambda: seen.extend(told(ripe)))
        for name, provider in ripe.purger.providers.items()
    }
    purge(replace(ripe.purger, providers=providers), dry_run=False)
    assert seen[-1] == "purge_started"


def test_a_dry_run_enters_nothing(ripe: Site) -> None:
    """It only judges."""
    assert [item.verdict for item in purge(ripe.purger, dry_run=True).items] == ["would-purge"]
    assert not told(ripe)


@pytest.mark.parametrize("kind", [EventType.PURGE_STARTED, EventType.PURGED])
def test_the_next_pass_enters_what_a_crash_kept_out(
    ripe: Site, kind: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between an event and its entry."""
    monkeypatch.setattr("vault.operations.record.enter", dies_at(kind))
    with pytest.raises(Killed):
        purge(ripe.purger, dry_run=False)
    monkeypatch.undo()
    assert kind not in told(ripe)
    purge(ripe.purger, dry_run=False)
    assert told(ripe).count(kind) == 1
    ripe.clock.advance(timedelta(minutes=5))
    assert verify(ripe.write).findings == ()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (EventType.DELETE_REQUESTED, "abandoned"),  # it goes on from there, and enters that first
        (EventType.QUARANTINED, "audit log: 1 steps were entered that it did not tell of"),
    ],
)
def test_the_daemon_enters_what_a_crash_kept_out(
    site: Site, monkeypatch: pytest.MonkeyPatch, kind: EventType, says: str
) -> None:
    """When it begins; a second time there is nothing to do."""
    duties.resume(site.write)
    site.clock.advance(timedelta(minutes=1))
    monkeypatch.setattr("vault.operations.record.enter", dies_at(kind))
    with pytest.raises(Killed):
        finalized(site)
    monkeypatch.undo()
    site.clock.advance(timedelta(minutes=5))
    assert {finding.what for finding in verify(site.write).findings} == {"unlogged"}
    (told,) = duties.resume(site.write)
    assert says in told
    assert duties.resume(site.write) == ()
    site.clock.advance(timedelta(minutes=5))
    assert verify(site.write).findings == ()


def dies_at(kind: EventType) -> Callable[..., object]:
    """What enters, until the entry of such an event."""

    def enter(unit: Any, of: Any, body: dict[str, Any], place: Any) -> object:
        if body.get("type") == kind:
            raise Killed
        return ledger.enter(unit, of, body, place)

    return enter
