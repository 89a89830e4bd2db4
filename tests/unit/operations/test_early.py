"""Early purge: what a quorum signed, never within 48 hours; and undelete may win."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.signers import SoftKey
from tests.unit.operations.approving import AGENT, Council, make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_purge import WINDOW, finalized, verdict
from vault.audit.entry import EntryKind
from vault.errors import ApprovalNeeded, Denied, SignatureRefused, TransitionRefused, UsageError
from vault.governance.approval import plan_text
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations import approve, undelete
from vault.operations.audit import commit
from vault.operations.early import about_early, purge_early
from vault.operations.extend import extend
from vault.operations.hold import hold, release
from vault.operations.ledger import Place, enter
from vault.operations.recheck import agreements
from vault.operations.record import Draft, record_next
from vault.settings import Environment, Settings, Span, StoreSettings

LONG = timedelta(days=14)
SECOND = timedelta(seconds=1)
SETTINGS = Settings(
    StoreSettings("memory:"), environments={"production": Environment(window=Span(days=14))}
)
WHY = "the court wants it gone"


@pytest.fixture
def council(site: Site) -> Council:
    """Ann, who asks, and Bob; deletes can be undone for 14 days."""
    ann = Principal(PrincipalKind.HUMAN, "ann@host", Via.TOKEN)
    site.write = replace(site.write, settings=SETTINGS, principal=ann)
    return make_council(site)


def asking(council: Council, tombstone: Tombstone, **changes: Any) -> Callable[[], Tombstone]:
    """Ann's wish."""
    words = {"reason": WHY} | changes
    return lambda: purge_early(council.unit, tombstone.id, **words)


def agreed(council: Council, tombstone: Tombstone) -> Tombstone:
    """The tombstone, once Bob has agreed that it is purged early."""
    council.agreed_by(["bob"], asking(council, tombstone))
    return council.unit.catalog.tombstones.get(tombstone.id)


def forged(council: Council, tombstone: Tombstone, **changes: Any) -> None:
    """What a host whose writer's key was taken records by itself."""
    draft = Draft(
        type=EventType.EARLY_PURGE_AGREED, volume=tombstone.volume, tombstone=tombstone.id
    )
    record_next(council.unit, replace(draft, **changes))
    commit(council.unit)


def until(council: Council, moment: timedelta, tombstone: Tombstone) -> None:
    """Let time pass until so long after the quarantine; locks are kept up."""
    assert tombstone.quarantined_at is not None
    clock = council.site.clock
    clock.advance(tombstone.quarantined_at + moment - clock.now())
    extend(council.site.write)


def test_it_is_purged_once_48_hours_are_over(council: Council) -> None:
    """Not a second before, though everybody has signed; then at once, not after 14 days."""
    tombstone = finalized(council.site)
    until(council, WINDOW, tombstone)
    assert verdict(council.site)[0] == "refused"
    early = agreed(council, tombstone)
    assert early.undo_until == early.early_at
    assert verdict(council.site) == ("purged", "")


def test_everybodys_agreement_makes_the_48_hours_no_shorter(council: Council) -> None:
    """Asked for at once, signed at once, and the data stay."""
    tombstone = finalized(council.site)
    with pytest.raises(ApprovalNeeded):
        asking(council, tombstone)()
    (item,) = approve.approvals(council.unit)
    for name in council.keys:
        if name != "ann":
            council.sign(item, name)
    early = asking(council, tombstone)()
    assert early.quarantined_at is not None
    assert early.undo_until == early.quarantined_at + WINDOW
    until(council, WINDOW - SECOND, tombstone)
    said, why = verdict(council.site)
    assert said == "refused"
    assert "the window ends" in why
    assert "not proved" not in why
    council.site.clock.advance(SECOND)
    assert verdict(council.site, dry_run=True) == ("would-purge", "")
    assert verdict(council.site)[0] == "purged"


def test_undelete_works_until_the_purge(council: Council) -> None:
    """And ends what was agreed to: whoever deletes it again has the whole window."""
    tombstone = agreed(council, finalized(council.site))
    until(council, WINDOW * 2, tombstone)
    assert undelete.undelete(council.unit, tombstone.id).state is State.RESTORED
    assert (council.site.source / "orders").exists()
    again = finalized(council.site)
    until(council, WINDOW, again)
    forged(council, again)
    assert verdict(council.site)[0] == "refused"


def test_all_else_still_has_to_be_so(council: Council) -> None:
    """A hold, and a final snapshot that is not there."""
    tombstone = agreed(council, finalized(council.site))
    hold(council.unit, tombstone.id, "legal")
    until(council, WINDOW, tombstone)
    assert "a hold is on it" in verdict(council.site)[1]
    with pytest.raises(TransitionRefused, match="a hold is on"):
        asking(council, tombstone)()


def test_a_hold_ends_what_was_agreed_to(council: Council) -> None:
    """Once it is off again people are asked again; the old agreement recorded anew is none."""
    tombstone = agreed(council, finalized(council.site))
    hold(council.unit, tombstone.id, "legal")
    council.agreed_by(["bob"], lambda: release(council.unit, tombstone.id, "it is over"))
    released = council.unit.catalog.tombstones.get(tombstone.id)
    assert released.early_at is None
    assert released.undo_until == tombstone.quarantined_at + LONG  # type: ignore[operator]
    until(council, WINDOW, tombstone)
    assert verdict(council.site)[0] == "refused"
    forged(council, tombstone)
    assert "is not proved" in verdict(council.site)[1]
    agreed(council, tombstone)
    assert verdict(council.site)[0] == "purged"


def test_a_record_without_an_agreement_is_none(council: Council) -> None:
    """The catalog believes it, and the purger asks the log."""
    tombstone = finalized(council.site)
    forged(council, tombstone)
    assert council.unit.catalog.tombstones.get(tombstone.id).early_at is not None
    until(council, WINDOW, tombstone)
    said, why = verdict(council.site)
    assert said == "refused"
    assert "that people agreed to an earlier purge is not proved" in why
    until(council, LONG, tombstone)
    assert verdict(council.site)[0] == "purged"


LIES: dict[str, dict[str, Any]] = {
    "of another tombstone": {"about": "lets tomb_other be purged from 2026-01-01T00:00:00Z on"},
    "of another verb": {"verb": "delete"},
    "of another volume": {"volume_id": "vol_other"},
    "of an ephemeral environment": {"class_": "ephemeral"},
    "of another environment": {"environment": "preview"},
}


@pytest.mark.parametrize("changes", LIES.values(), ids=list(LIES))
def test_an_agreement_to_something_else_is_none(council: Council, changes: dict[str, Any]) -> None:
    """Bob signed it, the host has used it; only it was for something else."""
    tombstone = finalized(council.site)
    with pytest.raises(ApprovalNeeded):
        asking(council, tombstone)()
    (plan,) = (a.plan for a in council.unit.catalog.audit.books().approvals.all())
    lying_used(council, replace(plan, ask="ask_x", **changes))
    assert [a.plan.ask for a in agreements(council.site.purger)] == ["ask_x"]
    forged(council, tombstone)
    until(council, WINDOW, tombstone)
    assert "is not proved" in verdict(council.site)[1]


def test_a_host_that_lies_about_who_and_when_proves_nothing(council: Council) -> None:
    """The asker's own signature, a stranger's, and an agreement that was to last for ever."""
    tombstone = finalized(council.site)
    with pytest.raises(ApprovalNeeded):
        asking(council, tombstone)()
    (plan,) = (a.plan for a in council.unit.catalog.audit.books().approvals.all())
    lying_used(council, replace(plan, ask="ask_1"), by="ann")
    lying_used(council, replace(plan, ask="ask_2"), key=SoftKey())
    later = plan.expires_at + timedelta(days=400)
    lying_used(council, replace(plan, ask="ask_3", expires_at=later))
    forged(council, tombstone)
    assert agreements(council.site.purger) == ()
    until(council, WINDOW, tombstone)
    assert "is not proved" in verdict(council.site)[1]
    lying_used(council, replace(plan, ask="ask_4", expires_at=soon(council)))
    assert [a.by for a in agreements(council.site.purger)] == [("bob",)]


def test_where_the_log_has_a_gap_nothing_is_proved(council: Council) -> None:
    """What is missing may be that Bob agrees to nothing any more."""
    tombstone = agreed(council, finalized(council.site))
    until(council, WINDOW, tombstone)
    memory = council.site.memory
    lost = sorted({v.key for v in memory.list("audit/")})[1]

    class Gappy:
        """The store, in which one segment is not there."""

        def __getattr__(self, name: str) -> Any:
            return getattr(council.site.purger.reader, name)

        def list(self, prefix: str) -> Iterator[Any]:
            return (v for v in council.site.purger.reader.list(prefix) if v.key != lost)

    assert agreements(council.site.purger)
    assert agreements(replace(council.site.purger, reader=Gappy())) == ()


def test_who_may_not_even_ask(council: Council) -> None:
    """Agents and services, whoever agreed; with nobody enrolled, nobody; and who asks does not."""
    tombstone = finalized(council.site)
    for kind in (PrincipalKind.AGENT, PrincipalKind.SERVICE):
        unit = council.by(Principal(kind, AGENT.name, Via.TOKEN))
        with pytest.raises(Denied):
            purge_early(unit, tombstone.id, reason=WHY)
    with pytest.raises(Denied, match="needs-reason"):
        asking(council, tombstone, reason=" ")()
    with pytest.raises(ApprovalNeeded) as caught:
        asking(council, tombstone)()
    item = approve.approval(council.unit, caught.value.ask)
    assert item.about == about_early(tombstone)
    assert tombstone.id in item.text
    with pytest.raises(SignatureRefused, match="asked for it"):
        council.sign(item, "ann")
    with pytest.raises(ApprovalNeeded):
        asking(council, tombstone)()


def test_with_nobody_to_agree_it_is_refused(site: Site) -> None:
    """Where the window is long, and not even in an ephemeral environment."""
    site.write = replace(site.write, settings=SETTINGS)
    tombstone = finalized(site)
    with pytest.raises(Denied) as caught:
        purge_early(site.write, tombstone.id, reason=WHY)
    assert caught.value.rules == ("purges-early", "no-approver")


def test_what_cannot_be_is_refused(site: Site) -> None:
    """No longer window to shorten; a tombstone that is none any more."""
    tombstone = finalized(site)
    with pytest.raises(UsageError, match="nothing makes that less"):
        purge_early(site.write, tombstone.id, reason=WHY)
    undelete.undelete(site.write, tombstone.id)
    with pytest.raises(TransitionRefused):
        purge_early(site.write, tombstone.id, reason=WHY)


def soon(council: Council) -> Any:
    """A time by which what is asked for now has to be used."""
    return council.site.clock.now() + timedelta(hours=1)


def lying_used(council: Council, plan: Any, *, by: str = "bob", key: SoftKey | None = None) -> None:
    """All that a host enters to say that people agreed to a plan and that it was let pass."""
    item = msgspec.to_builtins(plan)
    unit, place = council.unit, Place(plan.environment, plan.volume_id)
    enter(unit, EntryKind.APPROVAL_ASKED, item)
    signer = key or council.keys[by]
    line = " ".join(signer.line.split(" ")[:2])
    signature = signer.sign(plan_text(plan))
    signed = {"ask": plan.ask, "approver": by, "key": line, "signature": signature}
    enter(unit, EntryKind.APPROVAL_SIGNED, signed)
    terms = {name: getattr(plan, name) for name in ("verb", "reason", "task", "policy", "about")}
    body = terms | {"volume_name": plan.volume, "decision": "allow", "ask": plan.ask}
    enter(unit, EntryKind.REQUEST, body, place)
    enter(unit, EntryKind.APPROVAL_USED, {"ask": plan.ask})
    commit(unit)
