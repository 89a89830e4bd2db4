"""Identities: who there is. Adding one gives it nothing yet: tokens and grants do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vault.audit.entry import EntryKind
from vault.errors import IdentityUnknown, UsageError
from vault.governance.identity import Identity, check_name
from vault.governance.principal import PrincipalKind
from vault.governance.request import Verb
from vault.operations.ledger import administer
from vault.operations.unit import RecordUnit

_UNUSED: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityItem:
    """An identity as people see it; `last_seen_at` is when it asked for anything last."""

    name: str
    kind: str
    disabled: bool
    subject: str
    tokens: int
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """Something that no one should have: `what` is a stable word."""

    name: str
    what: str
    detail: str


def add_identity(unit: RecordUnit, name: str, kind: str, subject: str = "") -> IdentityItem:
    """Add an identity. Raises UsageError: a name that is taken or cannot be one, no such kind."""
    check_name(name)
    if kind not in {known.value for known in PrincipalKind}:
        raise UsageError(f"there is no kind “{kind}”", hint="human, agent or service")
    known = unit.catalog.audit.books().identities.like(name)
    if known is not None:
        raise UsageError(
            f"there is an identity “{known.name}” already",
            safe="It stays as it is.",
            hint="Names that differ in case alone would be mistaken for one another.",
        )
    body = {"name": name, "kind": str(kind), "subject": subject}
    administer(unit, Verb.IDENTITY, EntryKind.IDENTITY_ADDED, body)
    return show(unit, name)


def enable(unit: RecordUnit, name: str, *, disabled: bool) -> IdentityItem:
    """Let an identity do nothing more, or let it again. Raises IdentityUnknown."""
    _known(unit, name)
    kind = EntryKind.IDENTITY_DISABLED if disabled else EntryKind.IDENTITY_ENABLED
    administer(unit, Verb.IDENTITY, kind, {"name": name})
    return show(unit, name)


def identities(unit: RecordUnit) -> tuple[IdentityItem, ...]:
    """Every identity, by name."""
    return tuple(_item(unit, i) for i in unit.catalog.audit.books().identities.all())


def show(unit: RecordUnit, name: str) -> IdentityItem:
    """One identity. Raises IdentityUnknown."""
    return _item(unit, _known(unit, name))


def review(unit: RecordUnit) -> tuple[ReviewItem, ...]:
    """What no one should have, or has and does not use."""
    return tuple(_review(unit, unit.reader.now()))


def _review(unit: RecordUnit, now: datetime) -> Iterator[ReviewItem]:
    books = unit.catalog.audit.books()
    for item in identities(unit):
        if item.disabled and item.tokens:
            yield ReviewItem(name=item.name, what="disabled", detail="it still has tokens")
        if item.last_seen_at is None:
            yield ReviewItem(
                name=item.name, what="never-used", detail="it never asked for anything"
            )
        elif now - item.last_seen_at > _UNUSED:
            yield ReviewItem(name=item.name, what="unused", detail="not seen for 30 days")
    for token in books.tokens.all():
        known = books.identities.get(token.name)
        live = not token.revoked and now < token.expires_at
        agent = known is not None and known.kind is PrincipalKind.AGENT
        if live and agent and not token.verbs and not token.volumes:
            detail = f"{token.token} is limited to no verbs and no volumes"
            yield ReviewItem(name=token.name, what="over-broad", detail=detail)


def _known(unit: RecordUnit, name: str) -> Identity:
    known = unit.catalog.audit.books().identities.get(name)
    if known is None:
        raise IdentityUnknown(
            f"there is no identity “{name}”", hint="See who there is: vault identity list"
        )
    return known


def _item(unit: RecordUnit, identity: Identity) -> IdentityItem:
    now, tokens = unit.reader.now(), unit.catalog.audit.books().tokens.all()
    live = [t for t in tokens if t.name == identity.name and not t.revoked and now < t.expires_at]
    seen = unit.catalog.audit.requests(identity.name, most=1)
    return IdentityItem(
        name=identity.name,
        kind=identity.kind,
        disabled=identity.disabled,
        subject=identity.subject,
        tokens=len(live),
        last_seen_at=seen[-1].at if seen else None,
    )
