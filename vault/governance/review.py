"""Review: what no one should have, or has and does not use. Every finding has a stable word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vault.clock import format_span
from vault.governance.grant import Grant
from vault.governance.identity import Identity
from vault.governance.intent import Task
from vault.governance.principal import PrincipalKind
from vault.governance.tokens import Token

_UNUSED: Final = timedelta(days=30)
_LONG: Final = timedelta(days=30)
_EVERYTHING: Final = frozenset(("*", "**"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that no one should have: `what` is a stable word."""

    name: str
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an identity has now: live tokens, open tasks, grants that were given.

    `origins` are the addresses that its requests came from, the oldest first.
    """

    identity: Identity
    tokens: Sequence[Token] = ()
    tasks: Sequence[Task] = ()
    grants: Sequence[Grant] = ()
    last_seen_at: datetime | None = None
    origins: Sequence[str] = ()


def review(held: Held, now: datetime) -> Iterator[Finding]:
    """Everything that stands out about one identity."""
    for what, detail in _review(held, now):
        yield Finding(name=held.identity.name, what=what, detail=detail)


def _review(held: Held, now: datetime) -> Iterator[tuple[str, str]]:
    if held.identity.disabled and held.tokens:
        yield "disabled", "it still has tokens"
    if held.last_seen_at is None:
        yield "never-used", "it never asked for anything"
    elif now - held.last_seen_at > _UNUSED:
        yield "unused", f"not seen for {format_span(_UNUSED)}"
    *before, last = held.origins or ("",)
    if before and last not in before:
        yield "elsewhere", f"its last request came from {last}, none before did"
    yield from (("over-broad", detail) for detail in _broad(held))
    yield from _lasting(held, now)


def _broad(held: Held) -> Iterator[str]:
    for token in held.tokens:
        if held.identity.kind is not PrincipalKind.HUMAN and not (token.verbs or token.volumes):
            yield f"{token.token} is limited to no verbs and no volumes"
    for grant in held.grants:
        if _EVERYTHING & set(grant.volumes):
            yield f"{grant.grant} is for every volume"
    for task in held.tasks:
        if _EVERYTHING & set(task.volumes):
            yield f"the task {task.task} covers every volume"


def _lasting(held: Held, now: datetime) -> Iterator[tuple[str, str]]:
    for task in held.tasks:
        if task.until is None:
            yield "never-expiring", f"the task {task.task} stays open until somebody closes it"
    for token in held.tokens:
        if token.expires_at - now > _LONG:
            yield "long-lived", f"{token.token} lasts for {format_span(token.expires_at - now)} yet"
