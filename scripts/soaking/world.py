"""The soak's world: a clock that flies, the four processes that believe it, and how they die."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.promises.scenes import Scene
from vault.clock import SystemClock
from vault.compose import RoleName

RATE: Final = 30
"""Seconds of the world in one true second."""

STEP: Final = 0.5
"""True seconds between two steps of every clock."""

ROLES: Final[dict[str, RoleName]] = {
    "daemon": "writer",
    "purger": "purger",
    "collector": "collector",
}
INTERVALS: Final = {"daemon": "3s", "purger": "20s", "collector": "45s"}


class Clocks(SystemClock):
    """The world's time, told to each process through a file that libfaketime reads.

    `lies` are how far a process's clock is off. A step is seen within two true seconds.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ahead = 0.0
        self._guard = threading.Lock()
        self.lies: dict[str, float] = dict.fromkeys(("gateway", "operator", *ROLES), 0.0)
        folder.mkdir()
        self._tell()

    def now(self) -> datetime:
        """The gateway's time, but for what it has not read yet."""
        return datetime.now(UTC) + self.ahead

    @property
    def ahead(self) -> timedelta:
        """How far the world is ahead of the true time."""
        return timedelta(seconds=self._ahead)

    def file(self, name: str) -> Path:
        """What tells this process the time."""
        return self._folder / name

    def leap(self, seconds: float) -> None:
        """It is later for all."""
        with self._guard:
            self._ahead += seconds
            self._tell()

    def fly(self, stop: threading.Event) -> None:
        """Let time pass until told to stop."""
        last = time.monotonic()
        while not stop.wait(STEP):
            now = time.monotonic()
            self.leap((now - last) * (RATE - 1))
            last = now

    def _tell(self) -> None:
        for name, lie in self.lies.items():
            fresh = self._folder / f".{name}"
            fresh.write_text(f"{self._ahead + lie:+.3f}\n", "ascii")
            fresh.replace(self.file(name))


@dataclass
class World:
    """Scene, clocks, and the processes that run."""

    scene: Scene
    clocks: Clocks
    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)

    def environ(self, name: str) -> dict[str, str]:
        """The surroundings of a process: its role's credentials, its own idea of the time."""
        library = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
        return self.scene.environ(ROLES.get(name, "writer")) | {
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.clocks.file(name)),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def words(self, *words: str) -> list[str]:
        """The command line that runs `vault WORDS…` so."""
        return [sys.executable, "-m", "soaking.believing", *words]

    def start(self, name: str) -> None:
        """Start one of the three; its log is appended to."""
        listen = ("--listen", "") if name == "daemon" else ()
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.words(name, "--interval", INTERVALS[name], *listen),
                env=self.environ(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.starts[name] = self.starts.get(name, 0) + 1

    def kill(self, name: str) -> None:
        """It ends at once, wherever it is."""
        if name == "gateway":
            self.scene.bucket.server.kill()
        else:
            process = self.running.pop(name)
            process.kill()
            process.wait()

    def revive(self) -> list[str]:
        """Start what does not run; says which."""
        down = [name for name in ROLES if name not in self.running]
        for name in down:
            self.start(name)
        return down

    def fallen(self) -> dict[str, int]:
        """Those that ended of their own accord, each with its exit status."""
        polled = {name: process.poll() for name, process in self.running.items()}
        found = {name: status for name, status in polled.items() if status is not None}
        for name in found:
            del self.running[name]
        return found

    def wake_gateway(self) -> None:
        """Start the gateway anew."""
        self.scene.bucket.server.shift(str(self.clocks.file("gateway")))

    def pids(self) -> dict[str, int]:
        """All that run, the gateway with them."""
        found = {name: process.pid for name, process in list(self.running.items())}
        with contextlib.suppress(OSError, ValueError):
            path = self.scene.bucket.server.folder / "pids" / "gateway"
            found["gateway"] = int(path.read_text("ascii"))
        return found


@contextlib.contextmanager
def flying(world: World) -> Iterator[None]:
    """Time flies and all processes run; at the end they are told to stop, and do."""
    stop = threading.Event()
    flight = threading.Thread(target=world.clocks.fly, args=(stop,), daemon=True)
    flight.start()
    try:
        world.wake_gateway()
        world.revive()
        yield
    finally:
        for process in world.running.values():
            process.send_signal(signal.SIGTERM)
        for process in world.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
        stop.set()
        flight.join()
