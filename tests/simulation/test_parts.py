"""The simulator's own parts keep the contracts of what they stand in for, and can fail."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

import pytest

from vault.errors import PlaceTaken, StoreUnreachable, TransitionRefused, VaultError
from vault.lifecycle import purge_plan
from vault.testing.clock import START
from vault.testing.provider_contract import ProviderFixture, clause_names, clauses
from vault.testing.simulation.clocks import BEGIN
from vault.testing.simulation.deeds import PREVIEW, SPAN, Deed, Deeds
from vault.testing.simulation.disk import Disk, SimulatedProvider
from vault.testing.simulation.many import simulate, told
from vault.testing.simulation.oracle import Grave
from vault.testing.simulation.scheduling import Process, ProcessDied, Scheduler, Violation
from vault.testing.simulation.wants import Kept
from vault.testing.simulation.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A world in which nothing has happened yet."""
    world = World(1)
    yield world
    world.close()


@pytest.fixture
def disks() -> ProviderFixture:
    """A disk in memory, with a few files in each volume."""
    disk = Disk(lambda: START)
    count = itertools.count()

    def volume() -> str:
        place = f"/srv/volume-{next(count)}"
        tree = disk.make(place)
        for path in (b"a", b"a-b/c", b"a.b", b"folder/inner/file"):
            disk.put(tree, path, b"content of " + path)
        return place

    def change(place: str) -> None:
        tree = disk.places[place]
        disk.put(tree, b"a", b"changed")
        disk.remove(tree, b"a.b")
        disk.put(tree, b"new", b"new")

    def occupy(place: str) -> None:
        disk.put(disk.make(place), b"other", b"another's")

    def evict(place: str) -> None:
        del disk.places[place]

    def state(place: str) -> object:
        return sorted(disk.places[place].contents().items())

    return ProviderFixture(
        provider=SimulatedProvider(disk, lambda: None),
        volume=volume,
        place=lambda: f"/srv/free-{next(count)}",
        change=change,
        occupy=occupy,
        evict=evict,
        state=state,
    )


@pytest.mark.parametrize("name", clause_names())
def test_the_disk_keeps_the_providers_contract(disks: ProviderFixture, name: str) -> None:
    """Each clause of it."""
    dict(clauses(disks))[name]()


def test_processes_take_turns_as_the_seed_says() -> None:
    """One seed, one order; another seed, another one."""

    def order(seed: int) -> str:
        world = World(seed)
        told: list[str] = []

        def work(process: Process) -> None:
            for _ in range(20):
                told.append(process.name)
                world.scheduler.reach(process)

        both = [Process("a"), Process("b")]
        world.scheduler.run([(p, partial(work, p)) for p in both])
        world.close()
        return "".join(told)

    assert order(1) == order(1) != order(2)
    assert order(1).count("a") == order(1).count("b") == 20


def test_who_is_dead_has_no_effect() -> None:
    """A process that died at a call dies at every later one, too."""
    world = World(1)
    process = Process("p", doom=2)
    reached: list[int] = []

    def work() -> None:
        for number in range(3):
            try:
                world.scheduler.reach(process)
            finally:
                reached.append(number)

    world.scheduler.run([(process, work)])
    assert process.dead
    assert reached == [0, 1]
    with pytest.raises(ProcessDied):
        world.scheduler.reach(process)
    world.close()


def test_waiting_for_each_other_is_found() -> None:
    """Nobody who could let go: a violation, not a hang."""
    scheduler = Scheduler(Random(1), lambda: None)
    both = [Process("a"), Process("b")]

    def work(process: Process) -> None:
        while True:
            scheduler.wait(process)

    scheduler.run([(p, partial(work, p)) for p in both])
    assert any(isinstance(p.error, Violation) for p in both)


def test_waiting_for_what_is_no_port_is_found() -> None:
    """Who has the turn waits for who has not: the seed cannot help, and somebody says so."""
    scheduler = Scheduler(Random(1), lambda: None, standstill=0.2)
    lock, both = threading.Lock(), [Process("a"), Process("b")]

    def work(process: Process) -> None:
        with lock:
            while True:
                scheduler.reach(process)

    with pytest.raises(Violation, match="for no port"):
        scheduler.run([(p, partial(work, p)) for p in both])


def set_aside(world: World) -> Grave:
    """A volume that was acknowledged as deleted just now, in its quarantine; its place is free."""
    volume = Kept("vol_1", "data", "production", "/srv/data", inode="100")
    grave = Grave("tomb_1", "vol_1", began=world.time.at, acknowledged=True)
    world.oracle.volumes[volume.id], world.oracle.graves[grave.id] = volume, grave
    grave.tree = world.disk.make(world.quarantines.held_at(grave))
    return grave


def refuse(world: World, error: VaultError) -> None:
    """An undelete of what was set aside is answered so."""
    with world.quarantines.asked_back("tomb_1"):
        raise error


def test_an_undelete_that_nothing_explains_is_found(world: World) -> None:
    """Within the window, where the data wait and their place is free; a store may be away."""
    grave = set_aside(world)
    with pytest.raises(Violation, match="P2: tomb_1 is refused within its window: Transition"):
        refuse(world, TransitionRefused("it is being restored"))
    world.quarantines.reachable = False
    with pytest.raises(StoreUnreachable):
        refuse(world, StoreUnreachable("an outage"))
    world.quarantines.reachable = True
    with pytest.raises(Violation, match="P2"):
        refuse(world, StoreUnreachable("with no outage in this world"))
    world.disk.make("/srv/data")
    with pytest.raises(PlaceTaken):
        refuse(world, PlaceTaken("something stands there"))
    del world.disk.places["/srv/data"]
    world.time.advance(grave.window)
    with pytest.raises(TransitionRefused):
        refuse(world, TransitionRefused("it is being purged"))


@pytest.mark.parametrize(
    ("state", "waits", "found"),
    [
        ("tombstoned", True, ""),
        ("purging", True, ""),
        ("restoring", True, "P2: tomb_1 is restoring, and its data wait"),
        ("purged", True, "P2: tomb_1 is purged, and its data wait"),
        ("store_only", True, "P2: tomb_1 is store_only, and its data wait"),
        ("nowhere", False, "P2: tomb_1 is nowhere"),
        ("quarantining", False, "P2: tomb_1 is quarantining"),
        ("tombstoned", False, "P2: tomb_1 is tombstoned, and its data do not wait"),
        ("purging", False, "P2: tomb_1 is purging, and its data do not wait"),
        ("restored", False, "P4: tomb_1 is restored, and no undelete"),
        ("purged", False, "P3: tomb_1 is purged, and its data stand at /srv/data"),
        ("store_only", False, "P3: tomb_1 is store_only, and its data stand at /srv/data"),
    ],
)
def test_a_tombstone_that_does_not_say_what_is_so_is_found(
    world: World, state: str, waits: bool, found: str
) -> None:
    """In the end nothing is half done, and what is said of data is true of the disk."""
    grave = set_aside(world)
    if not waits:
        world.disk.move(world.quarantines.held_at(grave), "/srv/data")
    if not found:
        world.quarantines.settled({grave.id: state})
        return
    with pytest.raises(Violation, match=found):
        world.quarantines.settled({grave.id: state})


def test_a_purge_that_nobody_finishes_is_found(world: World) -> None:
    """What was decided is carried out, and what the oracle saw purged may be gone or not."""
    grave = set_aside(world)
    held = world.quarantines.held_at(grave)
    world.disk.move(held, held.removesuffix("data") + "purging")
    with pytest.raises(Violation, match="half purged"):
        world.quarantines.settled({grave.id: "purged"})
    world.disk.places.clear()
    world.quarantines.settled({grave.id: "purged"})


def deed(minutes: float, volume: int = 0, environment: str = "production", by: str = "bot") -> Deed:
    """An agent's delete that took a minute, so long after the beginning."""
    asked = BEGIN + timedelta(minutes=minutes)
    return Deed(
        caller=by,
        agent=True,
        environment=environment,
        volume=str(volume),
        asked=asked,
        told=asked + timedelta(minutes=1),
    )


def deeds(world: World, deletes: int = 0) -> Deeds:
    """Nobody has deleted anything yet."""
    return Deeds(world.oracle, deletes, lambda: BEGIN)


@pytest.mark.parametrize(
    ("most", "one_more"),
    [(10, deed(2)), (5, deed(2, volume=5))],
    ids=["count", "breadth"],
)
def test_an_agent_that_gets_past_its_budget_is_found(
    world: World, most: int, one_more: Deed
) -> None:
    """The last that fits is none too many, nor is one that waits until the first is old."""
    counted = deeds(world)
    for number in range(most):
        counted.done(deed(0, volume=number % 5))
    counted.done(deed(2, by="another"))
    counted.done(replace(one_more, asked=one_more.asked + SPAN, told=one_more.told + SPAN))
    counted = deeds(world)
    for number in range(most):
        counted.done(deed(0, volume=number % 5))
    with pytest.raises(Violation, match="P11: bot has deleted"):
        counted.done(one_more)


def test_an_environment_that_gets_past_its_budget_is_found(world: World) -> None:
    """By whomever; what is done elsewhere is not counted."""
    counted = deeds(world, deletes=2)
    counted.done(deed(0, environment=PREVIEW))
    counted.done(deed(1, by="another"))
    counted.done(deed(2, environment=PREVIEW, by="another"))
    with pytest.raises(Violation, match="P11: preview has deleted 3 times"):
        counted.done(deed(3, environment=PREVIEW, by="third"))


def test_of_several_at_once_any_may_have_been_the_last(world: World) -> None:
    """In production it was the third of ten, though it was told after the others."""
    counted = deeds(world, deletes=2)
    counted.done(deed(0))
    counted.done(deed(0.5, environment=PREVIEW))
    counted.done(deed(0.7))
    with pytest.raises(Violation, match="P11: bot has deleted 4 times"):
        counted.done(deed(5, environment=PREVIEW))


def test_who_is_frozen_waits_for_a_person(world: World) -> None:
    """And a person is told; a request from before counts no more, nor one that met the person."""
    counted = deeds(world)
    world.time.advance(timedelta(minutes=1))
    counted.held("bot", BEGIN)
    counted.done(deed(0.5))
    with pytest.raises(Violation, match="nobody is told"):
        counted.listed(["another"])
    with pytest.raises(Violation, match="was frozen and deletes"):
        counted.done(deed(2))
    world.time.advance(timedelta(minutes=2))
    with counted.thawing("bot"):
        counted.held("bot", BEGIN + timedelta(minutes=2))
    counted.held("bot", BEGIN + timedelta(minutes=2))
    counted.listed([])
    counted.done(deed(4))


def test_a_purger_that_forgets_the_window_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle says which promise was broken, in which life, and how to see it again."""
    monkeypatch.setattr(purge_plan, "_window", lambda _evidence: iter(()))
    total = simulate(range(30), 12, heard=lambda _outcome: None)
    assert total.failures
    failure = total.failures[0]
    assert failure.failure.startswith("P3: ")
    assert f"scripts/simulate --replay {failure.seed} --steps 12" in told(failure, 12)
