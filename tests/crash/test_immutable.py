"""Killed where a file of the store has its name and not yet its flag: it gets it afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.accidents import kill
from tests.crash.keeping import Extend
from tests.crash.protecting import Delete, Snapshot
from tests.crash.sealed import SealedWorld, can_seal, sealed_world
from tests.crash.steps import arm, arm_seals
from tests.crash.verb import Verb

SOME = pytest.mark.parametrize("verb", [Snapshot, Delete, Extend])
STRIDE = 41
STRIDE_OF_SEALS = 5


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SealedWorld]:
    """A vault with a small volume."""
    if not can_seal(tmp_path):
        pytest.skip(
            "the immutable flag cannot be set here: it takes root and a file system with it"
        )
    with sealed_world(tmp_path / "world") as made:
        yield made


@SOME
def test_before_some_flags(world: SealedWorld, verb: type[Verb]) -> None:
    first = random.Random(verb.__name__).randrange(3)
    assert kill(verb(world), range(first, 10_000, STRIDE_OF_SEALS), arm_seals) > 0


@pytest.mark.long
@SOME
def test_at_some_steps(world: SealedWorld, verb: type[Verb]) -> None:
    first = random.Random(verb.__name__).randrange(8)
    assert kill(verb(world), range(first, 10_000, STRIDE), arm) > 0


@pytest.mark.long
@SOME
def test_before_every_flag(world: SealedWorld, verb: type[Verb]) -> None:
    assert kill(verb(world), range(10_000), arm_seals) > 3
