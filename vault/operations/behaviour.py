"""Behaviour: what an identity did lately, by the audit log, beside its budgets and habits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from vault import limits
from vault.audit.entry import Entry, bytes_of
from vault.catalog.audit import Lately
from vault.governance.anomaly import Past, signals
from vault.governance.breaker import Budget, Budgets, Deed, over
from vault.governance.facts import Signal
from vault.governance.request import DESTRUCTIVE, Request
from vault.ids import earliest_id
from vault.operations.unit import ReadUnit, RecordUnit, class_of


def gather(
    unit: RecordUnit, request: Request, now: datetime, uptime: float
) -> tuple[tuple[str, ...], tuple[Signal, ...]]:
    """The budgets that a request would exceed, and what is unusual about it."""
    if request.verb not in DESTRUCTIVE:
        return (), ()
    budgets = budgets_of(unit, request.environment)
    deeds = [*_own(unit, request, now, uptime), *_others(unit, request, now, uptime)]
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


def _own(unit: RecordUnit, request: Request, now: datetime, uptime: float) -> Iterable[Deed]:
    """What this home has let pass. Its clock says how long ago, whatever others are set to.

    What that clock has not seen was done before its record was lost: there the store's time says
    it, else it would count for good.
    """
    span = budgets_of(unit, request.environment).longest
    since = max(uptime - span.total_seconds(), 0.0)
    for entry in _lately(unit, request, Lately(unit.signer.key_id, own=True, since=since)):
        seen = entry.uptime <= uptime
        yield _deed(entry, entry.uptime if seen else uptime - _ago(entry, now))


def _others(unit: RecordUnit, request: Request, now: datetime, uptime: float) -> Iterable[Deed]:
    """What other homes have let pass, as far as it is known here: only the store's time is ours."""
    since = earliest_id("aud", now - budgets_of(unit, request.environment).longest)
    for entry in _lately(unit, request, Lately(unit.signer.key_id, own=False, since=since)):
        yield _deed(entry, uptime - _ago(entry, now))


def _lately(unit: RecordUnit, request: Request, lately: Lately) -> Iterable[Entry]:
    """What the identity was let do in any environment, and what everyone was in this one.

    Each is looked up by itself: what is done elsewhere, by others, hides nothing of either.
    """
    most = budgets_of(unit, request.environment).most
    looked_up = partial(unit.catalog.audit.allowed, DESTRUCTIVE, lately, most=most)
    own = looked_up(caller=request.principal.name)
    there = looked_up(environment=request.environment)
    return {entry.id: entry for entry in (*own, *there)}.values()


def budgets_of(unit: ReadUnit, environment: str) -> Budgets:
    """The budgets that hold there: the usual ones, or what vault.toml says of the environment.

    Of a protected one it can say less, and no more: whoever may write that file could end the
    breaker by it.
    """
    span, most = limits.BUDGET_SPAN, limits.AGENT_BYTES
    agent = Budget(span=span, count=limits.AGENT_DELETES, breadth=limits.AGENT_VOLUMES, bytes=most)
    usual = Budgets(
        human=Budget(span=span, count=limits.HUMAN_DELETES),
        agent=agent,
        service=agent,
        environment=Budget(span=span, count=limits.ENVIRONMENT_DELETES),
    )
    settings = unit.settings.environments.get(environment)
    if settings is None or not settings.deletes:
        return usual
    if class_of(unit, environment) == "ephemeral":
        own = Budget(span=span, count=settings.deletes)
        return Budgets(human=own, agent=own, service=own, environment=own)
    return usual.at_most(settings.deletes)


def _ago(entry: Entry, now: datetime) -> float:
    return (now - entry.at).total_seconds()


def _deed(entry: Entry, uptime: float) -> Deed:
    return Deed(
        caller=entry.caller.name,
        environment=entry.environment,
        volume=entry.volume,
        bytes=bytes_of(entry),
        uptime=uptime,
    )


def _past(entry: Entry) -> Past:
    return Past(
        verb=str(entry.body.get("verb", "")),
        volume=entry.volume,
        at=entry.at,
        allowed=entry.body.get("decision") != "deny",
    )
