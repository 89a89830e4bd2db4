"""The breaker: how much one identity, and one environment, may destroy in a while.

Windows slide on the time that this home has seen pass by its boot clock: they survive restarts, and
nobody can set them. What would exceed a budget is held; it is not slowed down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from vault.clock import format_span
from vault.governance.principal import PrincipalKind
from vault.limits import BUDGETS_LOOKED_AT


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One destructive request that was allowed, or is about to be. `uptime` is in seconds."""

    caller: str
    environment: str
    volume: str
    bytes: int
    uptime: float


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """So much in any `span`: requests, distinct volumes, bytes. 0 is no limit."""

    span: timedelta
    count: int = 0
    breadth: int = 0
    bytes: int = 0


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """The budgets of each kind of identity, and of an environment with all its identities."""

    human: Budget
    agent: Budget
    service: Budget
    environment: Budget

    def of(self, kind: PrincipalKind) -> Budget:
        """The budget of an identity of this kind."""
        budget: Budget = getattr(self, kind.value)
        return budget

    def at_most(self, count: int) -> Budgets:
        """These, and nowhere more deletes than so many."""
        human, agent, service, environment = (
            replace(budget, count=min(budget.count, count))
            for budget in (self.human, self.agent, self.service, self.environment)
        )
        return Budgets(human=human, agent=agent, service=service, environment=environment)

    @property
    def longest(self) -> timedelta:
        """How far back anything counts."""
        return max(b.span for b in (self.human, self.agent, self.service, self.environment))

    @property
    def most(self) -> int:
        """How many deeds have to be looked at; of a budget beyond all counting none."""
        counts = [b.count for b in (self.human, self.agent, self.service, self.environment)]
        return max(counts) + 1 if max(counts) <= BUDGETS_LOOKED_AT else 0


def over(
    history: Sequence[Deed], deed: Deed, kind: PrincipalKind, budgets: Budgets
) -> tuple[str, ...]:
    """Each budget that this deed would exceed, in words with numbers; none where it may be done."""
    own = (former for former in history if former.caller == deed.caller)
    there = (former for former in history if former.environment == deed.environment)
    return (
        *_exceeded(own, deed, budgets.of(kind), deed.caller),
        *_exceeded(there, deed, budgets.environment, f"the environment {deed.environment}"),
    )


def _exceeded(history: Iterable[Deed], deed: Deed, budget: Budget, whose: str) -> Iterable[str]:
    since = deed.uptime - budget.span.total_seconds()
    deeds = [former for former in history if former.uptime > since]
    deeds.append(deed)
    span = format_span(budget.span)
    used = (
        (len(deeds), budget.count, "deletes"),
        (len({d.volume for d in deeds}), budget.breadth, "volumes"),
        (sum(d.bytes for d in deeds), budget.bytes, "bytes"),
    )
    for number, most, what in used:
        if most and number > most:
            yield f"{whose} has a budget of {most} {what} in {span}; with this it would be {number}"
