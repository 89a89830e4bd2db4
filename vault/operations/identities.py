"""Identities: who there is. Adding one gives it nothing yet: tokens and grants do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vault.audit.entry import EntryKind
from vault.errors import IdentityUnknown, UsageError
from vault.governance.identity import Identity, check_name
from vault.governance.intent import Task
from vault.governance.principal import PrincipalKind
from vault.governance.request import Verb
from vault.governance.review import Finding, Held
from vault.governance.review import review as judge
from vault.governance.tokens import Token
from vault.limits import HABITS_LOOKED_AT
from vault.operations.ledger import administer
from vault.operations.unit import RecordUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityItem:
    """An identity as people see it; `last_seen_at` is when it asked for anything last."""

    name: str
    kind: str
    disabled: bool
    subject: str
    tokens: int
    last_seen_at: datetime | None


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
    of_subject = unit.catalog.audit.books().identities.of_subject(subject)
    if of_subject is not None:
        raise UsageError(
            f"{of_subject.name} has this subject already",
            safe="It stays as it is.",
            hint="An issuer's token stands for one identity alone.",
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


def review(unit: RecordUnit) -> tuple[Finding, ...]:
    """What no one should have, or has and does not use."""
    now = unit.reader.now()
    held = (_held(unit, known, now) for known in unit.catalog.audit.books().identities.all())
    return tuple(finding for one in held for finding in judge(one, now))


def _held(unit: RecordUnit, identity: Identity, now: datetime) -> Held:
    books, name = unit.catalog.audit.books(), identity.name
    seen = unit.catalog.audit.requests(name, most=HABITS_LOOKED_AT)
    grants = (s.terms for s in books.grants.all() if s.state(now) == "given")
    return Held(
        identity=identity,
        tokens=_live(unit, name, now),
        tasks=[t for t in books.tasks.all() if name in t.assignees and _is_open(t, now)],
        grants=[terms for terms in grants if terms.principal == name],
        last_seen_at=seen[-1].at if seen else None,
        origins=[origin for entry in seen if (origin := str(entry.body.get("origin", "")))],
    )


def _is_open(task: Task, now: datetime) -> bool:
    return not task.closed and (task.until is None or now < task.until)


def _live(unit: RecordUnit, name: str, now: datetime) -> list[Token]:
    tokens = unit.catalog.audit.books().tokens.all()
    return [t for t in tokens if t.name == name and not t.revoked and now < t.expires_at]


def _known(unit: RecordUnit, name: str) -> Identity:
    known = unit.catalog.audit.books().identities.get(name)
    if known is None:
        raise IdentityUnknown(
            f"there is no identity “{name}”", hint="See who there is: vault identity list"
        )
    return known


def _item(unit: RecordUnit, identity: Identity) -> IdentityItem:
    live = _live(unit, identity.name, unit.reader.now())
    seen = unit.catalog.audit.requests(identity.name, most=1)
    return IdentityItem(
        name=identity.name,
        kind=identity.kind,
        disabled=identity.disabled,
        subject=identity.subject,
        tokens=len(live),
        last_seen_at=seen[-1].at if seen else None,
    )
