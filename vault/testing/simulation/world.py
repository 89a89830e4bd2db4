"""One simulated world: a store, a host with its disk, homes by role, and everything that is wrong.

The product runs in it unchanged: `plumbing` gives it this world's store, clock, disk and chance.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from vault.clock import format_span
from vault.compose import RoleName
from vault.operations import homes
from vault.provider import Kind
from vault.repository.charter import load_charter
from vault.repository.reader import SnapshotReader
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import read_snapshot
from vault.store.memory import MemoryStore
from vault.testing.faults import Faults, FaultyStore
from vault.testing.simulation.clocks import BEGIN, HostClock, StoreClock, TrueTime
from vault.testing.simulation.deeds import PREVIEW, Deeds
from vault.testing.simulation.disk import Disk, SimulatedProvider, Tree
from vault.testing.simulation.entries import Entries
from vault.testing.simulation.oracle import Oracle, Sight
from vault.testing.simulation.quarantines import Quarantines
from vault.testing.simulation.reports import Reports
from vault.testing.simulation.scheduling import Process, Scheduler, here
from vault.testing.simulation.wire import LATE_MAX, Line, Network, Request, WatchedStore, Wire

TOLERANCE: Final = timedelta(minutes=5)
_SETTLED: Final = timedelta(minutes=20)
_MEMORY: Final = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Climate:
    """What kinds of trouble this world has: each from 0 (none) to 1 (every time).

    `idle` says how often the daemon is not at work, `pace` how long the pauses are. Agents are at
    work, while others rest, as often as `agents` says; their own environment has a window
    (`brief`), so many volumes at most (`previews`), and a budget (`deletes`, 0 for the usual ones).
    """

    clocked: bool
    window: timedelta
    deaths: float
    outages: float
    faults: Faults
    late: float
    twice: float
    lies: float
    crowd: float
    attacks: float
    idle: float
    pace: int
    agents: float
    brief: timedelta
    previews: int
    deletes: int

    @property
    def reachable(self) -> bool:
        """Whether no call to the store ever fails here, and no listing is stale."""
        faults = self.faults
        return not (self.outages or faults.before or faults.after or faults.stale)

    @classmethod
    def drawn(cls, dice: Random) -> Climate:
        """A climate of its own for each seed: some troubles are absent, some are frequent."""

        def some(most: float) -> float:
            return dice.choice([0.0, most / 4, most])

        return cls(
            clocked=dice.random() < 0.8,
            window=timedelta(hours=dice.choice([48, 48, 72])),
            deaths=some(0.5),
            outages=some(0.4),
            faults=Faults(before=some(0.05), after=some(0.05), delay=some(0.1), stale=some(0.2)),
            late=some(0.5),
            twice=some(0.1),
            lies=some(0.3),
            crowd=some(0.9),
            attacks=some(0.6),
            idle=some(0.8),
            pace=dice.choice([1, 1, 4]),
            agents=dice.choice([0.05, 0.1, 0.2]),
            brief=timedelta(hours=dice.choice([1, 1, 12])),
            previews=dice.choice([1, 1, 1, 6]),
            deletes=dice.choice([0, 0, 3, 4]),
        )


class World:
    """Everything there is; made anew for each seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = Random(seed)
        self.climate = Climate.drawn(self.dice)
        self.time = TrueTime()
        self.host = HostClock(self.time, self._slept)
        self.disk = Disk(self.host.now)
        clocked = self.climate.clocked
        told = (lambda: self.time.at) if clocked else self.host.now
        ceiling = timedelta(days=400)
        self.server = MemoryStore(StoreClock(told), clocked=clocked, ceiling=ceiling)
        self.scheduler = Scheduler(self.dice, self._passing)
        self.oracle = Oracle(self._sight())
        self.counts = self.oracle.counts
        self.network = Network(self.dice, self.counts, self.climate.late, self.climate.twice)
        self.cut = False
        self.calm = False
        self.last_lie = BEGIN
        self.root = Path(tempfile.mkdtemp(prefix="vault-simulation-", dir=_memory()))
        self.trace: list[str] = []
        self._watched = {
            role: WatchedStore(self.server, self.oracle, role)
            for role in ("writer", "purger", "collector", "reader")
        }
        self._chance = Random(seed ^ 0x5EED)
        self._providers: dict[Process, SimulatedProvider] = {}
        self._late: dict[bytes, bytes] | None = None
        self.reports = Reports(self.oracle, self.server, self.disk)
        self.entries = Entries(self.oracle, self.server)
        self.quarantines = Quarantines(self.oracle, self.disk, self.climate.reachable)
        self.deeds = Deeds(self.oracle, self.climate.deletes, self._record_kept_since)
        self.window = self.climate.window
        self.record_lost = BEGIN
        self.purger_works = False
        self.vault_id = ""

    # --- what happens ----------------------------------------------------------------------------

    def note(self, line: str) -> None:
        """Add a line to the story, with the day it happened on."""
        self.trace.append(f"{format_span(self.time.at - BEGIN):>8}  {line}")

    @property
    def digest(self) -> str:
        """What names this story and no other."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    def pass_time(self, span: timedelta) -> None:
        """Let time go by; what is under way arrives in its time."""
        end = self.time.at + span
        while (request := self.network.next_before(end)) is not None:
            self.time.at = max(self.time.at, request.at)
            request.arrive()
        self.time.at = end

    def lie(self, offset: timedelta) -> None:
        """Set the host's wall clock wrong (or right again)."""
        if offset != self.host.offset:
            self.counts["clock set wrong"] += bool(offset)
            self.host.offset = offset
            self.last_lie = self.time.at

    def process(self, name: str, environment: str = "") -> Process:
        """A new process; in a bad climate it is to die at one of its calls."""
        doomed = not self.calm and self.dice.random() < self.climate.deaths
        return Process(
            name,
            doom=int(self.dice.expovariate(1 / 40)) + 1 if doomed else 0,
            began=self.time.at,
            environment=environment,
        )

    def writable(self, tree: Tree) -> bool:
        """Whether somebody may write to a tree: not where nobody could tell that it was done.

        What is written to quarantined data under a clock that is wrong, or in the moment between a
        purger's last look and its deed, is beyond what change times can tell; so it is, on a store
        without a clock, once the host's was ever wrong.
        """
        place = self.place_of(tree)
        if "/.trash/" not in place:
            return place.startswith("/srv/")
        honest = self.climate.clocked or self.last_lie == BEGIN
        right = honest and not self.host.offset
        return place.endswith("/data") and right and not self.purger_works

    def random_bytes(self, size: int) -> bytes:
        """Chance, for keys and ids."""
        return self._chance.randbytes(size)

    # --- what the product is given ---------------------------------------------------------------

    def home(self, role: RoleName) -> Path:
        """A role's home; on a store without a clock all share one, as the manual asks."""
        return self.root / (role if self.climate.clocked and role != "reader" else "writer")

    @property
    def url(self) -> str:
        """The store's address."""
        return "s3://simulated/vault" if self.climate.clocked else "file:///simulated/vault"

    @property
    def kit(self) -> Path:
        """The recovery kit, offline."""
        return self.root / "offline.kit"

    def wire(self, role: str) -> Wire:
        """The store as the running process reaches it, with weather of its own."""
        process = self._here()
        watched = self._watched[role]
        weather, seed = self._weather(), self.dice.getrandbits(32)
        store = FaultyStore(watched, self.host, weather, seed=seed, counts=self.counts)
        line = Line(
            network=self.network,
            reach=lambda: self.scheduler.reach(process),
            cut=lambda: self.cut,
            later=self._later,
        )
        return Wire(store, watched, line)

    def provider(self) -> SimulatedProvider:
        """The disk as the running process reaches it."""
        process = self._here()
        provider = SimulatedProvider(
            self.disk, lambda: self.scheduler.reach(process), self.oracle.purging
        )
        self._providers[process] = provider
        return provider

    def _weather(self) -> Faults:
        if self.calm:
            return Faults()
        faults = self.climate.faults
        if self.dice.random() >= self.climate.outages:
            return faults
        return Faults(
            before=faults.before,
            after=faults.after,
            delay=faults.delay,
            stale=faults.stale,
            outage_at=int(self.dice.expovariate(1 / 30)),
            outage=self.dice.choice([3, 8, 20, 200]),
        )

    def _here(self) -> Process:
        process = here()
        assert process is not None, "only a simulated process has ports"
        return process

    # --- what the oracle sees --------------------------------------------------------------------

    def read(self, snapshot: str) -> dict[bytes, bytes]:
        """A snapshot's files, restored from the store and the kit alone."""
        kit = homes.read_kit(self.kit)
        charter = load_charter(self.server, kit.root_public)
        key = self.oracle.snapshots[snapshot].key
        record = read_snapshot(self.server, charter, key, [])
        ring = SessionRing(self.server, charter, kit.identities)
        with SnapshotReader(self.server, ring, record, []) as reader:
            return {
                stored.path: b"".join(blocks)
                for stored, blocks in reader.contents(reader.entries())
                if stored.entry.kind == Kind.FILE
            }

    def tree(self, place: str) -> Tree | None:
        """What stands at a place."""
        return self.disk.places.get(place)

    def place_of(self, tree: Tree) -> str:
        """Where a tree stands; empty where it is no more."""
        return next((name for name, other in self.disk.places.items() if other is tree), "")

    def _sight(self) -> Sight:
        return Sight(
            server=self.server,
            now=lambda: self.time.at,
            up=lambda: self.host.up,
            window=self._window,
            disagrees=self._disagrees,
            place=self.tree,
            read=self.read,
            captured=self._captured,
            began=lambda: self._here().began or BEGIN,
            steady=lambda: self.climate.clocked or self.time.at > self.last_lie + _SETTLED,
            doer=lambda: None if self._late is not None else here(),
        )

    def _window(self, environment: str) -> timedelta:
        return self.climate.brief if environment == PREVIEW else self.window

    def _record_kept_since(self) -> datetime:
        """Since when all that was done can be dated: by time up, or else by the store's clock."""
        told = self.climate.clocked or self.last_lie == BEGIN
        return BEGIN if told else self.record_lost

    def _disagrees(self) -> bool:
        """Whether the host's clock is wrong, and was when this process began to look."""
        process = here()
        wrong = abs(self.host.offset) > TOLERANCE + timedelta(seconds=2)
        return (
            self.climate.clocked
            and wrong
            and (
                process is not None and process.began is not None and process.began > self.last_lie
            )
        )

    def _captured(self) -> dict[bytes, bytes]:
        if self._late is not None:
            return self._late
        capture = self._providers[self._here()].captured
        return {} if capture is None else capture.seen

    def _later(self, request: Callable[[], object]) -> None:
        """Let a request arrive when its sender has given it up; it tells what it told then."""
        provider = self._providers.get(self._here())
        capture = provider.captured if provider else None
        seen = dict(capture.seen) if capture else {}

        def arrive() -> None:
            self._late = seen
            try:
                request()
            finally:
                self._late = None

        after = timedelta(seconds=self.dice.random() * LATE_MAX)
        self.network.under_way.append(Request(self.time.at + after, arrive))

    def _slept(self, seconds: float) -> None:
        self.pass_time(timedelta(seconds=seconds))
        process = here()
        if process is not None:
            self.scheduler.reach(process)

    def _passing(self) -> None:
        self.pass_time(timedelta(milliseconds=self.dice.randint(1, 40)))

    def close(self) -> None:
        """Remove what lies in memory's file system."""
        shutil.rmtree(self.root, ignore_errors=True)


def _memory() -> str | None:
    return str(_MEMORY) if _MEMORY.is_dir() else None
