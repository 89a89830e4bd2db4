"""Who lives here by right: the daemon, the purger, the collector, operators, users."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from vault.daemon.service import Daemon, Outcome
from vault.errors import ApprovalNeeded, Denied, VaultError
from vault.governance.principal import PrincipalKind
from vault.library import Vault
from vault.lifecycle.event import EventType
from vault.operations.enroll import Enrolment
from vault.operations.hold import flag
from vault.operations.items import RestoreRequest
from vault.testing.simulation.deeds import PREVIEW, Deed
from vault.testing.simulation.disk import NAME, Tree
from vault.testing.simulation.entries import DELETED, PURGED
from vault.testing.simulation.scheduling import Process, Violation, here
from vault.testing.simulation.world import World

Work = Callable[[], None]
Task = tuple[Process, Work]

_SNAPSHOT: Final = re.compile(r"snap_[0-9a-z]{26}")
_VOLUMES: Final = 2
"""So many of production's are open at once."""

_BREAKER: Final = frozenset(("over-budget", "frozen"))
_COMMANDS: Final[dict[str, int]] = {
    "add": 6,
    "snapshot": 4,
    "delete": 8,
    "undelete": 5,
    "undelete_since": 2,
    "hold": 3,
    "release": 3,
    "restore": 5,
    "list": 3,
    "verify": 2,
    "acknowledge": 3,
    "pause": 1,
    "resume": 2,
    "remove": 1,
    "rebuild": 1,
}


class Log:
    """The daemon's log: what nobody foresaw is a violation."""

    def __init__(self) -> None:
        self.failed = 0

    def info(self, *_words: object, **_facts: object) -> None:
        """See structlog."""

    debug = warning = info

    def error(self, what: str, **facts: Any) -> None:
        """See structlog."""
        self.failed += 1
        if facts.get("code") == "unexpected":
            raise Violation(f"the daemon met {what} {facts['error']}") from facts["exc_info"]


@dataclass(slots=True)
class DaemonLife:
    """The daemon from start to death; between rounds it waits with its vault open."""

    world: World
    process: Process | None = None
    vault: Vault | None = None
    daemon: Daemon | None = None

    def round(self) -> Task:
        """One round more, of the one that lives, or of a new one."""
        world = self.world
        fresh = world.process("daemon")
        if self.process is None or self.process.dead or self.vault is None:
            self.end()
            self.process = fresh
        elif fresh.doom:
            self.process.doom = self.process.calls + fresh.doom
        self.process.began = world.time.at
        return self.process, self._live

    def end(self) -> None:
        """It is gone, and with it all that it knew."""
        if self.process is not None:
            self.process.kill()
        if self.vault is not None:
            self.vault.close()
        self.vault = None

    def _live(self) -> None:
        world, log = self.world, Log()
        if self.vault is None:
            home = world.home("writer")
            try:
                self.vault = Vault.open(home, role="writer")
                self.daemon = Daemon(open_vault=Vault.open, home=home, clock=world.host, log=log)
                self.daemon._begin(self.vault)
            except VaultError as error:
                world.note(f"daemon: {type(error).__name__}")
                self.end()
                return
        assert self.daemon is not None
        self.daemon.log = log
        wanted = {snapshot.id for snapshot in world.oracle.wanted(owner_lives=True)}
        outcomes = self.daemon._round(self.vault)
        for outcome in outcomes:
            self._tell(outcome, wanted)
        kinds = ", ".join(f"{o.task}{'' if o.outcome == 'done' else ' failed'}" for o in outcomes)
        world.note(f"daemon: {kinds or 'nothing due'}{'; errors' if log.failed else ''}")
        if not log.failed:
            world.reports.looked(
                {o.volume for o in outcomes if o.task == "look" and not o.tombstone}
            )

    def _tell(self, outcome: Outcome, wanted: Collection[str]) -> None:
        """What the daemon says is done is acknowledged."""
        oracle, found = self.world.oracle, _SNAPSHOT.search(outcome.detail)
        if outcome.outcome != "done":
            return
        if outcome.task in ("capture", "finalize") and found:
            oracle.captured(found[0])
        if outcome.task == "extend" and "SHORT" not in outcome.detail:
            oracle.all_extended(wanted)


def purger(world: World) -> Task:
    """One round of the purger."""
    process = world.process("purger")

    def work() -> None:
        with Vault.open(world.home("purger"), role="purger") as vault:
            report = vault.purge(dry_run=False)
        for item in report.items:
            if item.verdict == "purged":
                world.entries.acknowledged(item.tombstone, PURGED)
        verdicts = ", ".join(sorted(item.verdict for item in report.items))
        world.note(f"purger: {verdicts or 'no tombstones'}")

    return process, told(world, process, work)


def collector(world: World) -> Task:
    """One round of the collector."""
    process = world.process("collector")

    def work() -> None:
        with Vault.open(world.home("collector"), role="collector") as vault:
            world.oracle.at_plan = world.oracle.needed()
            report = vault.collect(dry_run=False)
        world.note(f"collector: {report.deleted} deleted")

    return process, told(world, process, work)


def told(world: World, process: Process, work: Work) -> Work:
    """Note how it ended; an error that vault names is an answer like any other."""

    def run() -> None:
        try:
            work()
        except VaultError as error:
            world.note(f"{process.name}: {type(error).__name__}")

    return run


def add_volume(world: World, vault: Vault, environment: str) -> str:
    """Register a volume that is made for it, unless there are enough."""
    known = [v for v in world.oracle.volumes.values() if v.environment == environment]
    most = world.climate.previews if environment == PREVIEW else _VOLUMES
    if len([v for v in known if v.closed_at is None]) >= most:
        return "enough"
    place = f"/srv/{environment}/volume-{len(known)}"
    while place in world.disk.places:
        place += "x"
    tree = world.disk.make(place)
    for _ in range(world.dice.randint(1, 4)):
        write_something(world, tree)
    wish = Enrolment(
        name=place.rpartition("/")[2],
        path=place,
        environment=environment,
        provider=NAME,
        schedule=world.dice.choice(["@hourly", "@daily", "every 6h"]),
    )
    return vault.add_volume(wish).name


def set_aside(world: World, vault: Vault, name: str, *, task: str) -> None:
    """Delete a volume; what was acknowledged is true, and what was refused changed nothing."""
    who, asked, process = vault._local.principal, world.time.at, here()
    assert process is not None
    effects = process.effects
    try:
        item = vault.delete(name, reason="not needed any more", task=task)
    except (Denied, ApprovalNeeded) as error:
        changed = process.effects != effects
        world.oracle.insist(not changed, f"P11: a refused delete of {name} changed something")
        world.entries.answered(who.name, "deny" if isinstance(error, Denied) else "ask")
        if isinstance(error, Denied) and _BREAKER.intersection(error.rules):
            world.deeds.held(who.name, asked)
        raise
    world.oracle.deleted(item.id, item.undo_until)
    world.entries.answered(who.name, "allow")
    world.entries.acknowledged(item.id, DELETED)
    kept = world.oracle.volumes[world.oracle.graves[item.id].volume]
    deed = Deed(
        caller=who.name,
        agent=who.kind is PrincipalKind.AGENT,
        environment=kept.environment,
        volume=kept.id,
        asked=asked,
        told=world.time.at,
    )
    world.deeds.done(deed)


def bring_back(world: World, vault: Vault, identifier: str) -> str:
    """Undelete; says which volume is back."""
    with world.quarantines.asked_back(identifier):
        (item,) = vault.undelete([identifier])
    if world.oracle.undeleted(item.id):
        world.entries.acknowledged(item.id, ("undeleted",))
    return item.volume


@dataclass(slots=True)
class Operator:
    """Somebody at a command line; two of them may be at work at once."""

    world: World
    name: str
    commands: dict[str, int] = field(default_factory=lambda: dict(_COMMANDS))

    def command(self, verb: str = "") -> Task:
        """One command; without a name the one that the dice say."""
        dice = self.world.dice
        (said,) = dice.choices(list(self.commands), list(self.commands.values()))
        verb = verb or said
        process = self.world.process(f"{self.name} {verb}")

        def work() -> None:
            with Vault.open(self.world.home("writer"), role="writer") as vault:
                done = getattr(self, f"_{verb}")(vault)
            self.world.note(f"{process.name}: {done or 'done'}")

        return process, told(self.world, process, work)

    def _add(self, vault: Vault) -> str:
        return add_volume(self.world, vault, self.world.dice.choice(["production", PREVIEW]))

    def _snapshot(self, vault: Vault) -> str:
        name = self._some_volume()
        item = vault.snapshot(name)
        self.world.oracle.captured(item.id)
        return name

    def _delete(self, vault: Vault) -> str:
        name = self._some_volume()
        set_aside(self.world, vault, name, task="OPS-1")
        return name

    def _undelete(self, vault: Vault) -> str:
        return bring_back(self.world, vault, self._some_grave())

    def _undelete_since(self, vault: Vault) -> str:
        items = vault.undelete_since(timedelta(hours=48))
        for item in items:
            self.world.oracle.undeleted(item.id)
        return f"{len(items)} volumes"

    def _hold(self, vault: Vault) -> str:
        item = vault.hold(self._some_grave(), "a question is open")
        self.world.oracle.graves[item.id].held = True
        self.world.oracle.counts["holds"] += 1
        return item.volume

    def _release(self, vault: Vault) -> str:
        held = [grave for grave in self.world.oracle.graves.values() if grave.held]
        if not held:
            return "nothing is held"
        with vault._entered() as unit:  # that people agree is the gate's affair, not tried here
            tombstone = unit.catalog.tombstones.get(self.world.dice.choice(held).id)
            return flag(unit, tombstone, EventType.RELEASED, "").volume_name

    def _restore(self, vault: Vault) -> str:
        world = self.world
        target = f"/restored/{len(world.trace)}-{self.name}"
        what = self._some_snapshot()
        wanted = {snapshot.id for snapshot in world.oracle.wanted()}
        request = RestoreRequest(what=what, to=Path(target), kit=world.kit)
        report = vault.restore(request)
        tree = world.disk.places.pop(target)
        missing = [f for f in report.findings if f.what == "not-restored"]
        if not missing:
            world.oracle.restored(report.snapshot, tree.contents())
        world.oracle.insist(
            not missing or report.snapshot not in wanted,
            f"P5: {report.snapshot} is restored without {missing[:1]}",
        )
        return report.volume

    def _list(self, vault: Vault) -> str:
        tombstones = [(item.id, item.state) for item in vault.tombstones()]
        snapshots = [item.id for item in vault.snapshots()]
        self.world.oracle.listed(tombstones, snapshots)
        return f"{len(tombstones)} tombstones, {len(snapshots)} snapshots"

    def _verify(self, vault: Vault) -> str:
        deep = self.world.dice.random() < 0.5
        report = vault.verify(deep=deep)
        self.world.reports.verified({finding.path for finding in report.findings}, deep=deep)
        return f"{len(report.findings)} findings"

    def _acknowledge(self, vault: Vault) -> str:
        alarmed = [v for v in self.world.oracle.volumes.values() if "alarm" in v.frozen]
        if not alarmed:
            return "no alarm"
        volume = self.world.dice.choice(alarmed)
        item = vault.acknowledge(volume.id)
        return f"{item.name} is {item.state}"

    def _pause(self, vault: Vault) -> str:
        return vault.pause(self._some_volume()).state

    def _resume(self, vault: Vault) -> str:
        return vault.pause(self._some_volume(), resume=True).state

    def _remove(self, vault: Vault) -> str:
        return vault.remove_volume(self._some_volume()).name

    def _rebuild(self, vault: Vault) -> str:
        report = vault.rebuild()
        return f"{report.volumes} volumes"

    def _some_volume(self) -> str:
        names = [v.id for v in self.world.oracle.volumes.values() if v.closed_at is None]
        return self.world.dice.choice(names or ["nothing"])

    def _some_grave(self) -> str:
        recent = list(self.world.oracle.graves)[-4:]
        return self.world.dice.choice(recent or ["tomb_none"])

    def _some_snapshot(self) -> str:
        return self.world.dice.choice(list(self.world.oracle.snapshots) or ["snap_none"])


def user(world: World) -> Task:
    """Somebody who works on the data; a volume's files change while others look at them.

    Who had a file open when its volume was deleted may write to it still.
    """
    process = world.process("user")

    def work() -> None:
        trees = [tree for tree in world.disk.places.values() if world.writable(tree)]
        for _ in range(world.dice.randint(1, 4)):
            if trees:
                write_something(world, world.dice.choice(trees))
            world.scheduler.reach(process)

    return process, work


def write_something(world: World, tree: Tree) -> None:
    """Write a file anew, or remove one; sizes repeat, so that only contents tell."""
    dice, disk = world.dice, world.disk
    path = f"{dice.choice(['', '', 'a/', 'a/b/'])}file-{dice.randint(0, 4)}".encode()
    if path in tree.nodes and dice.random() < 0.2:
        disk.remove(tree, path)
        return
    disk.put(tree, path, dice.randbytes(dice.choice([0, 7, 7, 300, 5000])))
