"""The rules in force: the shipped ones and, beside them, what policy.cedar in the home adds.

A text that is not valid changes nothing, and neither does a file that is gone: the last good one,
which the audit log has, goes on. Where people are enrolled, they agree before a text holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from vault.audit.entry import Entry, EntryKind
from vault.errors import SettingsError, StoreError
from vault.governance.expectation import CaseResult, judge, read_cases
from vault.governance.facts import Facts, read_facts
from vault.governance.policy import Policies, decide, shipped
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Request, Verb
from vault.operations import homes
from vault.operations.audit import commit
from vault.operations.ledger import administer, enter
from vault.operations.unit import LocalUnit, RecordUnit, exclusive

FILE: Final = homes.RULES
_TOLD: Final = "policy_told"


class PolicyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force: their digest, the shipped text, the home's own, and what is amiss."""

    digest: str
    shipped: str
    own: str
    complaint: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the past that other rules would have answered otherwise."""

    id: str
    at: datetime
    caller: str
    verb: str
    volume: str
    decided: str
    would_be: str
    reasons: tuple[str, ...]


def current(unit: RecordUnit) -> tuple[Policies, str]:
    """The rules that hold now, and what is wrong with the file; empty where nothing is.

    A changed text that is valid is entered in the audit log before it counts. Raises SettingsError:
    neither the file nor what held before can be used.
    """
    found = _look(unit)
    if found.fresh is None or found.amiss:
        return _parsed(found.last), found.amiss
    if found.fresh.own != found.last:
        enter(unit, EntryKind.POLICY_CHANGED, _body(found.fresh))
    return found.fresh, ""


def use(unit: RecordUnit) -> PolicyReport:
    """Let the file hold; where people are enrolled, they agree to its text first.

    Raises SettingsError: it is not valid; ApprovalNeeded, Denied, StoreError.
    """
    found = _look(unit)
    if found.fresh is None:
        raise SettingsError(found.amiss, hint="Look at it with: vault policy check FILE")
    if found.amiss:
        administer(unit, Verb.POLICY, EntryKind.POLICY_CHANGED, _body(found.fresh))
    shown = report(unit)
    commit(unit)
    return shown


def watch(unit: RecordUnit) -> str:
    """What is wrong with the file now; where that has changed, people are to be told.

    Told is what the audit log has: that it cannot be used, and once it is put right, that, too.
    """
    amiss = complaint(unit)
    with exclusive(unit.home, "policy-watch"):
        if amiss == unit.catalog.meta.get(_TOLD):
            return amiss
        body = {"check": "policy", "findings": int(bool(amiss)), "first": amiss}
        enter(unit, EntryKind.CHECK_FAILED, body)
        unit.catalog.meta.set(_TOLD, amiss)
    with suppress(StoreError):  # it waits, durably, for whoever commits next
        commit(unit)
    return amiss


def complaint(unit: LocalUnit) -> str:
    """What is wrong with the file as it is, and what holds instead; empty where nothing is."""
    return _look(unit).amiss


def report(unit: RecordUnit) -> PolicyReport:
    """The rules in force."""
    rules, amiss = current(unit)
    return PolicyReport(digest=rules.digest, shipped=shipped(), own=rules.own, complaint=amiss)


def tried(text: str) -> PolicyReport:
    """What the rules would be with this text in the home. Raises SettingsError."""
    rules = Policies(text)
    return PolicyReport(digest=rules.digest, shipped=shipped(), own=text, complaint="")


def expected(cases: str, text: str) -> tuple[CaseResult, ...]:
    """Put a file of cases to the rules with this text beside them.

    Raises SettingsError: the rules are not valid; UsageError: the cases are not.
    """
    return judge(read_cases(cases), Policies(text))


def simulate(unit: RecordUnit, text: str, since: timedelta) -> tuple[Difference, ...]:
    """Judge the requests since then anew, by other rules, and tell where the answer differs.

    Each is judged by the facts that held when it was made. Raises SettingsError.
    """
    return tuple(_differences(unit, Policies(text), unit.reader.now() - since))


def _differences(unit: RecordUnit, rules: Policies, since: datetime) -> Iterator[Difference]:
    for entry in unit.catalog.audit.requests():
        facts = facts_of(entry) if entry.at >= since else None
        if facts is None:
            continue
        decision = decide(facts, rules)
        would_be, decided = type(decision).__name__.lower(), str(entry.body.get("decision"))
        if would_be != decided:
            yield Difference(
                id=entry.id,
                at=entry.at,
                caller=entry.caller.name,
                verb=facts.request.verb,
                volume=facts.request.volume,
                decided=decided,
                would_be=would_be,
                reasons=decision.reasons,
            )


def facts_of(entry: Entry) -> Facts | None:
    """What was known when a request was judged; None where a newer vault wrote it otherwise."""
    body, caller = entry.body, entry.caller
    try:
        request = Request(
            verb=Verb(body["verb"]),
            volume=str(body["volume_name"]),
            volume_id=entry.volume,
            environment=entry.environment,
            principal=Principal(PrincipalKind(caller.kind), caller.name, Via(caller.via)),
            reason=str(body["reason"]),
            task=str(body["task"]),
            bytes=int(body["bytes"]),
        )
        return read_facts(request, body["facts"])
    except (KeyError, ValueError, TypeError, msgspec.ValidationError):
        return None


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """The rules with the file as it is (None: it cannot be used), and the text that held before.

    `amiss` says why the file does not hold.
    """

    fresh: Policies | None
    last: str
    amiss: str


def _look(unit: LocalUnit) -> _Found:
    """Where people are enrolled, whoever can write a file does not change who may do what by it."""
    path, books = unit.home / FILE, unit.catalog.audit.books()
    fresh, amiss = None, ""
    try:
        fresh = _parsed(_read(path, books.policy))
        if fresh.own != books.policy and books.roster.quorum:
            amiss = f"{path} was changed, and people have to agree: vault policy use"
    except SettingsError as error:
        amiss = error.message
    amiss = f"{amiss}; the rules that held before still hold" if amiss else ""
    return _Found(fresh=fresh, last=books.policy, amiss=amiss)


def _read(path: Path, last: str) -> str:
    """The file's text. One that is gone is no wish: whoever wants none of their own empties it."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        if last:
            raise SettingsError(f"{path} is gone") from None
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None


def _body(rules: Policies) -> dict[str, str]:
    return {"digest": rules.digest, "text": rules.own}


@lru_cache(maxsize=16)
def _parsed(text: str) -> Policies:
    return Policies(text)
