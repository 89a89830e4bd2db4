"""When a soak's record says that a process holds more and more."""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

REPORT: Final = Path(__file__).parents[2] / "scripts" / "soaking" / "report.py"
EVERY: Final = 5
HOUR: Final = 3600


@pytest.fixture
def rising() -> Callable[[list[Any]], list[str]]:
    """What judges a record."""
    judge: Callable[[list[Any]], list[str]] = runpy.run_path(str(REPORT))["rising"]
    return judge


def life(
    seconds: float, *, mib: float = 0, fds: float = 0, name: str = "daemon", pid: int = 1
) -> Iterator[dict[str, Any]]:
    """A process that is seen cold first and then holds so much more in an hour, amid noise."""
    dice = Random(pid)
    for t in range(0, int(seconds), EVERY):
        warmed = 15 * (1 - math.exp(-t / 120))
        held = 69 + warmed + mib * t / HOUR + dice.uniform(-2, 2)
        yield {"kind": "sample", "process": name, "pid": pid, "t": t + pid * 1e5} | {
            "rss_kib": int(held * 1024),
            "fds": int(10 + fds * t / HOUR + dice.choice((0, 0, 0, 4, 12))),
        }


def test_what_is_flat_passes(rising: Callable[[list[Any]], list[str]]) -> None:
    """As it was: the daemon warms up, and grows by some MiB with the store's events."""
    kept = [*life(2 * HOUR, mib=6, fds=5), *life(2 * HOUR, mib=1, name="purger", pid=2)]
    assert rising(kept) == []


@pytest.mark.parametrize("name", ["daemon", "purger", "collector"])
def test_what_rises_is_named(rising: Callable[[list[Any]], list[str]], name: str) -> None:
    """By its process, whichever life of it."""
    flat = list(life(2 * HOUR, name=name))
    (memory,) = rising([*flat, *life(HOUR, mib=13, name=name, pid=7)])
    assert f"the {name} (pid 7)" in memory
    assert "resident memory" in memory
    (descriptors,) = rising([*flat, *life(HOUR, fds=20, name=name, pid=7)])
    assert f"the {name} (pid 7)" in descriptors
    assert "descriptors" in descriptors


def test_what_is_too_short_or_not_ours_is_not_judged(
    rising: Callable[[list[Any]], list[str]],
) -> None:
    """Nor lines of other kinds."""
    short = list(life(39 * 60, mib=200, fds=200))
    assert rising([{"kind": "begin"}, *short, *life(HOUR, mib=60, name="gateway", pid=3)]) == []
    assert rising([]) == []
