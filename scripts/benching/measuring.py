"""One program run: seconds, processor seconds, peak memory; and what a folder holds."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

_LOOK: Final = 0.1  # seconds between two looks at a family of processes


@dataclass(frozen=True)
class Figures:
    """Of one run: wall and processor seconds, peak memory in MiB, the machine's load before it.

    `rss_mib` is of the largest process, as the kernel counted it; `sum_mib` of all together where
    there were several (shared pages count once, looked at ten times a second), else the same.
    Linux counts what the parent held at the fork, too: so this program loads little, about 20 MiB.
    `served` are the processor seconds that a server on this machine had meanwhile.
    """

    wall: float
    cpu: float
    rss_mib: float
    sum_mib: float
    load: float
    served: float = 0.0


@dataclass(frozen=True)
class Call:
    """A program to run, its surroundings, and the statuses that count as success."""

    words: Sequence[str]
    env: Mapping[str, str]
    log: Path
    folder: Path | None = None
    good: tuple[int, ...] = (0,)


def timed(call: Call) -> Figures:
    """Run it to its end. Raises RuntimeError where it fails."""
    with open(call.log, "ab") as log:
        load, start = os.getloadavg()[0], time.perf_counter()
        process = _start(call, stdout=log, log=log)
        return _ended(process, call, start, load)


def first_byte(call: Call) -> tuple[float, Figures, bytes]:
    """Run it; the seconds until its first byte of output, its figures, and all it wrote."""
    with open(call.log, "ab") as log:
        load, start = os.getloadavg()[0], time.perf_counter()
        process = _start(call, stdout=subprocess.PIPE, log=log)
        assert process.stdout
        data = process.stdout.read(1)
        waited = time.perf_counter() - start
        data += process.stdout.read()
        process.stdout.close()
        return waited, _ended(process, call, start, load), data


def _start(call: Call, *, stdout: IO[bytes] | int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        call.words,
        env=dict(call.env),
        cwd=call.folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=log,
        bufsize=0,
    )


def _ended(process: subprocess.Popen[bytes], call: Call, start: float, load: float) -> Figures:
    family = _Family(process.pid)
    family.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    finally:
        family.over.set()
        family.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in call.good:
        raise RuntimeError(f"{call.words} left with {process.returncode}: see {call.log}")
    cpu, rss = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    together = max(rss, family.peak_mib)
    return Figures(round(wall, 3), round(cpu, 3), round(rss, 1), round(together, 1), round(load, 2))


class _Family(threading.Thread):
    """Looks at the memory of a process and its descendants while there are several."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.peak_mib = 0.0
        self._pid = pid

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(_LOOK):
            family = _family(self._pid)
            if len(family) > 1:
                self.peak_mib = max(self.peak_mib, sum(map(_proportional_kib, family)) / 1024)


def _family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        for children in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            try:
                waiting += map(int, children.read_text().split())
            except OSError:
                continue  # it ended just now
    return found


def _proportional_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(text.partition("Pss:")[2].split()[0]) if "Pss:" in text else 0


def held(folder: Path) -> float:
    """MB in all files of a folder."""
    walk = os.walk(folder)
    return sum(os.lstat(os.path.join(at, n)).st_size for at, _, names in walk for n in names) / 1e6


def warm(folder: Path) -> None:
    """Read all files once; in another process, since a child's peak memory begins with ours."""
    words = "find . -type f -print0 | xargs -0 -n 500 cat > /dev/null"
    subprocess.run(["sh", "-c", words], cwd=folder, check=True)


def same(source: Path, restored: Path) -> None:
    """Compare two trees byte for byte. Raises CalledProcessError where they differ."""
    words = ["diff", "-rq", "--no-dereference", str(source), str(restored)]
    subprocess.run(words, check=True)


def program(name: str) -> str:
    """A console script of the environment that runs this."""
    return str(Path(sys.executable).with_name(name))


def fresh(where: Path) -> Path:
    """A new folder for one run; it stays: deleting many files slows ext4 down for minutes."""
    stem = where / f"run-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    folder, number = stem, 1
    while folder.exists():
        folder, number = stem.with_name(f"{stem.name}-{number}"), number + 1
    folder.mkdir(parents=True)
    return folder


def machine() -> str:
    """One line about where and when: no figure is worth anything without it."""
    with open("/proc/cpuinfo") as file:
        models = [line.partition(": ")[2].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores ({models[0]}), "
        f"{memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {load}"
    )
