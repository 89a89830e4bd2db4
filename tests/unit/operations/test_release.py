"""Release: a hold is off once people agreed to it, for whoever destroys anything, too."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from tests.unit.operations.approving import AGENT, EPHEMERAL, Council, make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_delete import deleted
from tests.unit.operations.test_purge import WINDOW, finalized, verdict
from vault.errors import TransitionRefused
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import Tombstone
from vault.operations import undelete
from vault.operations.audit import commit
from vault.operations.collect import _held
from vault.operations.delete import execute_delete, plan_delete
from vault.operations.enroll import Enrolment, change, enroll
from vault.operations.extend import extend
from vault.operations.gate import Question, admit
from vault.operations.hold import hold, release
from vault.operations.loosening import Proofs
from vault.operations.record import Draft, record_next
from vault.operations.unit import WriteUnit
from vault.repository.journal import StoredEvent, read_events

HELD = "a hold is on it: legal"


@pytest.fixture
def council(site: Site) -> Council:
    """Ann, who asks, and Bob, who may agree."""
    ann = Principal(PrincipalKind.HUMAN, "ann@host", Via.TOKEN)
    site.write = replace(site.write, principal=ann)
    return make_council(site)


def held(council: Council) -> Tombstone:
    """The volume, deleted, under a hold, its window over."""
    tombstone = finalized(council.site)
    hold(council.unit, tombstone.id, "legal")
    council.site.clock.advance(WINDOW)
    extend(council.site.write)
    return tombstone


def forge(council: Council, tombstone: Tombstone, kind: EventType, **details: str) -> None:
    """What a host whose writer's key was taken records by itself."""
    draft = Draft(type=kind, volume=tombstone.volume, tombstone=tombstone.id, details=details)
    record_next(council.unit, draft)
    commit(council.unit)


def events(council: Council, tombstone: Tombstone) -> list[StoredEvent]:
    """What is stored of the volume."""
    unit = council.site.purger
    return list(read_events(unit.reader, unit.charter, unit.tampering, tombstone.volume))


def told(council: Council, tombstone: Tombstone) -> str:
    """The hold that counts for whoever destroys anything."""
    mine = [one for one in events(council, tombstone) if one.event.tombstone == tombstone.id]
    return Proofs(council.site.purger).tombstone(mine).hold


def agreed(council: Council, tombstone: Tombstone) -> None:
    """The hold is off, with Bob's signature."""
    council.agreed_by(["bob"], lambda: release(council.unit, tombstone.id, "it is over"))


def test_what_people_agreed_to_ends_a_hold(council: Council) -> None:
    tombstone = held(council)
    assert verdict(council.site) == ("refused", HELD)
    agreed(council, tombstone)
    assert verdict(council.site)[0] == "purged"


def test_a_release_that_nobody_agreed_to_ends_none(council: Council) -> None:
    """The catalog believes it, and the purger asks the log; held and released anew, it goes."""
    tombstone = held(council)
    forge(council, tombstone, EventType.RELEASED)
    assert council.unit.catalog.tombstones.get(tombstone.id).hold == ""
    assert verdict(council.site) == ("refused", HELD)
    assert _held(events(council, tombstone), Proofs(council.site.collector))
    hold(council.unit, tombstone.id, "legal")
    assert verdict(council.site) == ("refused", HELD)
    agreed(council, tombstone)
    assert verdict(council.site)[0] == "purged"


def test_an_agreement_counts_once(council: Council) -> None:
    """Held again an hour later, the former signature takes nothing off."""
    tombstone = held(council)
    agreed(council, tombstone)
    assert told(council, tombstone) == ""
    council.site.clock.advance(timedelta(hours=1))
    hold(council.unit, tombstone.id, "legal")
    forge(council, tombstone, EventType.RELEASED)
    assert verdict(council.site) == ("refused", HELD)


def test_nobody_talks_a_tombstone_into_an_environment_that_asks_nobody(council: Council) -> None:
    tombstone = held(council)
    forge(council, tombstone, EventType.DELETE_REQUESTED, environment=EPHEMERAL)
    forge(council, tombstone, EventType.RELEASED)
    assert verdict(council.site) == ("refused", HELD)


def test_an_undelete_does_not_shake_a_hold_off(council: Council) -> None:
    """The data are back; deleted again they are held as before, until people agree."""
    first = held(council)
    undelete.undelete(council.unit, first.id)
    second = deleted(council.site)
    assert second.hold == "legal"
    assert told(council, second) == "legal"
    agreed(council, second)
    undelete.undelete(council.unit, second.id)
    assert deleted(council.site).hold == ""


def test_a_host_that_says_nothing_of_a_hold_shakes_none_off(
    council: Council, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its delete does not tell under which hold; who destroys anything asks the former ones."""
    first = held(council)
    undelete.undelete(council.unit, first.id)
    with monkeypatch.context() as lying:
        lying.setattr("vault.operations.delete.carried_hold", lambda *_: "")
        second = finalized(council.site)
    assert council.unit.catalog.tombstones.get(second.id).hold == ""
    council.site.clock.advance(WINDOW)
    extend(council.site.write)
    assert verdict(council.site) == ("refused", HELD)
    assert _held(events(council, second), Proofs(council.site.collector))


def test_registered_anew_it_is_held_as_before(council: Council) -> None:
    """Removed, and added under another name: the same source is deleted under its hold."""
    first = held(council)
    undelete.undelete(council.unit, first.id)
    asking = partial(change, council.unit, "db", EventType.VOLUME_REMOVED)
    council.agreed_by(["bob"], asking)
    enroll(council.unit, Enrolment(name="other", path=str(council.site.source)))
    plan = plan_delete(council.unit, "other", reason="test")
    assert execute_delete(council.unit, plan).hold == "legal"


def test_one_hold_does_not_take_anothers_place(council: Council) -> None:
    """Both reasons are what people read before they let go; an agent's adds nothing to one."""
    tombstone = held(council)
    assert hold(council.unit, tombstone.id, "audit").hold == "legal; audit"
    assert hold(council.unit, tombstone.id, "legal").hold == "legal; audit"
    assert hold(council.by(AGENT), tombstone.id, "x").hold == "legal; audit"
    agreed(council, tombstone)
    assert told(council, tombstone) == ""


def test_a_release_takes_off_what_it_was_asked_for(
    council: Council, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another hold comes on after people were asked, and before it is recorded: it stays."""
    tombstone = held(council)

    def late(unit: WriteUnit, question: Question) -> None:
        admit(unit, question)
        if question.verb is Verb.RELEASE:
            hold(council.unit, tombstone.id, "audit")

    monkeypatch.setattr("vault.operations.hold.admit", late)
    with pytest.raises(TransitionRefused, match="another hold"):
        agreed(council, tombstone)
    assert council.unit.catalog.tombstones.get(tombstone.id).hold == "legal; audit"
    assert told(council, tombstone) == "legal; audit"
