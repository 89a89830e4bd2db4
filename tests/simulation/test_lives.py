"""Hundreds of short lives, each from its seed; scripts/simulate lives thousands of long ones."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.tidy.source import ROOT
from vault.testing.simulation.__main__ import main
from vault.testing.simulation.life import live
from vault.testing.simulation.many import simulate, told

STEPS = 12
SEEDS = 200
JOBS = 2

# What a few hundred lives have to have seen, or they prove nothing.
SEEN = (
    "deletes",
    "undeletes",
    "purges",
    "holds",
    "restores",
    "extensions",
    "vanished",
    "verifications",
    "tampering reported",
    "objects collected",
    "event quarantine_abandoned",
    "event found_destroyed",
    "deletes by agents",
    "undeletes by agents",
    "asked for what is elsewhere",
    "held by the breaker",
    "unfrozen",
    "undeletes owed",
    "tombstones settled",
    "deaths",
    "power cuts",
    "clock set wrong",
    "calls failed",
    "calls in an outage",
    "calls over a parted network",
    "answers lost",
    "answers delayed",
    "stale listings",
    "requests arrived late",
    "requests arrived twice",
    "attacker destroys a volume",
    "attacker moves a volume away",
    "attacker brings it back",
    "attacker puts another in its place",
    "attacker takes what is quarantined",
    "attacker clears the caches",
    "attacker edits the settings",
    "attacker lays a marker",
    "attacker lays another version",
    "attacker lays a twin",
    "attacker forges an event",
    "attacker replays a record",
    "attacker leaves something behind",
)


@pytest.mark.timeout(1200)
def test_no_promise_is_broken_in_short_lives() -> None:
    """Whatever dies, lies and is lost: nothing acknowledged is lost, nothing goes too early."""
    failures: list[str] = []
    total = simulate(
        range(SEEDS),
        STEPS,
        jobs=JOBS,
        heard=lambda outcome: failures.append(told(outcome, STEPS)) if outcome.failure else None,
    )
    assert not failures, "\n\n".join(failures)
    assert total.lived > timedelta(days=365)
    assert not [what for what in SEEN if not total.counts[what]]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_promise_is_broken_in_long_lives(capsys: pytest.CaptureFixture[str]) -> None:
    """The same for months at a time."""
    status = main(["--seeds", "1000", "--from", "100000", "--steps", "60", "--jobs", "2"])
    assert status == 0, capsys.readouterr().out


def test_a_seed_decides_everything() -> None:
    """In another process, where dictionaries are ordered otherwise, the same story."""
    here = live(3, STEPS)
    there = subprocess.run(
        [sys.executable, "-m", "vault.testing.simulation", "--replay", "3", "--steps", str(STEPS)],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.splitlines()[-1] == f"all is well: {here.digest}"
    assert here.trace == there.stdout.splitlines()[:-1]
