"""Move: out of a protected environment when people have agreed, and its windows come with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.operations.approving import EPHEMERAL, Council, make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_delete import deleted
from tests.unit.operations.test_purge import WINDOW, finalized, verdict
from vault.errors import (
    ApprovalNeeded,
    Denied,
    SignatureRefused,
    TransitionRefused,
    UsageError,
    VolumeElsewhere,
    VolumeExists,
    VolumeUnknown,
)
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.lifecycle.event import EventType
from vault.operations import approve, undelete
from vault.operations.audit import commit
from vault.operations.delete import execute_delete, plan_delete
from vault.operations.early import purge_early
from vault.operations.enroll import Enrolment, change, enroll
from vault.operations.extend import extend
from vault.operations.finalize import finalize
from vault.operations.move import move
from vault.operations.record import Draft, record_next
from vault.operations.unit import exclusive
from vault.repository.charter import EnvironmentTerms
from vault.settings import Environment, Settings, Span, StoreSettings

WHY = "it is a copy"


@pytest.fixture
def council(site: Site) -> Council:
    """Ann, who asks, and Bob; there is an ephemeral environment for the purger, too."""
    terms = EnvironmentTerms(kind="ephemeral", window_seconds=3600)
    charter = site.write.charter
    both = {**charter.environments, EPHEMERAL: terms}
    ann = Principal(PrincipalKind.HUMAN, "ann@host", Via.TOKEN)
    charter = replace(charter, environments=both)
    site.write = replace(site.write, charter=charter, principal=ann)
    return make_council(site)


def moved(council: Council) -> None:
    """The volume is a preview's from now on; Bob has agreed."""
    council.agreed_by(["bob"], lambda: move(council.unit, "db", EPHEMERAL, reason=WHY))


def where(site: Site) -> str:
    """Where `db` belongs."""
    return site.write.catalog.volumes.resolve("db").environment


def test_it_leaves_a_protected_environment_when_people_agree(council: Council) -> None:
    """To these very terms, read and signed by another than who asks."""
    with pytest.raises(ApprovalNeeded):
        move(council.unit, "db", EPHEMERAL, reason=WHY)
    (item,) = approve.approvals(council.unit)
    assert item.about == f"moves it from production to {EPHEMERAL} (ephemeral)"
    with pytest.raises(SignatureRefused, match="asked for it"):
        council.sign(item, "ann")
    council.sign(item, "bob")
    for other in ({"environment": "staging"}, {"reason": "another"}):
        terms = {"environment": EPHEMERAL, "reason": WHY} | other
        with pytest.raises(ApprovalNeeded):
            move(council.unit, "db", **terms)
    assert where(council.site) == "production"
    assert move(council.unit, "db", EPHEMERAL, reason=WHY).environment == EPHEMERAL


def test_with_nobody_to_agree_it_stays(site: Site) -> None:
    with pytest.raises(Denied) as caught:
        move(site.write, "db", "staging", reason=WHY)
    assert caught.value.rules == ("moves-out", "no-approver")
    assert where(site) == "production"


def test_into_a_protected_environment_nobody_is_asked(council: Council, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    wish = Enrolment(name="work", path=str(tmp_path / "work"), environment=EPHEMERAL)
    enroll(council.unit, wish)
    with pytest.raises(Denied, match="needs-reason"):
        move(council.unit, "work", "production", reason="")
    assert move(council.unit, "work", "production", reason=WHY).environment == "production"


def test_agents_and_services_move_nothing(council: Council) -> None:
    for kind in (PrincipalKind.AGENT, PrincipalKind.SERVICE):
        unit = council.by(Principal(kind, "bot", Via.TOKEN))
        with pytest.raises(Denied):
            move(unit, "db", EPHEMERAL, reason=WHY)


def test_deleted_where_less_holds_it_keeps_the_48_hours(council: Council) -> None:
    """And says so: an hour would be the preview's own."""
    moved(council)
    tombstone = finalized(council.site)
    assert tombstone.environment == EPHEMERAL
    assert tombstone.quarantined_at is not None
    assert tombstone.undo_until == tombstone.quarantined_at + WINDOW
    ends = tombstone.undo_until - council.site.clock.now()
    council.site.clock.advance(ends - timedelta(seconds=1))
    assert "the window ends" in verdict(council.site)[1]
    council.site.clock.advance(timedelta(seconds=1))
    assert verdict(council.site)[0] == "purged"


def test_a_forged_move_keeps_the_48_hours(council: Council) -> None:
    """Whoever holds the writer's key records it, with a window of an hour, and nobody was asked."""
    volume = council.unit.catalog.volumes.resolve("db")
    details = {"environment": EPHEMERAL}
    record_next(council.unit, Draft(type=EventType.VOLUME_MOVED, volume=volume.id, details=details))
    commit(council.unit)
    assert where(council.site) == EPHEMERAL
    finalized(council.site)
    council.site.clock.advance(timedelta(hours=2))
    assert "the window ends" in verdict(council.site)[1]


def test_what_was_deleted_before_stays_where_it_was(council: Council) -> None:
    """A deleted volume does not move; brought back it does, and its tombstone stays."""
    tombstone = deleted(council.site)
    with pytest.raises(TransitionRefused):
        move(council.unit, "db", EPHEMERAL, reason=WHY)
    undelete.undelete(council.unit, tombstone.id)
    moved(council)
    made = council.unit.catalog.tombstones.get(tombstone.id)
    assert (made.environment, where(council.site)) == ("production", EPHEMERAL)


def test_nothing_of_it_is_purged_early(council: Council) -> None:
    """People who agree for a preview have not agreed for production."""
    longer = Settings(
        StoreSettings("memory:"), environments={EPHEMERAL: Environment(window=Span(days=14))}
    )
    council.site.write = replace(council.site.write, settings=longer)
    moved(council)
    tombstone = deleted(council.site)
    with pytest.raises(UsageError, match="was in a protected environment before"):
        purge_early(council.unit, tombstone.id, reason=WHY)
    council.site.clock.advance(timedelta(minutes=1))
    finalize(council.site.write, tombstone)
    kind = EventType.EARLY_PURGE_AGREED
    record_next(council.unit, Draft(type=kind, volume=tombstone.volume, tombstone=tombstone.id))
    council.site.clock.advance(WINDOW)
    extend(council.site.write)
    assert "the window ends" in verdict(council.site)[1]


def test_where_it_cannot_go(council: Council, tmp_path: Path) -> None:
    """No such environment, another home's, another host's volume, a name that is taken."""
    with pytest.raises(UsageError, match="no environment “nowhere” here"):
        move(council.unit, "db", "nowhere", reason=WHY)
    served = replace(council.unit, catalog=council.unit.catalog.scoped("production"))
    with pytest.raises(UsageError, match=f"no environment “{EPHEMERAL}” here") as caught:
        move(served, "db", EPHEMERAL, reason=WHY)
    assert "There is: production." in caught.value.hint
    assert "vault volume add" in caught.value.hint
    with pytest.raises(UsageError, match="is in production"):
        move(council.unit, "db", "production", reason=WHY)
    with pytest.raises(VolumeUnknown):
        move(council.unit, "other", EPHEMERAL, reason=WHY)
    (tmp_path / "other").mkdir()
    enroll(council.unit, Enrolment(name="DB", path=str(tmp_path / "other"), environment=EPHEMERAL))
    with pytest.raises(VolumeExists):
        move(council.unit, "db", EPHEMERAL, reason=WHY)
    volume = council.unit.catalog.volumes.resolve("db")
    details = {"owner": "another"}
    kind = EventType.SOURCE_ACKNOWLEDGED
    record_next(council.unit, Draft(type=kind, volume=volume.id, details=details))
    with pytest.raises(VolumeElsewhere):
        move(council.unit, "db", "staging", reason=WHY)


def test_what_was_let_pass_there_is_not_done_here(council: Council, tmp_path: Path) -> None:
    """A delete that a preview's rules let pass, of what is production's by then."""
    (tmp_path / "work").mkdir()
    wish = Enrolment(name="work", path=str(tmp_path / "work"), environment=EPHEMERAL)
    enroll(council.unit, wish)
    plan = plan_delete(council.unit, "work", reason=WHY)
    move(council.unit, "work", "production", reason=WHY)
    with pytest.raises(TransitionRefused, match="another environment"):
        execute_delete(council.unit, plan)
    assert (tmp_path / "work").exists()


def test_a_removal_is_judged_where_the_volume_is(
    council: Council, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is moved into production just before: there people agree first."""
    (tmp_path / "work").mkdir()
    wish = Enrolment(name="work", path=str(tmp_path / "work"), environment=EPHEMERAL)
    enroll(council.unit, wish)

    @contextmanager
    def late(home: Path, name: str) -> Iterator[None]:
        monkeypatch.setattr("vault.operations.enroll.exclusive", exclusive)
        move(council.unit, "work", "production", reason=WHY)
        with exclusive(home, name):
            yield

    monkeypatch.setattr("vault.operations.enroll.exclusive", late)
    with pytest.raises(ApprovalNeeded):
        change(council.unit, "work", EventType.VOLUME_REMOVED)
