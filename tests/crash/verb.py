"""The port of a verb that accidents happen to.

Whatever befell `act`, `settle` is called next: it checks what was told, repeats the verb, and
insists that this completes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from tests.crash.world import World


class Verb(ABC):
    """One verb, over and over in one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    def prepare(self) -> None:
        """Make all that the verb needs, undisturbed."""

    @abstractmethod
    def act(self) -> str:
        """Do it, in a process that something befalls; what it tells is acknowledged, not empty."""

    @abstractmethod
    def settle(self, told: str) -> None:
        """Check, repeat, check again; `told` is empty where nothing was acknowledged."""
