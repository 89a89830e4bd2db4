"""One seed's life: weeks of work and trouble, then a calm day on which everything must be found."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from vault.errors import VaultError
from vault.governance.intent import Task as Assignment
from vault.library import Vault
from vault.operations import homes
from vault.operations.items import RestoreRequest
from vault.testing.simulation.actors import (
    DaemonLife,
    Operator,
    Task,
    collector,
    purger,
    user,
)
from vault.testing.simulation.agents import AGENTS, BOT, TASK, agent, keeper
from vault.testing.simulation.clocks import BEGIN
from vault.testing.simulation.deeds import PREVIEW
from vault.testing.simulation.plumbing import living_in
from vault.testing.simulation.scheduling import Process, Violation
from vault.testing.simulation.troubles import Troubles
from vault.testing.simulation.world import World

STEPS: Final = 60
_AT_WORK: Final = 5
_RESTORED_AGAIN: Final = 6
_JUMPS: Final = (
    (0.35, timedelta(minutes=7)),
    (0.35, timedelta(hours=5)),
    (0.25, timedelta(days=2)),
    (0.05, timedelta(days=12)),
)


@dataclass(slots=True)
class Outcome:
    """What became of a seed: `failure` says which promise was broken, and is empty otherwise.

    `lived` is simulated time; two runs of one seed have one `digest`.
    """

    seed: int
    failure: str = ""
    lived: timedelta = timedelta(0)
    digest: str = ""
    trace: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def live(seed: int, steps: int = STEPS) -> Outcome:
    """Live one seed's life. Everything in it follows from the two numbers."""
    world = World(seed)
    outcome = Outcome(seed)
    try:
        with living_in(world):
            _Life(world).live(steps)
    except Violation as violation:
        outcome.failure = str(violation)
    finally:
        world.close()
    outcome.lived, outcome.digest = world.time.at - BEGIN, world.digest
    outcome.trace, outcome.counts = world.trace, world.oracle.counts
    return outcome


class _Life:
    """The steps of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._daemon = DaemonLife(world)
        self._troubles = Troubles(world, self._daemon)
        self._operators = [Operator(world, "anna"), Operator(world, "ben")]
        self._restored: set[str] = set()
        self._states: dict[str, str] = {}

    def live(self, steps: int) -> None:
        """Begin, go on, and look back on a calm day."""
        world = self._world
        world.calm = True
        self._run(_founding(world))
        try:
            for _ in range(2):
                self._run(self._operators[0].command("add"))
            world.calm = False
            for _ in range(steps):
                self._step()
            world.calm = True
            self._calm_day()
        finally:
            self._daemon.end()

    def _step(self) -> None:
        world, dice = self._world, self._world.dice
        ((_, jump),) = dice.choices(_JUMPS, [share for share, _ in _JUMPS])
        world.pass_time(jump * dice.random() * 2 * world.climate.pace)
        self._troubles.strike()
        present = self._present()
        chosen = list(dict.fromkeys(dice.sample(present, dice.randint(1, _AT_WORK))))
        if dice.random() < world.climate.crowd:
            world.purger_works = "purger" in chosen
            self._run(*(self._task(name) for name in chosen))
            world.purger_works = False
        else:
            for name in chosen:
                self._run(self._task(name))

    def _present(self) -> list[str]:
        if self._world.dice.random() < self._world.climate.agents:
            return list(AGENTS)
        names = ["anna", "anna", "ben", "purger", "purger", "collector", "user"]
        if self._world.dice.random() >= self._world.climate.idle:
            names += ["daemon", "daemon", "daemon"]
        if self._world.dice.random() < self._world.climate.attacks:
            names.append("intruder")
        return names

    def _task(self, name: str) -> Task:
        world = self._world
        match name:
            case "daemon":
                return self._daemon.round()
            case "purger":
                return purger(world)
            case "collector":
                return collector(world)
            case "user":
                return user(world)
            case "carla":
                return keeper(world)
            case "intruder":
                return self._troubles.intruder()
            case "anna" | "ben":
                return next(o for o in self._operators if o.name == name).command()
            case _:
                return agent(world, name)

    def _run(self, *tasks: Task) -> None:
        world = self._world
        world.scheduler.run(tasks)
        for process, _ in tasks:
            if process.dead:
                world.counts["deaths"] += 1
                world.note(f"{process.name}: died")
            if process.error is not None:
                raise _violation(process) from process.error
        if self._daemon.process is not None and self._daemon.process.dead:
            self._daemon.end()
        lost = next(world.oracle.lost(), None)
        world.oracle.insist(lost is None, f"P4: {lost} is not in the store any more")

    # --- the calm day ----------------------------------------------------------------------------

    def _calm_day(self) -> None:
        """No more trouble: what is half done is finished, and all that was promised is there."""
        world = self._world
        world.lie(timedelta(0))
        world.cut = False
        world.network.late = world.network.twice = 0.0
        world.pass_time(timedelta(minutes=20))
        self._daemon.end()
        for _ in range(2):
            self._run(self._daemon.round())
            world.pass_time(timedelta(minutes=6))
        self._run((Process("reader"), self._look_back))
        self._run((Process("anna"), self._undo))
        world.pass_time(timedelta(days=4))
        for task in (self._daemon.round, lambda: purger(world), lambda: collector(world)):
            self._run(task())
        self._run((Process("reader"), self._look_back), (Process("auditor"), self._audit))
        world.quarantines.settled(self._states)

    def _audit(self) -> None:
        """What was cut off was taken up again: from store and kit alone the logs are whole."""
        world = self._world
        with Vault.from_store(world.url, world.kit) as vault:
            report = vault.oversight.audit_verify()
        world.entries.verified((finding.what, finding.path) for finding in report.findings)

    def _look_back(self) -> None:
        """From the store and the kit alone everything is listed and restored."""
        world = self._world
        provider = world.provider()
        with Vault.from_store(world.url, world.kit) as vault:
            tombstones = [(item.id, item.state) for item in vault.tombstones()]
            self._states = dict(tombstones)
            world.oracle.listed(tombstones, [item.id for item in vault.snapshots()])
            for identifier in self._to_restore():
                target = f"/restored/{identifier}"
                request = RestoreRequest(what=identifier, to=Path(target), kit=world.kit)
                report = vault.restore(request)
                lacking = [f for f in report.findings if f.what == "not-restored"]
                world.oracle.insist(not lacking, f"P5: {identifier} is restored without {lacking}")
                tree = provider.disk.places.pop(target)
                world.oracle.restored(identifier, tree.contents())
            found = {finding.path for finding in vault.verify(deep=True).findings}
            world.reports.verified(found, deep=True)

    def _to_restore(self) -> list[str]:
        """Everything wanted that was not restored yet, and some that was."""
        wanted = [snapshot.id for snapshot in self._world.oracle.wanted()]
        fresh = [each for each in wanted if each not in self._restored]
        known = [each for each in wanted if each in self._restored]
        again = self._world.dice.sample(known, min(len(known), _RESTORED_AGAIN))
        self._restored.update(fresh)
        return fresh + again

    def _undo(self) -> None:
        """Whatever can be undone by promise, and is where it was put, is undone."""
        world = self._world
        with Vault.open(world.home("writer"), role="writer") as vault:
            for item in vault.tombstones():
                grave = world.oracle.graves[item.id]
                due = item.undo_until is not None and item.undo_until > world.host.now()
                there = world.tree(world.quarantines.held_at(grave)) is not None
                taken = world.tree(world.oracle.volumes[grave.volume].location) is not None
                if due and there and not taken:
                    try:
                        vault.undelete([item.id])
                    except VaultError as error:
                        raise Violation(f"P2: {item.id} cannot be undone: {error}") from error
                    world.oracle.undeleted(item.id)


def _founding(world: World) -> Task:
    """A vault, its homes by role, the kit offline, a second environment, and a task for agents."""
    process = Process("founder")

    def work() -> None:
        home = world.home("writer")
        Vault.init(home, store=world.url)
        shutil.move(home / homes.KIT, world.kit)
        world.vault_id = homes.read_vault_id(home)
        settings = home / homes.SETTINGS
        hours = int(world.climate.window.total_seconds() // 3600)
        text = settings.read_text("utf-8")
        environments = (
            f'[environments.production]\nwindow = "{hours}h"\n'
            f'[environments.{PREVIEW}]\nkind = "ephemeral"\ndeletes = {world.climate.deletes}\n'
        )
        settings.write_text(f"{text}\n{environments}", "utf-8")
        for role in ("purger", "collector"):
            other = world.home(role)
            if other == home:
                continue
            other.mkdir()
            for name in (homes.ROOT, homes.VAULT, homes.SETTINGS):
                shutil.copy(home / name, other / name)
            key = homes.PROCESS_KEYS["purger" if role == "purger" else "collector"]
            (other / key).parent.mkdir()
            shutil.move(home / key, other / key)

        with Vault.open(home) as vault:
            brief = world.climate.brief
            assigned = Assignment(
                task=TASK, environment="production", assignees=(BOT,), volumes=("*",)
            )
            vault.add_environment(PREVIEW, ephemeral=True, window=brief, kit=world.kit)
            vault.oversight.add_task(assigned)

    return process, work


def _violation(process: Process) -> Violation:
    error = process.error
    if isinstance(error, Violation):
        return error
    return Violation(f"{process.name} ended with {type(error).__name__}: {error}")
