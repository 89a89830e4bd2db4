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
from vault.catalog.database import open_catalog
from vault.codec.signing import SigningKey
from vault.errors import StoreUnreachable, UsageError, VolumeTombstoned
from vault.governance.principal import Principal, PrincipalKind
from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import State, Tombstone
from vault.operations import delete, repeat
from vault.operations.rebuild import rebuild
from vault.operations.repeat import Wish
from vault.operations.undelete import undelete
from vault.operations.uptime import accumulated_uptime

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


def rebuilt(site: Site) -> None:
    """The catalog's file is lost, and made anew from the store."""
    site.write.catalog.close()
    for path in site.home.glob("catalog.db*"):
        path.unlink()
    site.write = replace(site.write, catalog=open_catalog(site.home / "catalog.db"))
    rebuild(site.write)


def test_a_rebuild_knows_the_keys_again(site: Site) -> None:
    """What was undone before it is sent again is not deleted a second time."""
    made = asked(site)
    rebuilt(site)
    undelete(site.write, made.id)
    again = asked(site)
    assert (again.id, again.state) == (made.id, State.RESTORED)
    assert site.source.exists()
    with pytest.raises(UsageError, match="another request"):
        asked(site, wish=Wish("db", "another"))
    eve = replace(site.write, principal=Principal(PrincipalKind.HUMAN, "eve"))
    assert repeat.delete(eve, WISH, "k-1").id != made.id


def test_of_two_deletes_that_a_key_began_a_rebuild_knows_the_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first came to nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(DirectoryProvider, "quarantine", killing(lambda *_: None, 1, after=False))
        with pytest.raises(Killed):
            asked(site)
    (cut,) = site.write.catalog.tombstones.all()
    delete.settle(site.write, cut)
    made = asked(site)
    rebuilt(site)
    assert asked(site).id == made.id != cut.id
    undelete(site.write, made.id)
    assert (asked(site).id, site.source.exists()) == (made.id, True)


def test_after_a_rebuild_a_key_lives_on_by_uptime(site: Site) -> None:
    """A host that was off for a year, and one whose clock was set, know it; a week later not."""
    made = asked(site)
    undelete(site.write, made.id)
    site.clock.sleep(limits.KEY_LIFE.total_seconds() - 60)
    accumulated_uptime(site.write)  # a home that lives looks often
    site.clock.reboot("boot-2", off=timedelta(days=365))
    rebuilt(site)
    assert asked(site).id == made.id
    site.clock.sleep(timedelta(minutes=2).total_seconds())
    rebuilt(site)
    assert asked(site).id != made.id


def test_a_home_that_counts_anew_knows_a_key_for_a_life_more(site: Site) -> None:
    site.clock.sleep(timedelta(days=30).total_seconds())
    made = asked(site)
    undelete(site.write, made.id)
    (site.home / "uptime.json").unlink()
    rebuilt(site)
    site.clock.sleep(limits.KEY_LIFE.total_seconds() - 60)
    assert asked(site).id == made.id
    site.clock.sleep(timedelta(minutes=2).total_seconds())
    assert asked(site).id != made.id


def test_another_home_knows_a_key_by_how_long_the_delete_is_stored(site: Site) -> None:
    """How long that one was up says nothing here."""
    made = asked(site)
    undelete(site.write, made.id)
    site.write = replace(site.write, signer=SigningKey(bytes(32)))
    for days, known in ((6, 1), (2, 0)):
        site.clock.set_wall(site.clock.now() + timedelta(days=days))
        rebuilt(site)
        rows = site.write.catalog.connection.rows("SELECT tombstone FROM keys")
        assert [row["tombstone"] for row in rows] == [made.id] * known


def test_a_rebuild_leaves_what_is_known_as_it_is(site: Site) -> None:
    """A key that came later, or leads to another delete by now."""
    made = asked(site)
    assert repeat.made_by_caller(site.write, WISH, "k-2") is not None
    before = site.write.catalog.connection.rows("SELECT * FROM keys ORDER BY key")
    rebuild(site.write)
    assert site.write.catalog.connection.rows("SELECT * FROM keys ORDER BY key") == before
    undelete(site.write, made.id)
    assert {asked(site, key).id for key in ("k-1", "k-2")} == {made.id}


def test_of_too_many_a_rebuild_knows_the_last(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    for key in ("k-1", "k-2", "k-3"):
        made[key] = asked(site, key).id
        undelete(site.write, made[key])
        site.clock.sleep(5)
    monkeypatch.setattr(limits, "KEYS_KEPT", 2)
    rebuilt(site)
    rows = site.write.catalog.connection.rows("SELECT tombstone FROM keys ORDER BY uptime")
    assert [row["tombstone"] for row in rows] == [made["k-2"], made["k-3"]]


def test_the_store_is_told_no_key_but_its_digest(site: Site) -> None:
    def requests() -> list[dict[str, str]]:
        found = site.write.catalog.events.of_type(EventType.DELETE_REQUESTED)
        return [row.event.details for row in found]

    undelete(site.write, asked(site, "").id)
    asked(site, "a-secret-of-mine")
    without, told = requests()
    assert told.keys() - without.keys() == {"idempotency_key", "caller", "request", "uptime"}
    assert "a-secret-of-mine" not in str(told)


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
