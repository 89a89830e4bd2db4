"""Behaviour: what an identity did lately, by the audit log, beside its budgets and habits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from vault import limits
from vault.audit.entry import Entry, bytes_of
from vault.governance.anomaly import Past, signals
from vault.governance.breaker import Budget, Budgets, Deed, over
from vault.governance.facts import Signal
from vault.governance.request import DESTRUCTIVE, Request
from vault.operations.unit import LocalUnit


def gather(
    unit: LocalUnit, request: Request, now: datetime, uptime: float
) -> tuple[tuple[str, ...], tuple[Signal, ...]]:
    """The budgets that a request would exceed, and what is unusual about it."""
    if request.verb not in DESTRUCTIVE:
        return (), ()
    budgets = budgets_of(unit, request.environment)
    deeds = [_deed(entry, now, uptime) for entry in _lately(unit, request, uptime, budgets)]
    deed = Deed(
        caller=request.principal.name,
        environment=request.environment,
        volume=request.volume_id,
        bytes=request.bytes,
        uptime=uptime,
    )
    own = unit.catalog.audit.requests(request.principal.name, most=limits.HABITS_LOOKED_AT)
    past = [_past(entry) for entry in own]
    return (
        over(deeds, deed, request.principal.kind, budgets),
        signals(past, request.verb.value, request.volume_id, now),
    )


def _lately(unit: LocalUnit, request: Request, uptime: float, budgets: Budgets) -> Iterable[Entry]:
    """What the identity was let do in any environment, and what everyone was in this one.

    Each is looked up by itself: what is done elsewhere, by others, hides nothing of either.
    """
    since = max(uptime - budgets.longest.total_seconds(), 0.0)
    looked_up = partial(unit.catalog.audit.allowed, DESTRUCTIVE, uptime=since, most=budgets.most)
    own = looked_up(caller=request.principal.name)
    there = looked_up(environment=request.environment)
    return {entry.id: entry for entry in (*own, *there)}.values()


def budgets_of(unit: LocalUnit, environment: str) -> Budgets:
    """The budgets that hold there: the usual ones, or what vault.toml says of the environment."""
    settings = unit.settings.environments.get(environment)
    if settings is not None and settings.deletes:
        own = Budget(span=limits.BUDGET_SPAN, count=settings.deletes)
        return Budgets(human=own, agent=own, service=own, environment=own)
    span, most = limits.BUDGET_SPAN, limits.AGENT_BYTES
    agent = Budget(span=span, count=limits.AGENT_DELETES, breadth=limits.AGENT_VOLUMES, bytes=most)
    return Budgets(
        human=Budget(span=span, count=limits.HUMAN_DELETES),
        agent=agent,
        service=agent,
        environment=Budget(span=span, count=limits.ENVIRONMENT_DELETES),
    )


def _deed(entry: Entry, now: datetime, uptime: float) -> Deed:
    """What this home's clock has not seen was done elsewhere, or before its record was lost.

    How long ago that was, the store's time says: else it would count for good.
    """
    ago = (now - entry.at).total_seconds()
    return Deed(
        caller=entry.caller.name,
        environment=entry.environment,
        volume=entry.volume,
        bytes=bytes_of(entry),
        uptime=entry.uptime if entry.uptime <= uptime else uptime - ago,
    )


def _past(entry: Entry) -> Past:
    return Past(
        verb=str(entry.body.get("verb", "")),
        volume=entry.volume,
        at=entry.at,
        allowed=entry.body.get("decision") != "deny",
    )
