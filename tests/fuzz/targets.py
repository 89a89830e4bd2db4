"""What is fuzzed: each parser, its valid inputs, how they are mutated, what must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Final

from tests.fuzz import doors, governing, listed, local, outside, stored, texts, tracked
from tests.fuzz.mutation import mutate_bytes, mutate_text, mutate_value
from vault.errors import VaultError


@dataclass(frozen=True)
class Target:
    """One parser. `run` takes an input, and raises nothing but VaultError.

    `sound` makes a valid input of what `run` gave, which must then give the same again; None where
    the format is only ever read.
    """

    name: str
    seeds: Callable[[], Sequence[Any]]
    run: Callable[[Any], Any]
    sound: Callable[[Any], Any] | None = None

    def mutated(self, dice: Random) -> Any:
        """An input near a valid one."""
        seeds = inputs(self)
        seed = dice.choice(seeds)
        if isinstance(seed, bytes):
            return mutate_bytes(dice, seed, seeds)
        if isinstance(seed, str):
            return mutate_text(dice, seed, seeds)
        return mutate_value(dice, seed)

    def check(self, given: Any) -> bool:
        """Try one input; tells whether it was accepted. Raises whatever is a find."""
        try:
            result = self.run(given)
        except VaultError:
            return False
        if self.sound is not None:
            assert self.run(self.sound(result)) == result, "what was read is written otherwise"
        return True


@cache
def inputs(target: Target) -> Sequence[Any]:
    """The valid inputs, made once a process."""
    return target.seeds()


TARGETS: Final = tuple(
    Target(*parts)
    for parts in (
        *(*stored.TARGETS, *local.TARGETS, *texts.TARGETS, *governing.TARGETS),
        *(*tracked.TARGETS, *outside.TARGETS, *listed.TARGETS, *doors.TARGETS),
    )
)
