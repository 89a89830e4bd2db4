"""Grants at the gate: used as often as they say, by whoever comes first, by the store's time."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier

import pytest
from msgspec.structs import replace

from tests.unit.operations.approving import AGENT, Council
from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from vault.audit.entry import EntryKind
from vault.catalog.database import open_catalog
from vault.errors import Denied, UsageError
from vault.governance.intent import Task
from vault.operations.gate import admit
from vault.operations.grants import GrantWish, give_unasked, grant
from vault.operations.tasks import add_task
from vault.store.opening import compose_store
from vault.testing.clock import ManualClock

LEAP = timedelta(hours=49)
LIFE = timedelta(hours=3)
SECOND = timedelta(seconds=1)


@pytest.fixture
def council(site: Site) -> Council:
    """Nobody is enrolled: an agent's delete wants a task and a grant, and nothing else."""
    return Council(site)


def test_of_many_at_once_one_uses_a_grant_for_one(council: Council) -> None:
    """Eight at the same time, each with a catalog of its own; the rest is told that it is spent."""
    council.let_agent(uses=1)
    question, unit, start = council.question(), council.by(AGENT), Barrier(8)

    def one(_number: int) -> tuple[str, ...]:
        with closing(open_catalog(unit.home / "catalog.db")) as catalog:
            start.wait(60)
            try:
                admit(replace(unit, catalog=catalog), question)
            except Denied as denied:
                return denied.rules
            return ()

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(one, range(8)))
    assert answers == [(), *[("needs-grant",)] * 7]
    entries = [entry for entry, _ in council.unit.catalog.audit.all()]
    uses = [entry for entry in entries if entry.body.get("grant") == "grant_OPS-1_deploy-bot"]
    assert [entry.kind for entry in uses] == [EntryKind.GRANT_GIVEN, EntryKind.REQUEST]


@pytest.mark.parametrize("leap", [LEAP, -LEAP], ids=["ahead", "behind"])
@pytest.mark.parametrize("leaps", ["before", "after"])
def test_a_grant_lives_by_the_time_of_the_store(
    council: Council, leap: timedelta, leaps: str
) -> None:
    """Whatever the host's clock says, from before it was given or since."""
    host = ManualClock(council.site.clock.now() + (leap if leaps == "before" else timedelta(0)))
    store = compose_store(council.site.memory, right="writer", clock=host)
    council.site.write = replace(council.site.write, clock=host, reader=store, store=store)
    unit, where = council.site.write, council.question().environment
    add_task(unit, Task(task="OPS-1", environment=where, assignees=(AGENT.name,), volumes=("db",)))
    wish = GrantWish(
        environment=where,
        volumes=("db",),
        reason="clean up",
        task="OPS-1",
        life=LIFE,
        uses=9,
        principal=AGENT.name,
    )
    given = give_unasked(unit, wish)
    assert given.expires_at == council.site.clock.now() + LIFE
    if leaps == "after":
        host.set_wall(host.now() + leap)

    def pass_by(span: timedelta) -> None:
        for clock in (host, council.site.clock):
            clock.advance(span)

    council.admit()
    pass_by(LIFE - SECOND)
    council.admit()
    assert grant(unit, given.id).state == "given"
    pass_by(SECOND)
    with pytest.raises(Denied, match=r"needs-grant.*expired"):
        council.admit()
    assert (grant(unit, given.id).state, grant(unit, given.id).used) == ("expired", 2)


def test_a_grant_begins_when_it_says_and_is_for_so_many_bytes(council: Council) -> None:
    """Not earlier, and not for more than that in all; what cannot be is not asked for."""
    unit, where = council.unit, council.question().environment
    size = captured(council.site)[0].header.bytes
    add_task(unit, Task(task="OPS-7", environment=where, assignees=(AGENT.name,), volumes=("db",)))
    wish = GrantWish(
        environment=where,
        volumes=("db",),
        reason="clean up",
        task="OPS-7",
        life=LIFE,
        uses=9,
        bytes=2 * size,
        starts_at=council.site.clock.now() + LIFE,
        principal=AGENT.name,
    )
    given = give_unasked(unit, wish)
    assert (given.starts_at, given.bytes) == (wish.starts_at, 2 * size)
    assert given.expires_at == council.site.clock.now() + 2 * LIFE
    with pytest.raises(Denied, match="needs-grant"):
        council.admit(task="OPS-7")
    council.site.clock.advance(LIFE)
    for _ in range(2):
        council.admit(task="OPS-7")
    with pytest.raises(Denied, match=r"needs-grant.*spent"):
        council.admit(task="OPS-7")
    late = council.site.clock.now() + timedelta(days=2)
    for wrong in (dataclasses.replace(wish, bytes=-1), dataclasses.replace(wish, starts_at=late)):
        with pytest.raises(UsageError):
            give_unasked(unit, wrong)
    now = council.site.clock.now()
    early = give_unasked(unit, dataclasses.replace(wish, starts_at=now - LIFE))
    assert early.expires_at == now + LIFE
