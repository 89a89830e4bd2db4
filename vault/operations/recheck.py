"""Recheck: whether people agreed to something, told anew from the entries of the audit log alone.

Nothing that a host has concluded is taken over: every signature is verified once more with the key
that its approver had then, every approver back to the root key that began the roster. Whoever is
about to destroy something reads the entries from the store, by the times at which these arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

import msgspec

from vault import codec
from vault.audit.entry import Entry, EntryKind
from vault.codec.signing import verify
from vault.errors import ExtraMissing, SignatureRefused, UsageError
from vault.governance.approval import Approvals, Asked, Plan, Roster, plan_text, same_person
from vault.governance.intent import read_body
from vault.governance.request import Verb
from vault.limits import APPROVAL_LIFE, CLOCK_TOLERANCE
from vault.operations.ledger import in_words
from vault.operations.record import doubts
from vault.operations.unit import ReadUnit
from vault.repository.audit_log import read_lines
from vault.repository.authentic import TamperingLog

_ROSTER: Final = (EntryKind.APPROVER_ADDED, EntryKind.APPROVER_REMOVED, EntryKind.QUORUM_SET)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What people agreed to and what was let pass by that, once: at which time, and who agreed."""

    plan: Plan
    at: datetime
    by: tuple[str, ...]


def founding_statement(vault: str, name: str, key: str) -> bytes:
    """What the root key signs to enrol one of the first approvers."""
    return f"approver of {vault}: {name} {key}".encode()


def check_approval(entries: Iterable[Entry], ask: str, *, vault: str, root: str) -> tuple[str, ...]:
    """Who agreed to what was asked for, when it was used; `entries` in the order of their ids.

    `root` is the vault's root key in hex. Raises SignatureRefused: it was never used, or without
    enough of the people who were enrolled then, or for another request than they signed.
    """
    agreed = _replayed(entries, vault, root).get(ask)
    if agreed is None:
        raise SignatureRefused(
            f"the log does not show that people agreed to {ask} and that it was carried out",
            hint="Look at its entries: vault audit show --kind approval_signed",
        )
    return agreed.by


def agreements(unit: ReadUnit) -> tuple[Agreement, ...]:
    """Everything that people agreed to and that was used, by the log as the store has it.

    The times are the store's. Where something of the log is missing, or not understood, there are
    none: what is missing may be that somebody agrees no more. Raises StoreError.
    """
    notes: TamperingLog = []
    entries = sorted(_stored(unit, notes), key=attrgetter("at", "id"))
    if doubts(notes):
        return ()
    return tuple(_replayed(entries, unit.charter.vault, unit.charter.root).values())


def agreed(
    found: Iterable[Agreement], wanted: tuple[str, str, str, str, str], recorded_at: datetime
) -> tuple[str, ...]:
    """Who agreed to what a record says was let pass; empty for nobody.

    `wanted` is verb, volume, environment, class and what it is about. Whoever records it does so
    at once: an agreement of another time is to something else.
    """
    for one in found:
        plan = one.plan
        same = (plan.verb, plan.volume_id, plan.environment, plan.class_, plan.about) == wanted
        if same and abs(recorded_at - one.at) <= CLOCK_TOLERANCE:
            return one.by
    return ()


def _stored(unit: ReadUnit, notes: TamperingLog) -> Iterator[Entry]:
    """Every entry, with the time at which the store received it: no host can have it older."""
    for stored in read_lines(unit.reader, unit.charter, notes):
        for _, entry in stored.entries():
            yield msgspec.structs.replace(entry, at=stored.stored_at)


def _replayed(entries: Iterable[Entry], vault: str, root: str) -> dict[str, Agreement]:
    replay = _Replay(vault, root)
    for entry in entries:
        replay.take(entry)
    return replay.used


class _Replay:
    """The books of approvals and of the roster, of what can be proved only."""

    def __init__(self, vault: str, root: str) -> None:
        self._vault, self._root = vault, root
        self._approvals, self._roster = Approvals(), Roster()
        self._requests: dict[str, Entry] = {}
        self.used: dict[str, Agreement] = {}

    def take(self, entry: Entry) -> None:
        """Take one entry in, or leave it out where it proves nothing."""
        if entry.kind is EntryKind.REQUEST:
            self._take_request(entry)
        elif entry.kind is EntryKind.APPROVAL_USED:
            self._take_use(entry)
        elif entry.kind is EntryKind.APPROVAL_SIGNED:
            if self._is_signed(entry):
                self._approvals.apply(entry)
        elif entry.kind is EntryKind.APPROVAL_ASKED:
            if _is_short(entry):
                self._approvals.apply(entry)
        elif entry.kind not in _ROSTER or (
            _tells_touch(entry) and (self._is_founded(entry) or self._is_agreed(entry))
        ):
            self._approvals.apply(entry)
            self._roster.apply(entry)

    def _take_request(self, entry: Entry) -> None:
        if entry.body.get("decision") == "allow" and entry.body.get("ask"):
            self._requests[entry.id] = entry

    def _take_use(self, entry: Entry) -> None:
        """One use, by the request that it was given for."""
        ask = str(entry.body.get("ask", ""))
        asked = self._approvals.get(ask)
        requests = [r for r in self._requests.values() if r.body["ask"] == ask]
        if (
            asked is not None
            and len(requests) == 1
            and _fits(asked.plan, requests[0])
            and asked.state(self._roster, requests[0].at) == "given"
        ):
            by = tuple(asked.agreed(self._roster))
            self.used[ask] = Agreement(plan=asked.plan, at=requests[0].at, by=by)
        self._approvals.apply(entry)

    def _is_signed(self, entry: Entry) -> bool:
        asked = self._approvals.get(str(entry.body.get("ask", "")))
        approver = self._roster.get(str(entry.body.get("approver", "")))
        if asked is None or approver is None or entry.body.get("key") != approver.key:
            return False
        if same_person(approver.name, asked.plan.requester):
            return False
        return _verifies(asked, approver.key, str(entry.body.get("signature", "")))

    def _is_founded(self, entry: Entry) -> bool:
        if entry.kind is not EntryKind.APPROVER_ADDED or not self._roster.founding:
            return False
        name, key = str(entry.body.get("name", "")), str(entry.body.get("key", ""))
        try:
            proof = bytes.fromhex(str(entry.body.get("proof", "")))
        except ValueError:
            return False
        return verify(self._root, proof, founding_statement(self._vault, name, key))

    def _is_agreed(self, entry: Entry) -> bool:
        """Whether the quorum of that time agreed to this very change of the roster."""
        request = self._requests.pop(entry.about, None)
        asked = self._approvals.get(str(request.body["ask"])) if request is not None else None
        return (
            asked is not None
            and asked.plan.ask in self.used
            and asked.plan.verb == Verb.ROSTER
            and asked.plan.about == in_words(entry.kind, entry.body)
        )


def _tells_touch(entry: Entry) -> bool:
    """Whether a key that is said to want a touch does: the root key's proof is of the key alone."""
    if entry.kind is not EntryKind.APPROVER_ADDED or not entry.body.get("touch"):
        return True
    try:
        return codec.agreement.wants_touch(codec.agreement.read_key(str(entry.body.get("key"))))
    except ExtraMissing:
        return True  # a passkey, which always does
    except UsageError:
        return False


def _is_short(entry: Entry) -> bool:
    """Whether it waits no longer than anything may: its end is of the requester's making."""
    plan = read_body(entry, Plan)
    return plan is not None and plan.expires_at - entry.at <= APPROVAL_LIFE


def _fits(plan: Plan, request: Entry) -> bool:
    """Whether a request is the one that people signed."""
    body = request.body
    return (
        (plan.requester, plan.kind, plan.environment, plan.volume_id)
        == (request.caller.name, request.caller.kind, request.environment, request.volume)
    ) and all(
        str(body.get(name, "")) == told
        for name, told in (
            ("verb", plan.verb),
            ("volume_name", plan.volume),
            ("reason", plan.reason),
            ("task", plan.task),
            ("policy", plan.policy),
            ("about", plan.about),
        )
    )


def _verifies(asked: Asked, key: str, signature: str) -> bool:
    try:
        codec.agreement.check(
            codec.agreement.read_key(key), plan_text(asked.plan).encode(), signature
        )
    except (SignatureRefused, UsageError):
        return False
    return True
