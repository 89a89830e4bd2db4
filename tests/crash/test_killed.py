"""Every verb killed at its steps, on a store in a folder: taken up again, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.accidents import kill
from tests.crash.verb import Verb
from tests.crash.verbs import VERBS
from tests.crash.world import FileWorld, file_world

ALL = pytest.mark.parametrize("verb", VERBS)
STRIDE = 23


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FileWorld]:
    """A vault with a small volume."""
    with file_world(tmp_path) as made:
        yield made


@ALL
def test_at_some_steps(world: FileWorld, verb: type[Verb]) -> None:
    first = random.Random(verb.__name__).randrange(8)
    assert kill(verb(world), range(first, 10_000, STRIDE)) > 0


@pytest.mark.long
@ALL
def test_at_every_step(world: FileWorld, verb: type[Verb]) -> None:
    assert kill(verb(world), range(10_000)) > 20
