"""Grants, just in time: this principal, these verbs, these volumes, this task, so often, until."""

from __future__ import annotations

from datetime import datetime

import msgspec

from vault.audit.entry import Entry, EntryKind, bytes_of
from vault.governance.facts import GrantFact
from vault.governance.intent import Moment, covers, read_body
from vault.governance.request import Request


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of a grant. Times are the store's; `uses` and `bytes` are the most in all.

    `bytes` 0 is no limit.
    """

    grant: str
    principal: str
    environment: str
    verbs: tuple[str, ...]
    volumes: tuple[str, ...]
    starts_at: Moment
    expires_at: Moment
    task: str = ""
    uses: int = 1
    bytes: int = 0
    reason: str = ""


class Standing(msgspec.Struct):
    """A grant and what became of it: asked for, given (by whom), revoked; what it was used for."""

    terms: Grant
    given_by: str = ""
    revoked: bool = False
    used: int = 0
    used_bytes: int = 0

    def state(self, now: datetime) -> str:
        """In one word, as people see it."""
        if self.revoked:
            return "revoked"
        if now >= self.terms.expires_at:
            return "expired"
        if not self.given_by:
            return "asked"
        return "spent" if self.used >= self.terms.uses else "given"


_ORDER = (GrantFact.FITS, GrantFact.SPENT, GrantFact.EXPIRED, GrantFact.ASKED, GrantFact.NONE)


class Grants:
    """The book of grants; uses are counted from the requests that were allowed by them."""

    def __init__(self) -> None:
        self._grants: dict[str, Standing] = {}

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        name = str(entry.body.get("grant", ""))
        known = self._grants.get(name)
        if entry.kind is EntryKind.GRANT_ASKED:
            terms = read_body(entry, Grant)
            if terms is not None and known is None:
                self._grants[terms.grant] = Standing(terms)
        elif entry.kind is EntryKind.GRANT_GIVEN:
            terms = read_body(entry, Grant)
            if terms is not None:
                self._give(terms, entry.caller.name)
        elif known is not None and entry.kind is EntryKind.GRANT_REVOKED:
            known.revoked = True
        elif known is not None and entry.kind is EntryKind.REQUEST and _is_let_pass(entry):
            known.used += 1
            known.used_bytes += bytes_of(entry)

    def _give(self, terms: Grant, giver: str) -> None:
        """Only once, by somebody else, and of what was asked for where it was asked for."""
        known = self._grants.get(terms.grant)
        if giver == terms.principal or (known is not None and known.given_by):
            return
        if known is None:
            self._grants[terms.grant] = Standing(terms, given_by=giver)
        elif terms == known.terms:
            known.given_by = giver

    def all(self) -> list[Standing]:
        """Every grant, the oldest first."""
        return [self._grants[name] for name in sorted(self._grants)]

    def get(self, name: str) -> Standing | None:
        """One grant by its id."""
        return self._grants.get(name)

    def fact(self, request: Request, now: datetime) -> tuple[GrantFact, str]:
        """Whether a grant covers a request, and which: of several, the one that expires first."""
        judged = [
            (_judged(standing, request, now), standing.terms.expires_at, name)
            for name, standing in self._grants.items()
            if _is_about(standing.terms, request)
        ]
        judged = [item for item in judged if item[0] is not GrantFact.NONE]
        if not judged:
            return GrantFact.NONE, ""
        fact, _, name = min(judged, key=lambda item: (_ORDER.index(item[0]), item[1], item[2]))
        return fact, name if fact is GrantFact.FITS else ""


def _is_let_pass(request: Entry) -> bool:
    return request.body.get("decision") == "allow"


def _is_about(terms: Grant, request: Request) -> bool:
    return (
        terms.principal == request.principal.name
        and terms.environment == request.environment
        and request.verb.value in terms.verbs
        and (not terms.task or terms.task == request.task)
        and covers(terms.volumes, request)
    )


def _judged(standing: Standing, request: Request, now: datetime) -> GrantFact:
    terms = standing.terms
    if standing.revoked:
        return GrantFact.NONE
    if now >= terms.expires_at:
        return GrantFact.EXPIRED
    if not standing.given_by:
        return GrantFact.ASKED
    if now < terms.starts_at:
        return GrantFact.NONE
    over = terms.bytes and standing.used_bytes + request.bytes > terms.bytes
    return GrantFact.SPENT if over or standing.used >= terms.uses else GrantFact.FITS
