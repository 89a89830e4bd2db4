"""Lets something befall a verb at one step after another, until it happens after its end."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Iterable
from random import Random

from tests.crash.small_disk import SmallDisk
from tests.crash.steps import arm, arm_calls, arm_names, watch_syncs
from tests.crash.verb import Verb
from tests.crash.world import ServerWorld, WorldClock
from vault.testing.crash import CrashPoint, killed_at
from vault.testing.power import Disk, leave

NEVER = 1 << 60
_LIFE = 10
FULL = ("error: DiskFull:", "error: StoreFull:", "no room left", "No space left")
AWAY = ("error: StoreUnreachable:", "is not reachable", "no answer")


def kill(verb: Verb, steps: Iterable[int], arming: Callable[[CrashPoint], object] = arm) -> int:
    """The process of a verb is killed at each of these steps; returns how often it died."""

    def dying(point: CrashPoint) -> str:
        arming(point)
        return verb.act()

    deaths = 0
    for number in steps:
        _renew(verb, deaths)
        verb.prepare()
        died, told = killed_at(number, dying)
        assert not told.startswith("error:"), (number, told)
        assert died is (told == "")
        verb.settle(told)
        if not died:
            break
        deaths += 1
    verb.world.check(whole=True)
    return deaths


def lose_power(verb: Verb, steps: Iterable[int]) -> int:
    """Power is lost at each of these steps, and right after the end; returns how often before it.

    In turns nothing survives that was not synced, and some of it.
    """
    spill = verb.world.root.with_name("spill")

    def losing(point: CrashPoint, dice: Random | None) -> str:
        disk = Disk(verb.world.root)
        watch_syncs(disk)
        arm(point)

        def lose(dice: Random | None = dice) -> None:
            with spill.open("wb") as file:
                pickle.dump(disk.after_loss(dice), file)

        point.before_the_end = lose
        told = verb.act()
        lose(None)
        return told

    losses = 0
    for turn, number in enumerate(steps):
        _renew(verb, turn)
        verb.prepare()
        os.sync()
        dice = Random(number) if turn % 2 else None
        died, told = killed_at(number, lambda point, dice=dice: losing(point, dice))  # type: ignore[misc]
        assert not told.startswith("error:"), (number, told)
        with spill.open("rb") as file:
            leave(verb.world.root, pickle.load(file))
        verb.settle(told)
        if not died:
            break
        losses += 1
    verb.world.check(whole=True)
    return losses


def fill_disk(verb: Verb, disk: SmallDisk, pages: Iterable[int]) -> int:
    """The disk has only so many pages left; returns how often that was too few, until it is not."""

    def undisturbed(_point: CrashPoint) -> str:
        return verb.act()

    refusals = 0
    for number in pages:
        verb.prepare()
        disk.leave(number)
        _, told = killed_at(NEVER, undisturbed)
        disk.grow()
        if not _settle_refused(verb, number, told, FULL):
            break
        refusals += 1
    verb.world.check(whole=True)
    return refusals


def refuse_names(verb: Verb, steps: Iterable[int]) -> int:
    """From each of these steps on there is no room for a name; returns how often one was refused,
    until none is.
    """

    def crowded(point: CrashPoint) -> str:
        arm_names(point)
        return verb.act()

    refusals = 0
    for turn, number in enumerate(steps):
        _renew(verb, turn)
        verb.prepare()
        _, told = killed_at(number, crowded)
        if not _settle_refused(verb, number, told, FULL):
            break
        refusals += 1
    verb.world.check(whole=True)
    return refusals


def kill_server(verb: Verb, world: ServerWorld, calls: Iterable[int]) -> int:
    """The server dies before each of these calls, and stays away until the verb has ended."""
    server = world.scene.bucket.server

    def abandoned(point: CrashPoint) -> str:
        arm_calls(point)
        point.instead = server.kill
        return verb.act()

    failures = 0
    for number in calls:
        verb.prepare()
        _, told = killed_at(number, abandoned)
        world.restart()
        failures += _settle_refused(verb, number, told, AWAY)
    verb.world.check(whole=True)
    return failures


def bring_back(verb: Verb, world: ServerWorld, calls: Iterable[int], *, pauses: int) -> int:
    """The server dies before each of these calls, and runs again after so many pauses of those
    who wait for it, while the verb goes on, and succeeds; returns how often it did.
    """
    server, guard = world.scene.bucket.server, threading.Lock()
    back = world.root.with_name("back")

    def resumed(point: CrashPoint) -> str:
        left = 0

        def dies() -> None:
            nonlocal left
            server.kill()
            left = pauses

        def waits(_clock: WorldClock, _seconds: float) -> None:
            nonlocal left
            with guard:
                left = max(0, left - 1)
                if left == 0 and server.is_down():
                    world.restart()
                    back.touch()

        setattr(WorldClock, "sleep", waits)  # noqa: B010 - of this process alone
        arm_calls(point)
        point.instead = dies
        return verb.act()

    returns = 0
    for number in calls:
        verb.prepare()
        back.unlink(missing_ok=True)
        _, told = killed_at(number, resumed)
        assert not told.startswith("error:"), (number, told)
        if server.is_down():
            world.restart()
        returns += back.exists()
        verb.settle(told)
    verb.world.check(whole=True)
    return returns


def _settle_refused(verb: Verb, number: int, told: str, why: tuple[str, ...]) -> bool:
    """A verb that was refused has told nothing, and was refused for this; whether it was."""
    failed = told.startswith("error:")
    assert not failed or any(words in told for words in why), (number, told)
    verb.settle("" if failed else told)
    return failed


def _renew(verb: Verb, turn: int) -> None:
    """A world ends after so many accidents, when all that was acknowledged in it is there."""
    if turn and turn % _LIFE == 0:
        verb.world.check(whole=True)
        verb.world.renew()
