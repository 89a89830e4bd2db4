"""The words of `scripts/soak`, and the hours themselves."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.auth
from botocore.compat import get_current_datetime

from soaking import report
from soaking.audit import Auditor
from soaking.estate import Estate
from soaking.sampling import Record, sample
from soaking.world import Clocks, World, flying
from tests.promises.scenes import make_scene
from tests.rgw import fresh_bucket
from vault.errors import ClockDisagrees, StoreUnreachable, VaultError
from vault.testing.rgw import Server, start_server

_RETRYABLE = (ClockDisagrees.status, StoreUnreachable.status)
_PACE = 1.5
_AUDIT = 60.0
_HOUR = 3600.0
_TOLD = re.compile(r"snap_[0-9a-z]{26}")


class Soak:
    """One run: what is done at random, and the looks in between."""

    def __init__(self, world: World, record: Record, seed: int, minutes: float) -> None:
        self.world = world
        self.record = record
        self.rng = random.Random(seed)
        self.minutes = minutes
        self.violations: list[str] = []
        self.auditor = Auditor(world, self.complain)
        self.estate = Estate(world, self.auditor, self.rng, self.complain, self.tell)
        self._begun = time.monotonic()
        self._read = 0

    def complain(self, what: str) -> None:
        """A promise was broken, or a process holds more and more."""
        if what not in self.violations:
            self.violations.append(what)
            self.record.add("violation", what=what)
            print("VIOLATION", what, flush=True)

    def tell(self, kind: str, **facts: object) -> None:
        """A line for the record."""
        self.record.add(kind, **facts)

    @property
    def passed(self) -> float:
        """True minutes since the beginning."""
        return (time.monotonic() - self._begun) / 60

    @property
    def stormy(self) -> bool:
        """In every second twelfth of the time processes are killed."""
        return int(self.passed / self.minutes * 12) % 2 == 1

    def run(self) -> None:
        """Until the time is over; then all is looked at once more, in peace."""
        for _ in range(5):
            self.estate.add()
        audited = time.monotonic()
        while self.passed < self.minutes:
            self._act()
            if time.monotonic() - audited > _AUDIT:
                self._look()
                audited = time.monotonic()
            time.sleep(self.rng.uniform(0, 2 * _PACE))
        self._finish()

    # --- what happens

    def _act(self) -> None:
        self._see_who_fell()
        estate, draw = self.estate, self.rng.random()
        self.world.revive()
        active = estate.pick("active")
        deleted = estate.pick("deleted")
        if draw < 0.30 and active:
            estate.change(active)
        elif draw < 0.40 and active:
            estate.snapshot(active)
        elif draw < 0.49 and active:
            estate.delete(active)
        elif draw < 0.56 and deleted:
            estate.undelete(deleted)
        elif draw < 0.60 and deleted:
            estate.hold(deleted)
        elif draw < 0.70:
            self._restore_one()
        elif draw < 0.76 and len([v for v in estate.volumes if v.status != "purged"]) < 9:
            estate.add()
        elif draw < 0.82:
            self._leap()
        elif draw < 0.87:
            self._lie()
        elif self.stormy:
            self._kill()

    def _see_who_fell(self) -> None:
        for name, status in self.world.fallen().items():
            self.record.add("ended", process=name, status=status)
            if status in _RETRYABLE:  # as at a start while the store is out of reach
                self.estate.count(f"starts of the {name} that failed")
            else:
                self.complain(f"the {name} ended of its own accord, with status {status}")

    def _kill(self) -> None:
        name = self.rng.choice(("daemon", "daemon", "purger", "collector", "gateway"))
        self.world.kill(name)
        self.estate.count(f"kills of the {name}")
        self.record.add("kill", process=name)
        time.sleep(self.rng.uniform(0, 4))
        if name == "gateway":
            self.world.wake_gateway()

    def _leap(self) -> None:
        hours = self.rng.uniform(4, 40) if self.rng.random() > 0.06 else self.rng.uniform(300, 400)
        self.world.clocks.leap(hours * _HOUR)
        self.estate.count("leaps")
        self.record.add("leap", hours=round(hours, 1))
        time.sleep(2.5)

    def _lie(self) -> None:
        """Somebody's clock is a little off; or, for a while, very much so."""
        name = self.rng.choice(("daemon", "purger", "collector"))
        far = self.rng.random() < 0.4
        lie = self.rng.uniform(-60, 60) if not far else self.rng.uniform(-60, 60) * 24 * _HOUR
        self.world.clocks.lies[name] = lie
        self.record.add("lie", process=name, seconds=round(lie))
        if far:
            self.estate.count("clocks far off")
            time.sleep(self.rng.uniform(5, 25))
            self.world.clocks.lies[name] = self.rng.uniform(-60, 60)

    # --- looking

    def _restore_one(self) -> None:
        if self.auditor.last and self.auditor.last.snapshots:
            chosen = self.rng.choice(sorted(self.auditor.last.snapshots))
            self.estate.restore(chosen, self.world.scene.root / "scratch" / chosen)

    def _look(self) -> None:
        self._hear_the_daemon()
        begun = time.monotonic()
        try:
            sight = self.auditor.look()
            self.estate.settle()
        except VaultError as error:
            self.record.add("look failed", why=error.message)
            return
        self.record.add(
            "look",
            events=len(sight.events),
            snapshots=len(sight.snapshots),
            seconds=round(time.monotonic() - begun, 1),
            counts=self.estate.counts | self.auditor.counts,
        )

    def _hear_the_daemon(self) -> None:
        """What the daemon's log says was done is acknowledged."""
        with (self.world.logs / "daemon.log").open("rb") as log:
            log.seek(self._read)
            lines = log.readlines()
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._read += len(line)
            facts = _read(line)
            if facts.get("event") == "duty_done" and facts.get("task") in ("capture", "finalize"):
                for snapshot in _TOLD.findall(str(facts.get("detail"))):
                    self.auditor.acknowledged.setdefault(snapshot, datetime.min.replace(tzinfo=UTC))
                    self.estate.count("snapshots by the daemon")

    def _finish(self) -> None:
        for name in self.world.clocks.lies:
            self.world.clocks.lies[name] = 0.0
        self.world.revive()
        time.sleep(20)
        self._look()
        sight = self.auditor.last
        assert sight is not None
        chosen = sorted(sight.snapshots)
        self.rng.shuffle(chosen)
        for snapshot in chosen[: max(3, int(self.minutes * 1.2))]:
            self.estate.restore(snapshot, self.world.scene.root / "scratch" / snapshot)
        found = self.estate.run("verify", "--deep", may_die=False)
        if found is None or found[0]["findings"]:
            self.complain(f"verify --deep found: {found}")
        self._look()
        counts = self.estate.counts | self.auditor.counts
        self.record.add("end", counts=counts, violations=self.violations)
        print(json.dumps(counts, indent=1))


def _read(line: bytes) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return facts


def _settled(server: Server, clocks: Clocks) -> None:
    """Requests of this process carry the world's time, and its credentials."""
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(server.credentials)
    os.environ["AWS_CONFIG_FILE"] = os.devnull

    def world_time(*args: Any, **named: Any) -> datetime:
        return get_current_datetime(*args, **named) + clocks.ahead

    botocore.auth.get_current_datetime = world_time


def main() -> None:
    """Run it; leaves with status 1 where a promise was broken, or memory or descriptors rose."""
    words = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    words.add_argument("--minutes", type=float, default=120.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--out", type=Path, default=Path("soak.jsonl"))
    words.add_argument("--where", type=Path, help="scratch disk; a new folder by default")
    chosen = words.parse_args()
    where = chosen.where or Path(tempfile.mkdtemp(prefix="vault-soak-"))
    where.mkdir(parents=True, exist_ok=True)
    server = start_server(where / "rgw")
    try:
        soak = _begin(chosen, where, server)
    finally:
        server.stop()
    raise SystemExit(1 if soak.violations else 0)


def _begin(chosen: argparse.Namespace, where: Path, server: Server) -> Soak:
    clocks = Clocks(where / "clocks")
    _settled(server, clocks)
    scene = make_scene(fresh_bucket(server), where / "scene", tree=False)
    (where / "logs").mkdir()
    world = World(scene, clocks, where / "logs")
    record = Record(chosen.out, clocks.now)
    record.add("begin", seed=chosen.seed, minutes=chosen.minutes, where=str(where))
    stop = threading.Event()
    watch = threading.Thread(target=sample, args=(record, world.pids, stop), daemon=True)
    watch.start()
    with flying(world):
        soak = Soak(world, record, chosen.seed, chosen.minutes)
        soak.run()
    stop.set()
    watch.join()
    lines = report.read(chosen.out)
    print("\n".join(report.summary(lines)))
    for rise in report.rising(lines):
        soak.complain(rise)
    report.draw(lines, chosen.out.with_suffix(".svg"))
    return soak


if __name__ == "__main__":
    main()
