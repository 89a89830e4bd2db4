"""Many seeds, one after another or on several processors, and how a failure is told."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from vault.clock import format_span
from vault.testing.simulation.life import Outcome, live


@dataclass(slots=True)
class Sum:
    """What came of many seeds: how much life that was, what happened in it, and what failed."""

    seeds: int = 0
    lived: timedelta = timedelta(0)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Take in one seed's."""
        self.seeds += 1
        self.lived += outcome.lived
        self.counts += outcome.counts
        if outcome.failure:
            self.failures.append(outcome)

    def __str__(self) -> str:
        years = self.lived / timedelta(days=365.25)
        seen = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        return (
            f"{self.seeds} seeds, {years:.1f} years of simulated life,"
            f" {len(self.failures)} failed\n{seen}"
        )


def simulate(
    seeds: Iterable[int], steps: int, *, jobs: int = 1, heard: Callable[[Outcome], None]
) -> Sum:
    """Live every seed's life; `heard` is told each outcome as it comes, in order of seeds."""
    total = Sum()
    one = partial(live, steps=steps)
    pool: Executor | None = None
    if jobs > 1:
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        outcomes = map(one, seeds) if pool is None else pool.map(one, seeds)
        for outcome in outcomes:
            total.add(outcome)
            heard(outcome)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    return total


def told(outcome: Outcome, steps: int, *, last: int = 25) -> str:
    """A failure, with what it takes to see it again, and the end of its story."""
    lines = [
        f"seed {outcome.seed} failed after {format_span(outcome.lived)}: {outcome.failure}",
        f"commit {commit()}, story {outcome.digest}",
        f"replay with: scripts/simulate --replay {outcome.seed} --steps {steps}",
        *(f"    {line}" for line in outcome.trace[-last:]),
    ]
    return "\n".join(lines)


def commit() -> str:
    """The commit that runs here, with a + where files differ from it; `unknown` where none is."""
    root = Path(__file__).resolve().parents[3]
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
