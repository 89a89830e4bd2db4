"""Budgets by the audit log: nothing hides a delete, and nothing counts for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import OPERATOR, Site
from vault.audit.entry import Caller, Entry, EntryKind
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import DESTRUCTIVE, Request, Verb
from vault.ids import next_id
from vault.limits import AGENT_BYTES, AGENT_VOLUMES, BUDGET_SPAN, ENVIRONMENT_DELETES
from vault.operations import behaviour
from vault.settings import Environment

BOT = Principal(PrincipalKind.AGENT, "deploy-bot", Via.TOKEN)
UP = 100_000.0


def deed(
    site: Site,
    verb: str = "delete",
    *,
    volume: str = "vol_x",
    uptime: float = UP,
    at: datetime | None = None,
    decision: str = "allow",
    size: Any = 0,
    by: str = BOT.name,
    environment: str = "production",
    log: str = "",
) -> None:
    """One request of the agent's, or another's, as the log has it; by this home, or another's."""
    audit, now = site.write.catalog.audit, at or site.clock.now()
    entry = Entry(
        id=next_id("aud", site.clock.now(), after=audit.last_id()),
        at=now,
        uptime=uptime,
        kind=EntryKind.REQUEST,
        caller=Caller("agent", by),
        environment=environment,
        volume=volume,
        body={"verb": verb, "decision": decision, "bytes": size},
    )
    audit.add(entry)
    if log:
        audit.settle(log, [(len(audit.placed()), entry)])


def over(site: Site, uptime: float = UP, environment: str = "production") -> tuple[str, ...]:
    """The budgets that one more delete would exceed."""
    request = Request(
        verb=Verb.DELETE,
        volume="one-more",
        volume_id="vol_one_more",
        environment=environment,
        principal=BOT,
    )
    return behaviour.gather(site.write, request, site.clock.now(), uptime)[0]


def test_every_destructive_verb_counts(site: Site) -> None:
    """And nothing that was refused, nor what destroys nothing."""
    for number, verb in enumerate(sorted(DESTRUCTIVE) * 2):
        deed(site, verb, volume=f"vol_{number}")
    assert over(site)
    assert len(DESTRUCTIVE) * 2 > AGENT_VOLUMES


def test_what_is_refused_or_harmless_does_not_count(site: Site) -> None:
    """However much of it there is."""
    for number in range(50):
        deed(site, "hold", volume=f"vol_{number}")
        deed(site, volume=f"vol_{number}", decision="deny")
    assert over(site) == ()


def test_no_crowd_of_harmless_requests_hides_a_delete(site: Site) -> None:
    """Nor a reason that reads like one."""
    for number in range(AGENT_VOLUMES):
        deed(site, volume=f"vol_{number}")
    for _ in range(500):
        deed(site, "undelete")
    assert over(site)


def test_no_crowd_of_deletes_elsewhere_hides_a_delete(site: Site) -> None:
    """As many as others may make in another environment: an identity's own count all the same."""
    for number in range(AGENT_VOLUMES):
        deed(site, volume=f"vol_{number}")
    for number in range(ENVIRONMENT_DELETES):
        deed(site, by=f"bot-{number}", environment="staging")
    assert over(site)


def test_no_crowd_of_deletes_elsewhere_hides_an_environments(site: Site) -> None:
    """An environment of few deletes counts all of its own, whatever is done beside it."""
    few = Environment(kind="ephemeral", deletes=2)
    settings = replace(site.write.settings, environments={"preview": few})
    site.write = replace(site.write, settings=settings)
    for number in range(2):
        deed(site, by=f"bot-{number}", environment="preview")
    for number in range(3):
        deed(site, by="another", environment="staging", volume=f"vol_{number}")
    (told,) = over(site, environment="preview")
    assert told.startswith("the environment preview has a budget of 2 deletes")


def test_settings_lower_a_protected_environments_budgets_and_never_raise_them(
    site: Site,
) -> None:
    """Whoever may write vault.toml could end the breaker by it: number, breadth and bytes stay."""
    for deletes in (0, 8, 1_000_000):
        own = {"production": Environment(deletes=deletes)}
        unit = replace(site.write, settings=replace(site.write.settings, environments=own))
        budgets = behaviour.budgets_of(unit, "production")
        usual = behaviour.budgets_of(site.write, "production")
        assert budgets.agent == replace(usual.agent, count=min(deletes or 10, 10))
        assert budgets.human.count == min(deletes or 60, 60)
        assert budgets.environment.count == min(deletes or 120, 120)
        elsewhere = {"unheard-of": Environment(kind="ephemeral", deletes=1_000_000)}
        unit = replace(unit, settings=replace(unit.settings, environments=elsewhere))
        assert behaviour.budgets_of(unit, "unheard-of") == usual  # what the charter does not say


@pytest.mark.parametrize(
    ("log", "uptime"),
    [("", 5.0), ("f" * 16, 5.0), ("f" * 16, UP + 60), ("f" * 16, UP * 10)],
    ids=["before a loss", "younger", "as old", "older"],
)
def test_where_our_time_up_says_nothing_the_stores_time_does(
    site: Site, log: str, uptime: float
) -> None:
    """Of what another home has done, however long either is up; and from before a loss of ours."""
    for number in range(AGENT_VOLUMES):
        deed(site, volume=f"vol_{number}", log=log)
    assert over(site, uptime=uptime)
    site.clock.advance(BUDGET_SPAN - timedelta(seconds=1))
    assert over(site, uptime=uptime)
    site.clock.advance(timedelta(seconds=2))
    assert over(site, uptime=uptime) == ()


def test_no_clock_that_is_set_makes_own_deeds_older(site: Site) -> None:
    """They are as old as this home has seen time pass."""
    for number in range(AGENT_VOLUMES):
        deed(site, volume=f"vol_{number}")
    site.clock.advance(timedelta(days=2))
    assert over(site, uptime=UP + BUDGET_SPAN.total_seconds() - 1)
    assert over(site, uptime=UP + BUDGET_SPAN.total_seconds()) == ()


@pytest.mark.parametrize("made_up", ["many", "", "9" * 5000, None, [7], {"a": 1}, 0.5, -(10**30)])
def test_a_size_that_somebody_made_up_hides_nothing(site: Site, made_up: Any) -> None:
    """Nor does it keep the others from being judged: it counts as none."""
    deed(site, size=made_up)
    assert over(site) == ()
    deed(site, size=AGENT_BYTES + 1)
    assert len(over(site)) == 1


def test_a_person_who_protects_has_no_budget(site: Site) -> None:
    """Nothing is looked up for what destroys nothing."""
    request = Request(
        verb=Verb.UNDELETE,
        volume="db",
        environment="production",
        principal=replace(OPERATOR, name=BOT.name),
    )
    for number in range(50):
        deed(site, volume=f"vol_{number}")
    assert behaviour.gather(site.write, request, site.clock.now(), UP) == ((), ())
