"""On a real server: clients killed at their steps, and the server killed under each verb."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.accidents import bring_back, kill, kill_server
from tests.crash.verb import Verb
from tests.crash.verbs import VERBS
from tests.crash.world import ServerWorld, server_world
from tests.rgw import fresh_bucket
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
ALL = pytest.mark.parametrize("verb", VERBS)
SOME = random.Random("server").sample(VERBS, 2)
BACK = random.Random("back").sample(VERBS, 2)


@pytest.fixture
def world(rgw_own: Server, tmp_path: Path) -> Iterator[ServerWorld]:
    """A vault on a server of its own."""
    with server_world(fresh_bucket(rgw_own), tmp_path / "world") as made:
        yield made


@pytest.mark.long
@ALL
def test_killed_at_every_eighth_step(world: ServerWorld, verb: type[Verb]) -> None:
    assert kill(verb(world), range(0, 10_000, 8)) > 1


@pytest.mark.parametrize("verb", SOME)
def test_the_server_is_killed_under_a_verb(world: ServerWorld, verb: type[Verb]) -> None:
    assert kill_server(verb(world), world, [5]) == 1


@pytest.mark.long
@ALL
def test_the_server_is_killed_at_many_calls(world: ServerWorld, verb: type[Verb]) -> None:
    assert kill_server(verb(world), world, range(0, 60, 6)) > 0


@pytest.mark.parametrize("verb", BACK)
def test_the_server_is_back_while_a_verb_goes_on(world: ServerWorld, verb: type[Verb]) -> None:
    """Who asked again in time has noticed nothing."""
    assert bring_back(verb(world), world, [4], pauses=2) == 1


@pytest.mark.long
@ALL
def test_the_server_is_back_at_many_calls(world: ServerWorld, verb: type[Verb]) -> None:
    assert bring_back(verb(world), world, range(0, 60, 8), pauses=2) > 0
