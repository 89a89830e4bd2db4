"""Grants: asked for by whoever needs one, given by a person, used up by requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from vault import limits
from vault.audit.entry import EntryKind
from vault.clock import format_span
from vault.errors import Denied, GrantUnknown, UsageError
from vault.governance.grant import Grant, Standing
from vault.governance.request import Verb
from vault.ids import match_prefix, new_id
from vault.operations.ledger import administer
from vault.operations.unit import RecordUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantWish:
    """A grant to be. `principal` is empty for whoever asks; `bytes` 0 is no limit.

    It begins at `starts_at` (aware), or at once.
    """

    environment: str
    volumes: tuple[str, ...]
    reason: str
    task: str = ""
    verbs: tuple[str, ...] = ("delete",)
    life: timedelta = limits.GRANT_LIFE
    uses: int = 1
    bytes: int = 0
    starts_at: datetime | None = None
    principal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantItem:
    """A grant as people see it: its state is asked, given, spent, expired or revoked.

    It is for so many `bytes` in all, 0 for any number.
    """

    id: str
    state: str
    principal: str
    environment: str
    verbs: tuple[str, ...]
    volumes: tuple[str, ...]
    task: str
    reason: str
    uses: int
    used: int
    given_by: str
    expires_at: datetime
    starts_at: datetime | None = None
    bytes: int = 0


def request_grant(unit: RecordUnit, wish: GrantWish) -> GrantItem:
    """Ask for a grant for oneself. Raises UsageError, Denied."""
    terms = _terms(unit, wish, unit.principal.name)
    body = msgspec.to_builtins(terms)
    kind, environment = EntryKind.GRANT_ASKED, terms.environment
    administer(unit, Verb.GRANT_REQUEST, kind, body, environment=environment)
    return grant(unit, terms.grant)


def give_grant(unit: RecordUnit, text: str) -> GrantItem:
    """Give what was asked for. Raises GrantUnknown, UsageError, Denied, ApprovalNeeded."""
    standing = _find(unit, text)
    state = standing.state(unit.reader.now())
    if state != "asked":
        raise UsageError(f"this grant is {state} already", hint="See: vault grant list")
    return _give(unit, standing.terms)


def give_unasked(unit: RecordUnit, wish: GrantWish) -> GrantItem:
    """Give a grant to somebody (`principal`) who did not ask for it. Raises as `give_grant`."""
    if not wish.principal:
        raise UsageError("say to whom the grant is given", hint="As in: --to deploy-bot")
    return _give(unit, _terms(unit, wish, wish.principal))


def revoke_grant(unit: RecordUnit, text: str) -> GrantItem:
    """Take a grant back. Raises GrantUnknown."""
    terms = _find(unit, text).terms
    body = {"grant": terms.grant}
    kind, environment = EntryKind.GRANT_REVOKED, terms.environment
    administer(unit, Verb.GRANT, kind, body, environment=environment)
    return grant(unit, terms.grant)


def grants(unit: RecordUnit) -> tuple[GrantItem, ...]:
    """Every grant of the environments that are there, the oldest first."""
    now, scope = unit.reader.now(), unit.catalog.environment
    found = unit.catalog.audit.books().grants.all()
    return tuple(_item(s, now) for s in found if scope in ("", s.terms.environment))


def grant(unit: RecordUnit, text: str) -> GrantItem:
    """One grant by its id or the beginning of it. Raises GrantUnknown, IdAmbiguous."""
    return _item(_find(unit, text), unit.reader.now())


def _give(unit: RecordUnit, terms: Grant) -> GrantItem:
    if terms.principal == unit.principal.name:
        raise Denied("nobody gives a grant to themselves", hint="Ask somebody else to give it.")
    body = msgspec.to_builtins(terms)
    kind, environment = EntryKind.GRANT_GIVEN, terms.environment
    administer(unit, Verb.GRANT, kind, body, environment=environment)
    return grant(unit, terms.grant)


def _terms(unit: RecordUnit, wish: GrantWish, principal: str) -> Grant:
    now = unit.reader.now()
    starts_at = max(wish.starts_at or now, now)
    longest = limits.GRANT_LONGEST
    checks = (
        (wish.environment in unit.charter.environments, "there is no such environment"),
        (unit.catalog.environment in ("", wish.environment), "there is no such environment"),
        (bool(wish.volumes), "a grant names its volumes"),
        (bool(wish.reason.strip()), "a grant is asked for with a reason"),
        (not set(wish.verbs) - {v.value for v in Verb} and bool(wish.verbs), "no such verb"),
        (wish.uses >= 1, "a grant is for one use at least"),
        (wish.bytes >= 0, "a grant is for no less than nothing"),
        (
            timedelta(0) < wish.life <= longest,
            f"a grant lasts for {format_span(longest)} at most",
        ),
        (starts_at - now <= longest, f"a grant begins within {format_span(longest)}"),
    )
    for holds, words in checks:
        if not holds:
            raise UsageError(words, safe="Nothing was asked for.", hint="vault grant --help")
    return Grant(
        grant=new_id("grant", now),
        principal=principal,
        environment=wish.environment,
        verbs=wish.verbs,
        volumes=wish.volumes,
        starts_at=starts_at,
        expires_at=starts_at + wish.life,
        task=wish.task,
        uses=wish.uses,
        bytes=wish.bytes,
        reason=wish.reason,
    )


def _find(unit: RecordUnit, text: str) -> Standing:
    book, scope = unit.catalog.audit.books().grants, unit.catalog.environment
    there = [s.terms.grant for s in book.all() if scope in ("", s.terms.environment)]
    found = book.get(match_prefix(text, there) or "") if len(text) >= 6 else None
    if found is None:
        raise GrantUnknown(f"there is no grant “{text}”", hint="See: vault grant list")
    return found


def _item(standing: Standing, now: datetime) -> GrantItem:
    terms = standing.terms
    return GrantItem(
        id=terms.grant,
        state=standing.state(now),
        principal=terms.principal,
        environment=terms.environment,
        verbs=terms.verbs,
        volumes=terms.volumes,
        task=terms.task,
        reason=terms.reason,
        uses=terms.uses,
        used=standing.used,
        given_by=standing.given_by,
        expires_at=terms.expires_at,
        starts_at=terms.starts_at,
        bytes=terms.bytes,
    )
