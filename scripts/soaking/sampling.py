"""What every process holds, again and again: resident memory, descriptors, threads."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

EVERY: Final = 5.0
"""True seconds between two samples."""


class Record:
    """A file of JSON lines, each with the true seconds since the start and the world's time."""

    def __init__(self, path: Path, world_time: Callable[[], object]) -> None:
        self._path = path
        self._begun = time.monotonic()
        self._world_time = world_time
        self._guard = threading.Lock()
        path.write_text("", "utf-8")

    def add(self, kind: str, **facts: object) -> None:
        """One more line, from any thread."""
        at = round(time.monotonic() - self._begun, 1)
        line = json.dumps({"t": at, "world": str(self._world_time()), "kind": kind, **facts})
        with self._guard, self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def sample(record: Record, pids: Callable[[], Mapping[str, int]], stop: threading.Event) -> None:
    """Look at every process until told to stop."""
    while not stop.wait(EVERY):
        for name, pid in pids().items():
            facts = holding(pid)
            if facts:
                record.add("sample", process=name, pid=pid, **facts)


def holding(pid: int) -> dict[str, int]:
    """Resident MiB (in tenths), descriptors and threads of a process; nothing where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return {}
    lines = dict(line.split(":", 1) for line in status.splitlines())
    if "VmRSS" not in lines:
        return {}
    return {
        "rss_kib": int(lines["VmRSS"].split()[0]),
        "fds": descriptors,
        "threads": int(lines["Threads"]),
    }
