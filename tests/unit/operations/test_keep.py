"""Keep: more of new snapshots at once, less when people have agreed; what is stored stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.operations.approving import EPHEMERAL, make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_delete import deleted
from vault.errors import ApprovalNeeded, Denied, TransitionRefused, UsageError, VolumeUnknown
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.lifecycle.retention import Keep
from vault.lifecycle.volume import standing
from vault.operations import approve
from vault.operations.enroll import Enrolment, enroll, keep

LESS = "hourly=1,daily=7,weekly=5,monthly=12"
MORE = "hourly=48,daily=7,weekly=5,monthly=12"


def kept(site: Site) -> str:
    """What holds for new snapshots of `db`."""
    return site.write.catalog.volumes.resolve("db").keep


def test_more_is_kept_at_once(site: Site) -> None:
    """Nobody has to agree to a safeguard; the same again is as well."""
    for terms in (MORE, MORE, "hourly=48,daily=7,weekly=5,monthly=13"):
        assert keep(site.write, "db", terms).keep == terms
    assert kept(site).endswith("monthly=13")


@pytest.mark.parametrize("terms", [LESS, "daily=999", "hourly=999,daily=7,weekly=5"])
def test_less_is_refused_where_nobody_could_agree(site: Site, terms: str) -> None:
    """One class that keeps less is less, whatever the others keep."""
    with pytest.raises(Denied) as caught:
        keep(site.write, "db", terms, reason="it is a cache")
    assert caught.value.rules == ("keeps-less", "no-approver")
    assert kept(site) == str(Keep())


def test_less_is_kept_once_people_have_agreed(site: Site) -> None:
    """To these very terms; those of another request are not."""
    council = make_council(site)
    with pytest.raises(Denied, match="needs-reason"):
        keep(council.unit, "db", LESS)
    council.agreed_by(["bob"], lambda: keep(council.unit, "db", LESS, reason="a cache"))
    assert kept(site) == LESS
    with pytest.raises(ApprovalNeeded):
        keep(council.unit, "db", "daily=1", reason="a cache")
    assert kept(site) == LESS


def test_an_agreement_is_to_what_was_read(site: Site) -> None:
    """The text has both, and counts no more once either is another."""
    council = make_council(site)
    with pytest.raises(ApprovalNeeded):
        keep(council.unit, "db", LESS, reason="a cache")
    (item,) = approve.approvals(council.unit)
    assert item.about == f"keeps {LESS} of new snapshots, not {Keep()}"
    council.sign(item, "bob")
    keep(council.unit, "db", MORE)
    with pytest.raises(ApprovalNeeded):
        keep(council.unit, "db", LESS, reason="a cache")
    assert kept(site) == MORE


def test_agents_and_services_change_nothing(site: Site) -> None:
    """Neither way, agreed or not."""
    council = make_council(site)
    for kind in (PrincipalKind.AGENT, PrincipalKind.SERVICE):
        unit = council.by(Principal(kind, "bot", Via.TOKEN))
        for terms in (MORE, LESS):
            with pytest.raises(Denied):
                keep(unit, "db", terms, reason="a cache")
    assert kept(site) == str(Keep())


def test_an_ephemeral_environment_asks_nobody(site: Site, tmp_path: Path) -> None:
    """It is made and thrown away all day."""
    (tmp_path / "preview").mkdir()
    unit = make_council(site).unit
    wish = Enrolment(name="preview", path=str(tmp_path / "preview"), environment=EPHEMERAL)
    enroll(unit, wish)
    assert keep(unit, "preview", "daily=1", reason="a preview").keep.startswith("hourly=0,daily=1")


def test_what_cannot_be_is_refused(site: Site) -> None:
    """Terms that say nothing, a volume that is not there, is deleted, or is removed."""
    for terms in ("", "daily=0", "forever"):
        with pytest.raises(UsageError):
            keep(site.write, "db", terms)
    with pytest.raises(VolumeUnknown):
        keep(site.write, "other", MORE)
    captured(site)
    deleted(site)
    with pytest.raises(TransitionRefused):
        keep(site.write, "db", MORE)


def test_what_is_stored_stays_as_long_as_before(site: Site) -> None:
    """A snapshot goes by the terms that held when it was stored, however often they change."""
    council = make_council(site)
    captured(site)
    site.clock.advance(timedelta(hours=1))
    council.agreed_by(["bob"], lambda: keep(council.unit, "db", LESS, reason="a cache"))
    site.clock.advance(timedelta(hours=1))
    captured(site)
    site.clock.advance(timedelta(hours=1))
    keep(council.unit, "db", MORE)
    site.clock.advance(timedelta(hours=1))
    volume = site.write.catalog.volumes.resolve("db")
    terms = standing(volume, Keep(0, 0, 0, 0))
    first, second = (row.stored_at for row in site.write.catalog.snapshots.of(volume.id))
    assert str(terms.keep_of(first)) == str(Keep())
    assert str(terms.keep_of(second)) == LESS
    assert str(terms.keep_of(site.clock.now())) == MORE
