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
    deeds = list(_deeds(unit, request, budgets, now, uptime))
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


def _deeds(
    unit: RecordUnit, request: Request, budgets: Budgets, now: datetime, uptime: float
) -> Iterable[Deed]:
    """What counts beside the request: what this home has let pass, and what others have.

    This home's clock says how long ago its own was, whatever others are set to. What that clock
    has not seen was done before its record was lost, or by another home, as far as it is known
    here: there the store's time says it, else it would count for good.
    """
    log, span = unit.signer.key_id, budgets.longest
    own = Lately(log, own=True, since=max(uptime - span.total_seconds(), 0.0))
    others = Lately(log, own=False, since=earliest_id("aud", now - span))
    for lately in (own, others):
        for entry in _allowed(unit, request, lately, budgets.most):
            seen = lately.own and entry.uptime <= uptime
            ago = (now - entry.at).total_seconds()
            yield Deed(
                caller=entry.caller.name,
                environment=entry.environment,
                volume=entry.volume,
                bytes=bytes_of(entry),
                uptime=entry.uptime if seen else uptime - ago,
            )


def _allowed(unit: RecordUnit, request: Request, lately: Lately, most: int) -> Iterable[Entry]:
    """What the identity was let do in any environment, and what everyone was in this one.

    Each is looked up by itself: what is done elsewhere, by others, hides nothing of either.
    """
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


def _past(entry: Entry) -> Past:
    return Past(
        verb=str(entry.body.get("verb", "")),
        volume=entry.volume,
        at=entry.at,
        allowed=entry.body.get("decision") != "deny",
    )
