"""Snapshot and restore of many files, killed on the way: taken up again, and nothing is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.directory import scribes
from tests.crash.accidents import NEVER, kill
from tests.crash.getting_back import Restore
from tests.crash.large import LargeWorld, large_world
from tests.crash.protecting import Snapshot
from tests.crash.steps import arm
from tests.crash.verb import Verb
from vault.testing.crash import CrashPoint, killed_at

ALL = pytest.mark.parametrize("verb", [Snapshot, Restore])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LargeWorld]:
    """A vault with a large volume, and one snapshot of it."""
    with large_world(tmp_path) as made:
        made.snapshot()
        stored = Counter(found.key.partition("/")[0] for found in made.reader().list(""))
        assert stored["packs"] > 2
        assert stored["index"] > 1
        yield made


@ALL
def test_at_some_steps(world: LargeWorld, verb: type[Verb]) -> None:
    work = verb(world)
    steps = _steps(work)
    first = random.Random(f"large {verb.__name__}").randrange(steps // 3)
    assert kill(work, range(first, steps, steps // 3)) >= 2


@pytest.mark.long
@pytest.mark.timeout(3600)
@ALL
def test_at_many_steps(world: LargeWorld, verb: type[Verb]) -> None:
    work = verb(world)
    assert kill(work, range(0, 10_000, _steps(work) // 30)) >= 30


def _steps(verb: Verb) -> int:
    """How many there are; of a restore, whose processes do write, some are stretches for these."""

    def counted(point: CrashPoint) -> str:
        started = CrashPoint(NEVER)
        started.wrap_reads(scribes, "_started")
        arm(point)
        assert verb.act()
        assert started.steps > 1 or not isinstance(verb, Restore)
        return str(point.steps)

    verb.prepare()
    _, told = killed_at(NEVER, counted)
    assert not told.startswith("error:"), told
    return int(told)
