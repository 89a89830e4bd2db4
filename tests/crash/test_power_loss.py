"""Power lost at the steps of every verb: what was acknowledged had been synced."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.accidents import lose_power
from tests.crash.verb import Verb
from tests.crash.verbs import VERBS
from tests.crash.world import file_world

ALL = pytest.mark.parametrize("verb", VERBS)
STRIDE = 67


@ALL
def test_at_some_steps(tmp_path: Path, verb: type[Verb]) -> None:
    first = random.Random(f"power {verb.__name__}").randrange(8)
    with file_world(tmp_path / "disk") as world:
        assert lose_power(verb(world), range(first, 10_000, STRIDE)) > 0


@pytest.mark.long
@ALL
def test_at_every_step(tmp_path: Path, verb: type[Verb]) -> None:
    with file_world(tmp_path / "disk") as world:
        assert lose_power(verb(world), range(10_000)) > 15
