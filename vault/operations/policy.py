"""The rules in force: the shipped ones and, beside them, what policy.cedar in the home adds.

A text that is not valid changes nothing: the last good one, which the audit log has, goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from vault.audit.entry import Entry, EntryKind
from vault.errors import SettingsError
from vault.governance.facts import Facts, read_facts
from vault.governance.policy import Policies, decide, shipped
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Request, Verb
from vault.operations.ledger import enter
from vault.operations.unit import LocalUnit, RecordUnit

FILE: Final = "policy.cedar"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReport:
    """The rules in force: their digest, the shipped text, the home's own, and what is amiss."""

    digest: str
    shipped: str
    own: str
    complaint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
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

    A changed text that is valid is entered in the audit log before it counts.
    """
    text, complaint = _read(unit.home / FILE)
    last = unit.catalog.audit.books().policy
    if text == last:
        return _parsed(last), complaint
    if not complaint:
        try:
            fresh = _parsed(text)
        except SettingsError as error:
            complaint = error.message
        else:
            enter(unit, EntryKind.POLICY_CHANGED, {"digest": fresh.digest, "text": text})
            return fresh, ""
    return _parsed(last), f"{complaint}; the rules that held before still hold"


def complaint(unit: LocalUnit) -> str:
    """What is wrong with the file as it is; empty where nothing is."""
    text, unreadable = _read(unit.home / FILE)
    if unreadable:
        return unreadable
    try:
        _parsed(text)
    except SettingsError as error:
        return error.message
    return ""


def report(unit: RecordUnit) -> PolicyReport:
    """The rules in force."""
    rules, amiss = current(unit)
    return PolicyReport(digest=rules.digest, shipped=shipped(), own=rules.own, complaint=amiss)


def tried(text: str) -> PolicyReport:
    """What the rules would be with this text in the home. Raises SettingsError."""
    rules = Policies(text)
    return PolicyReport(digest=rules.digest, shipped=shipped(), own=text, complaint="")


def simulate(unit: RecordUnit, text: str, since: timedelta) -> tuple[Difference, ...]:
    """Judge the requests since then anew, by other rules, and tell where the answer differs.

    Each is judged by the facts that held when it was made. Raises SettingsError.
    """
    return tuple(_differences(unit, Policies(text), unit.reader.now() - since))


def _differences(unit: RecordUnit, rules: Policies, since: datetime) -> Iterator[Difference]:
    for entry in unit.catalog.audit.requests():
        facts = _facts(entry) if entry.at >= since else None
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


def _facts(entry: Entry) -> Facts | None:
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


def _read(path: Path) -> tuple[str, str]:
    try:
        return path.read_text("utf-8"), ""
    except FileNotFoundError:
        return "", ""
    except (OSError, UnicodeDecodeError) as error:
        return "", f"{path} cannot be read: {error}"


@lru_cache(maxsize=16)
def _parsed(text: str) -> Policies:
    return Policies(text)
