"""Approvals: what waits for people, who may agree, and when enough of them have.

What people sign is the readable text of the request, whole. It names who asks, what for, in which
environment, why, under which rules, and until when: whatever changes makes another text.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from vault.audit.entry import Entry, EntryKind
from vault.clock import format_time
from vault.governance.facts import ApprovalFact
from vault.governance.intent import Moment, read_body

FOUNDERS: Final = 2
"""So many approvers with a key that wants a touch can change a roster by themselves."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, to be agreed to. `requester` is an identity, of `kind`.

    `lineage` is the first token of those that the requester's was narrowed from; it is no part of
    the text, and says who else may not agree.
    """

    vault: str
    ask: str
    requester: str
    kind: str
    verb: str
    volume: str
    volume_id: str
    environment: str
    class_: str
    window: str
    reason: str
    task: str
    policy: str
    expires_at: Moment
    about: str = ""
    """What an administrative request is about, in words: a name, a key."""
    lineage: str = ""


def plan_text(plan: Plan) -> str:
    """The text that people sign, a line for each term; no value can bring a line of its own."""
    lines = {
        "vault": plan.vault,
        "request": plan.ask,
        "who": f"{plan.kind} {plan.requester}",
        "does": plan.verb,
        "volume": f"{plan.volume} ({plan.volume_id})" if plan.volume else "",
        "about": plan.about,
        "environment": f"{plan.environment} ({plan.class_})" if plan.environment else plan.class_,
        "undoable for": plan.window,
        "reason": plan.reason,
        "task": plan.task,
        "rules": plan.policy,
        "good until": format_time(plan.expires_at),
    }
    shown = (f"{name}: {_one_line(value)}\n" for name, value in lines.items() if value)
    return "vault: approval of a request\n" + "".join(shown)


def digest_of_plan(plan: Plan) -> str:
    """The SHA-256 of a plan's text, in hex: what was signed, and nothing else, is carried out."""
    return sha256(plan_text(plan).encode()).hexdigest()


def _one_line(text: str) -> str:
    """What cannot be printed, and the backslash, as escapes: two values never look the same."""
    return "".join(c if c.isprintable() and c != "\\" else f"\\u{{{ord(c):x}}}" for c in text)


def same_person(name: str, other: str) -> bool:
    """Whether two names are one person's, on whatever host: ann@laptop is ann."""
    return _person(name) == _person(other)


def _person(name: str) -> str:
    return name.partition("@")[0].casefold()


class Approver(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may agree: a name and a public key, as `ssh-keygen` writes it, or a passkey.

    `touch`: each signature of the key shows that somebody was there. The key of a person who is
    to agree in a protected environment does.
    """

    name: str
    key: str
    touch: bool


class Roster:
    """The book of approvers.

    A name that is an agent's or a service's, or was disabled, agrees to nothing; it still counts
    for how many are wanted, so that nobody makes a quorum smaller by disabling others.
    """

    def __init__(self) -> None:
        self._approvers: dict[str, Approver] = {}
        self._wanted = 1
        self._disabled: set[str] = set()
        self._no_people: set[str] = set()

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        if entry.kind is EntryKind.APPROVER_ADDED:
            approver = read_body(entry, Approver)
            if approver is not None:
                self._approvers[approver.name] = approver
        elif entry.kind is EntryKind.APPROVER_REMOVED:
            self._approvers.pop(str(entry.body.get("name", "")), None)
        elif entry.kind is EntryKind.QUORUM_SET and isinstance(entry.body.get("quorum"), int):
            self._wanted = max(1, entry.body["quorum"])
        else:
            self._apply_identity(entry)

    def all(self) -> list[Approver]:
        """Every approver, by name."""
        return [self._approvers[name] for name in sorted(self._approvers)]

    def get(self, name: str) -> Approver | None:
        """One approver by name."""
        return self._approvers.get(name)

    def counts(self, name: str, key: str, class_: str) -> bool:
        """Whether what this approver signed with this key counts in an environment of a class."""
        known, folded = self._approvers.get(name), name.casefold()
        return (
            known is not None
            and known.key == key
            and (known.touch or class_ != "protected")
            and folded not in self._disabled | self._no_people
        )

    @property
    def founding(self) -> bool:
        """Whether the root key still enrols: one person cannot agree to what they ask for."""
        return sum(approver.touch for approver in self._approvers.values()) < FOUNDERS

    @property
    def quorum(self) -> int:
        """How many have to agree; 0 where nobody is enrolled."""
        return min(self._wanted, len(self._approvers)) if self._approvers else 0

    def _apply_identity(self, entry: Entry) -> None:
        name = str(entry.body.get("name", "")).casefold()
        if entry.kind is EntryKind.IDENTITY_ADDED and entry.body.get("kind") != "human":
            self._no_people.add(name)
        elif entry.kind is EntryKind.IDENTITY_DISABLED:
            self._disabled.add(name)
        elif entry.kind is EntryKind.IDENTITY_ENABLED:
            self._disabled.discard(name)


class Asked(msgspec.Struct):
    """A plan that waits, or waited: who agreed (name → signature), who refused, whether used."""

    plan: Plan
    signatures: dict[str, str] = msgspec.field(default_factory=dict)
    keys: dict[str, str] = msgspec.field(default_factory=dict)
    rejected_by: str = ""
    rejected_for: str = ""
    used: bool = False

    def agreed(self, roster: Roster) -> list[str]:
        """Who of the present approvers agreed, with the key that they have now."""
        class_ = self.plan.class_
        return [n for n in sorted(self.signatures) if roster.counts(n, self.keys[n], class_)]

    def state(self, roster: Roster, now: datetime) -> str:
        """In one word, as people see it."""
        if self.used:
            return "used"
        if self.rejected_by:
            return "rejected"
        if now >= self.plan.expires_at:
            return "expired"
        return "given" if len(self.agreed(roster)) >= max(1, roster.quorum) else "waiting"


class Approvals:
    """The book of what was asked of people."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        if entry.kind is EntryKind.APPROVAL_ASKED:
            plan = read_body(entry, Plan)
            if plan is not None:
                self._asked.setdefault(plan.ask, Asked(plan))
            return
        asked = self._asked.get(str(entry.body.get("ask", "")))
        if asked is None:
            return
        name = str(entry.body.get("approver", ""))
        if entry.kind is EntryKind.APPROVAL_SIGNED:
            asked.signatures[name] = str(entry.body.get("signature", ""))
            asked.keys[name] = str(entry.body.get("key", ""))
        elif entry.kind is EntryKind.APPROVAL_REJECTED:
            asked.rejected_by, asked.rejected_for = name, str(entry.body.get("reason", ""))
        elif entry.kind is EntryKind.APPROVAL_USED:
            asked.used = True

    def all(self) -> list[Asked]:
        """Everything that was asked, the oldest first."""
        return [self._asked[name] for name in sorted(self._asked)]

    def get(self, ask: str) -> Asked | None:
        """One by its id."""
        return self._asked.get(ask)

    def find(self, plan: Plan, roster: Roster, now: datetime) -> tuple[ApprovalFact, str]:
        """How it stands with what is asked for now; `plan.ask` and `expires_at` do not matter."""
        same = [asked for asked in self._asked.values() if _same(asked.plan, plan)]
        return _newest(same, roster, now)


def _newest(asked: Iterable[Asked], roster: Roster, now: datetime) -> tuple[ApprovalFact, str]:
    facts = {
        "given": ApprovalFact.GIVEN,
        "rejected": ApprovalFact.REJECTED,
        "waiting": ApprovalFact.WAITING,
    }
    for one in sorted(asked, key=lambda one: one.plan.ask, reverse=True):
        state = one.state(roster, now)
        if state in facts and now < one.plan.expires_at:
            return facts[state], one.plan.ask
    return ApprovalFact.UNASKED, ""


def _same(asked: Plan, plan: Plan) -> bool:
    """Whether the text would be the same but for its own id and end: nothing changed since."""
    own = msgspec.structs.replace(plan, ask=asked.ask, expires_at=asked.expires_at)
    return digest_of_plan(own) == digest_of_plan(asked)
