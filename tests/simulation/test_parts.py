"""The simulator's own parts keep the contracts of what they stand in for, and can fail."""

from __future__ import annotations

import itertools
import threading
from functools import partial
from random import Random

import pytest

from vault.lifecycle import purge_plan
from vault.testing.clock import START
from vault.testing.provider_contract import ProviderFixture, clause_names, clauses
from vault.testing.simulation.disk import Disk, SimulatedProvider
from vault.testing.simulation.many import simulate, told
from vault.testing.simulation.scheduling import Process, ProcessDied, Scheduler, Violation
from vault.testing.simulation.world import World


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


def test_a_purger_that_forgets_the_window_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle says which promise was broken, in which life, and how to see it again."""
    monkeypatch.setattr(purge_plan, "_window", lambda _evidence: iter(()))
    total = simulate(range(30), 12, heard=lambda _outcome: None)
    assert total.failures
    failure = total.failures[0]
    assert failure.failure.startswith("P3: ")
    assert f"scripts/simulate --replay {failure.seed} --steps 12" in told(failure, 12)
