"""Agents: each session reaches one environment, deletes as fast as it can, and tries what is not
there for it. And the person who answers for them: gives them grants and volumes to work on, and
looks at who is frozen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vault import limits
from vault.errors import VaultError
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.library import Vault
from vault.operations.grants import GrantWish
from vault.operations.items import RestoreRequest
from vault.testing.simulation.actors import Task, add_volume, bring_back, set_aside, told
from vault.testing.simulation.deeds import PREVIEW
from vault.testing.simulation.oracle import Oracle
from vault.testing.simulation.scheduling import Process
from vault.testing.simulation.wants import Kept
from vault.testing.simulation.world import World

BOT: Final = "bot"
"""It has credentials for either environment; all its sessions have one budget."""

TASK: Final = "OPS-2"
_TWIN: Final = " again"
AGENTS: Final = (
    *(f"{name}{twin}" for name in (BOT, f"{PREVIEW}-{BOT}") for twin in ("", _TWIN)),
    "anna",
    "carla",
)
"""Who is about when agents are at work: two sessions of each, and people."""

_BOTH: Final = ("production", PREVIEW)
_BURSTS: Final = (2, 4, 4, 16)
_MOVES: Final[dict[str, int]] = {"delete": 10, "undelete": 2, "elsewhere": 4, "list": 1}
_CARLA: Final = Principal(PrincipalKind.HUMAN, "carla")
_GRANT: Final = GrantWish(
    principal=BOT,
    environment="production",
    volumes=("*",),
    reason="it cleans up",
    task=TASK,
    life=limits.GRANT_LONGEST,
    uses=12,
)

_ASKED: Final[dict[str, Callable[[Vault, str], Any]]] = {
    "volume": lambda vault, name: vault.volume(name),
    "snapshot": lambda vault, name: vault.snapshot(name),
    "delete": lambda vault, name: vault.delete(name, reason="a mismatch", task=TASK),
    "made before": lambda vault, name: vault.deleted_by_caller(name, reason="a mismatch"),
    "tombstone": lambda vault, name: vault.tombstone(name),
    "undelete": lambda vault, name: vault.undelete([name]),
    "hold": lambda vault, name: vault.hold(name, "looking"),
    "restore": lambda vault, name: vault.restore(
        RestoreRequest(what=name, to=Path("/nowhere"), dry_run=True)
    ),
}
"""What is asked of names and ids of the other environment."""


def agent(world: World, name: str) -> Task:
    """A session of the agent that is called so, or of one of its twins."""
    environment = PREVIEW if name.startswith(PREVIEW) else world.dice.choice(_BOTH)
    process = world.process(name, environment)

    def work() -> None:
        with Vault.open(world.home("writer"), role="writer") as whole:
            identity = name.removesuffix(_TWIN)
            who = Principal(PrincipalKind.AGENT, identity, Via.TOKEN, environment=environment)
            carla = whole.acting_as(_CARLA)
            if environment == PREVIEW:
                add_volume(world, carla, environment)
            elif world.dice.random() < 0.7:
                carla.oversight.give_unasked(_GRANT)
            _Session(world, process, whole.acting_as(who), environment).live()

    return process, told(world, process, work)


def keeper(world: World) -> Task:
    """A person looks who is frozen, and mostly lets them go on."""
    process = world.process("carla")

    def work() -> None:
        with Vault.open(world.home("writer"), role="writer") as whole:
            vault = whole.acting_as(_CARLA)
            names = [item.name for item in vault.oversight.frozen()]
            world.deeds.listed(names)
            for name in names:
                if world.dice.random() < 0.7:
                    with world.deeds.thawing(name):
                        vault.oversight.unfreeze(name)
        world.note(f"carla: {', '.join(names) or 'nobody'} is frozen")

    return process, told(world, process, work)


@dataclass(slots=True)
class _Session:
    """One agent at work in one environment."""

    world: World
    process: Process
    vault: Vault
    environment: str

    def live(self) -> None:
        """A burst of requests, one right after the other, whatever is answered."""
        dice, done = self.world.dice, Counter[str]()
        for _ in range(dice.choice(_BURSTS)):
            (move,) = dice.choices(list(_MOVES), list(_MOVES.values()))
            try:
                getattr(self, f"_{move}")()
            except VaultError as error:
                move = type(error).__name__
            done[move] += 1
        told = ", ".join(f"{count} {move}" for move, count in sorted(done.items()))
        self.world.note(f"{self.process.name} in {self.environment}: {told}")

    def _delete(self) -> None:
        dice, own = self.world.dice, self._volumes(foreign=False)
        there = [v for v in own if v.closed_at is None and not v.frozen]
        if there or (own and dice.random() < 0.2):
            kept = dice.choice(there or own)
            set_aside(self.world, self.vault, dice.choice([kept.id, kept.name]), task=TASK)
            self.oracle.counts["deletes by agents"] += 1
        else:
            self._undelete()

    def _undelete(self) -> None:
        own = {kept.id for kept in self._volumes(foreign=False)}
        graves = [g for g in self.oracle.graves.values() if g.volume in own and not g.undone]
        there = [g for g in graves if not g.purged and g.tree is not None]
        if graves:
            bring_back(self.world, self.vault, (there or graves)[-1].id)
            self.oracle.counts["undeletes by agents"] += 1

    def _elsewhere(self) -> None:
        """Ask for what is in the other environment, and for what is nowhere: one answer."""
        dice, foreign = self.world.dice, self._foreign()
        if not foreign:
            return
        name = dice.choice(foreign)
        verb, ask = dice.choice(list(_ASKED.items()))
        effects = self.process.effects
        real, nothing = (self._told(ask, n) for n in (name, _made_up(name)))
        self.oracle.counts["asked for what is elsewhere"] += 1
        words = f"P9: {verb} of {name} in {self.environment} is answered"
        self.oracle.insist(real == nothing, f"{words} {real}, not {nothing}")
        self.oracle.insist("Unknown" in real[0], f"{words} {real}")
        self.oracle.insist(self.process.effects == effects, f"{words} and changes something")

    def _list(self) -> None:
        """Nothing of the other environment is in any list."""
        oracle, vault = self.oracle, self.vault
        there = oracle.snapshots  # what was collected is listed until somebody looks again
        listed = [
            *(item.id for item in vault.volumes()),
            *(oracle.graves[item.id].volume for item in vault.tombstones()),
            *(stored.volume for item in vault.snapshots() if (stored := there.get(item.id))),
        ]
        foreign = {kept.id for kept in self._volumes(foreign=True)}.intersection(listed)
        oracle.insist(not foreign, f"P9: {sorted(foreign)} are listed in {self.environment}")

    @property
    def oracle(self) -> Oracle:
        """Who sees to it."""
        return self.world.oracle

    def _volumes(self, *, foreign: bool) -> list[Kept]:
        volumes = self.oracle.volumes.values()
        return [v for v in volumes if (v.environment != self.environment) is foreign]

    def _foreign(self) -> list[str]:
        """Names and ids, whole or in part, of what is elsewhere, and mean nothing of one's own."""
        own = self._words(foreign=False)
        words = self._words(foreign=True)
        parts = [word[:-3] for word in words if word.startswith(("vol_", "tomb_"))]
        return [word for word in (*words, *parts) if not any(o.startswith(word) for o in own)]

    def _words(self, *, foreign: bool) -> list[str]:
        """The names of an environment's volumes, and the ids of all that is in it."""
        volumes = {kept.id: kept.name for kept in self._volumes(foreign=foreign)}
        graves = [g.id for g in self.oracle.graves.values() if g.volume in volumes]
        snapshots = [s.id for s in self.oracle.snapshots.values() if s.volume in volumes]
        return [*volumes.values(), *volumes, *graves, *snapshots]

    def _told(self, ask: Callable[[Vault, str], Any], name: str) -> tuple[str, ...]:
        """The whole answer, with X for the name."""
        try:
            answer = ["no error", repr(ask(self.vault, name))]
        except VaultError as error:
            words = (error.code, error.message, error.safe, error.hint)
            answer = [type(error).__name__, *words, str(error.retryable)]
        return tuple(part.replace(name, "X") for part in answer)


def _made_up(name: str) -> str:
    """What looks alike and is nowhere."""
    kind, dash, bare = name.partition("_")
    return f"{kind}_{bare[::-1]}" if dash else "x" * len(name)
