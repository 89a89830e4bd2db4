"""P11, reckoned once more: how much was set aside in how short a time, and who is frozen for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from vault.testing.simulation.clocks import BEGIN
from vault.testing.simulation.oracle import Oracle

PREVIEW: Final = "preview"
"""The ephemeral environment beside production."""

SPAN: Final = timedelta(minutes=10)
_SECOND: Final = timedelta(seconds=2)
"""What a store's whole seconds can hide of a span."""


class Budget(NamedTuple):
    """Deletes, and distinct volumes among them, in a span."""

    deletes: int
    volumes: int = 1_000


_AGENT: Final = Budget(10, 5)
_HUMAN: Final = Budget(60)
_ENVIRONMENT: Final = Budget(120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A delete that was acknowledged: it was let pass between `asked` and `told` (true time)."""

    caller: str
    agent: bool
    environment: str
    volume: str
    asked: datetime
    told: datetime


@dataclass(slots=True)
class Deeds:
    """See above. `deletes` is the preview's own budget, 0 for the usual ones.

    `known_since` says since when the product can know how long ago a deed was: not further back
    than its record of time up, where the store's clock is one that anybody can set.
    """

    oracle: Oracle
    deletes: int
    known_since: Callable[[], datetime]
    _done: list[Deed] = field(default_factory=list)
    _frozen: dict[str, datetime] = field(default_factory=dict)
    _thawing: set[str] = field(default_factory=set)
    _thawed: dict[str, datetime] = field(default_factory=dict)

    def done(self, deed: Deed) -> None:
        """A delete was acknowledged: no budget is exceeded, and its caller was not frozen."""
        who, where = deed.caller, deed.environment
        self._done.append(deed)
        since = max(deed.told - SPAN + _SECOND, self.known_since())
        lately = [former for former in self._done if former.asked >= since]
        self._within(who, [d for d in lately if d.caller == who], self._own)
        self._within(where, [d for d in lately if d.environment == where], self._common)
        frozen = self._frozen.get(who)
        self.oracle.insist(
            frozen is None or deed.asked <= frozen,
            f"P11: {who} was frozen and deletes before a person has looked",
        )

    def held(self, caller: str, asked: datetime) -> None:
        """Somebody was told that they are over their budget, or frozen: frozen they stay.

        Where a person let them go on meanwhile, nobody can tell which of both came first.
        """
        self.oracle.counts["held by the breaker"] += 1
        thawed = self._thawed.get(caller)
        if caller not in self._thawing and (thawed is None or asked > thawed):
            self._frozen.setdefault(caller, self.oracle.sight.now())

    def listed(self, names: Collection[str]) -> None:
        """A person asked who is frozen: whoever was told so is among them."""
        missing = sorted(self._frozen.keys() - set(names))
        self.oracle.insist(not missing, f"P11: {missing} wait for a person, and nobody is told")

    @contextmanager
    def thawing(self, name: str) -> Iterator[None]:
        """A person lets somebody go on; from now on that may have had its effect."""
        self._frozen.pop(name, None)
        self._thawing.add(name)
        try:
            yield
        finally:
            self._thawing.discard(name)
            self._thawed[name] = self.oracle.sight.now()
        self.oracle.counts["unfrozen"] += 1

    def _within(self, whose: str, deeds: list[Deed], budget: Callable[[Deed], Budget]) -> None:
        """Of several at once any may have been let pass last, by the budget of where it was."""
        began = max((deed.asked for deed in deeds), default=BEGIN)
        budgets = [budget(deed) for deed in deeds if deed.told >= began]
        volumes = len({deed.volume for deed in deeds})
        self.oracle.insist(
            not deeds or any(len(deeds) <= b.deletes and volumes <= b.volumes for b in budgets),
            f"P11: {whose} has deleted {len(deeds)} times in {SPAN}, {volumes} volumes",
        )

    def _own(self, deed: Deed) -> Budget:
        if deed.environment == PREVIEW and self.deletes:
            return Budget(self.deletes)
        return _AGENT if deed.agent else _HUMAN

    def _common(self, deed: Deed) -> Budget:
        if deed.environment == PREVIEW and self.deletes:
            return Budget(self.deletes)
        return _ENVIRONMENT
