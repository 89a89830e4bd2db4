"""A delete that is sent again under its key: once, wherever the first time was cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.directory.provider import DirectoryProvider
from tests.unit.operations.conftest import Site
from vault import limits
from vault.errors import StoreUnreachable, UsageError, VolumeTombstoned
from vault.governance.principal import Principal, PrincipalKind
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations import delete, repeat
from vault.operations.repeat import Wish
from vault.operations.undelete import undelete

WISH = Wish("db", "merged", "")


class Killed(BaseException):
    """The process is gone; nothing of ours sees to anything."""


def asked(site: Site, key: str = "k-1", wish: Wish = WISH) -> Tombstone:
    """A delete under a key."""
    return repeat.delete(site.write, wish, key)


def standing(site: Site) -> list[State]:
    """What became of every delete that led to something."""
    found = (tombstone.state for tombstone in site.write.catalog.tombstones.all())
    return [state for state in found if state is not State.ABANDONED]


def killing(call: Callable[..., Any], at: int, *, after: bool) -> Callable[..., Any]:
    """The same call, but the `at`-th is the last one: before it, or after it."""
    calls = 0

    def once(*words: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            raise Killed
        done = call(*words, **named)
        if calls == at:
            raise Killed
        return done

    return once


CUTS = [
    *((delete, "record", at, after) for at in (1, 2, 3) for after in (False, True)),
    *((DirectoryProvider, "quarantine", 1, after) for after in (False, True)),
    *((repeat, "execute_delete", 1, after) for after in (False, True)),
]


@pytest.mark.parametrize("resumed", [False, True], ids=["at once", "resumed"])
@pytest.mark.parametrize(("where", "name", "at", "after"), CUTS)
def test_cut_off_anywhere_it_is_done_once(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    at: int,
    after: bool,
    resumed: bool,
) -> None:
    """What was done, and was undone before it is sent again, is not done again."""
    with monkeypatch.context() as patch:
        patch.setattr(where, name, killing(getattr(where, name), at, after=after))
        with pytest.raises(Killed):
            asked(site)
    undone = False
    if resumed:
        for tombstone in site.write.catalog.tombstones.all():
            delete.settle(site.write, tombstone)
        for tombstone in site.write.catalog.tombstones.all():
            if tombstone.state is State.TOMBSTONED:
                undelete(site.write, tombstone.id)
                undone = True
    made = asked(site)
    assert standing(site) == [State.RESTORED if undone else State.TOMBSTONED] == [made.state]
    assert site.source.exists() is undone
    if not undone:
        undelete(site.write, made.id)
    assert asked(site).id == made.id
    assert (standing(site), site.source.exists()) == ([State.RESTORED], True)


def test_where_the_store_was_away_it_is_done_when_it_is_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnreachable("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(delete, "record", away)
        with pytest.raises(StoreUnreachable):
            asked(site)
    assert asked(site).state is State.TOMBSTONED


def test_another_request_under_the_same_key_does_nothing(site: Site) -> None:
    made = asked(site)
    undelete(site.write, made.id)
    for other in (
        Wish("db", "another"),
        Wish("db", "merged", "OPS-1"),
        Wish(made.volume, "merged"),
    ):
        with pytest.raises(UsageError, match="another request"):
            asked(site, wish=other)
    assert site.source.exists()


def test_a_key_is_its_callers_and_its_environments(site: Site) -> None:
    undelete(site.write, asked(site).id)
    eve = replace(site.write, principal=Principal(PrincipalKind.HUMAN, "eve"))
    there = replace(site.write, catalog=site.write.catalog.scoped("production"))
    for unit in (eve, there):
        made = repeat.delete(unit, WISH, "k-1")
        assert made.state is State.TOMBSTONED
        undelete(site.write, made.id)


def test_without_a_key_nothing_is_remembered(site: Site) -> None:
    undelete(site.write, asked(site, "").id)
    assert asked(site, "").state is State.TOMBSTONED
    with pytest.raises(VolumeTombstoned):
        asked(site, "")


def test_a_key_that_came_while_it_was_deleted_means_that_delete(site: Site) -> None:
    """And whoever asks with other words, or is somebody else, gets none."""
    made = asked(site)
    eve = replace(site.write, principal=Principal(PrincipalKind.HUMAN, "eve"))
    assert repeat.made_by_caller(eve, WISH, "k-2") is None
    assert repeat.made_by_caller(site.write, Wish("db", "another"), "k-2") is None
    same = repeat.made_by_caller(site.write, WISH, "k-2")
    assert same is not None
    undelete(site.write, made.id)
    assert asked(site, "k-2").id == same.id == made.id
    assert repeat.made_by_caller(site.write, WISH, "k-3") is None
    assert site.source.exists()


def test_a_key_is_known_for_its_life_by_uptime(site: Site) -> None:
    made = asked(site)
    undelete(site.write, made.id)
    site.clock.sleep(limits.KEY_LIFE.total_seconds() - 60)
    assert asked(site).id == made.id
    site.clock.sleep(timedelta(minutes=2).total_seconds())
    assert asked(site).id != made.id
    rows = site.write.catalog.connection.rows("SELECT key FROM keys")
    assert len(rows) == 1


def test_so_many_of_a_caller_are_known_and_none_pushes_out_anothers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "KEYS_KEPT", 2)
    eve = replace(site.write, principal=Principal(PrincipalKind.HUMAN, "eve"))
    hers = repeat.delete(eve, WISH, "k-1")
    undelete(site.write, hers.id)
    made = {}
    for key in ("k-1", "k-2", "k-3"):
        made[key] = asked(site, key).id
        undelete(site.write, made[key])
    assert repeat.delete(eve, WISH, "k-1").id == hers.id
    assert [asked(site, key).id for key in ("k-2", "k-3")] == [made["k-2"], made["k-3"]]
    assert asked(site, "k-1").id != made["k-1"]
