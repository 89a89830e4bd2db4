"""Amend: the next link of the charter's chain, signed by the root key from the recovery kit.

Each is a request like any other: judged before it is stored, and entered before it is acknowledged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from vault import limits, operations
from vault.audit.entry import EntryKind
from vault.clock import format_span
from vault.codec.keyring import RecoveryKit, SigningKey, check_recipient
from vault.errors import AlreadyRunning, KitWrong, UsageError
from vault.governance.request import Verb
from vault.lifecycle.retention import lock_target
from vault.operations.ledger import fulfil, in_words, intend, intended
from vault.operations.unit import RecordUnit, exclusive
from vault.repository.authentic import TamperingLog
from vault.repository.charter import (
    Charter,
    EnvironmentTerms,
    Member,
    Role,
    StoredCharter,
    key_of,
    load_latest,
    read_chain,
    store_charter,
)
from vault.store.names import digest_of

_ENVIRONMENT: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_WHAT: Final = "charter"


def record_lock(now: datetime) -> datetime:
    """Until when a signed record made now is locked."""
    return lock_target(now, minimum=limits.RECORD_LOCK, ceiling=limits.MAX_LOCK)


class _Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the charter: what the gate is asked, and what its entry tells."""

    verb: Verb
    kind: EntryKind
    body: dict[str, str]
    reason: str = ""


def admit_member(
    unit: RecordUnit, kit: RecoveryKit, key: SigningKey, *, role: Role, name: str
) -> Charter:
    """Let one more key sign in a role; without effect where it may already. One's own joins.

    Raises as every amendment does: Denied, ApprovalNeeded, KitWrong, AlreadyRunning, StoreError.
    """
    with _amending(unit, kit) as latest:
        now = unit.store.now()
        if latest.charter.allows(key.public_hex, role, now):
            operations.audit.commit(replace(unit, charter=latest.charter))
            return latest.charter
        member = Member(key=key.public_hex, role=role, name=name, added_at=now)
        body = {"name": name, "role": role, "key": key.public_hex}
        verb = Verb.JOIN if key.public_hex == unit.signer.public_hex else Verb.KEY
        wish = _Wish(verb=verb, kind=EntryKind.MEMBER_ADDED, body=body)
        members = (*latest.charter.members, member)
        return _amend(unit, kit, latest, wish, {"members": members})


def add_recipient(
    unit: RecordUnit, kit: RecoveryKit, recipient: str, *, reason: str = ""
) -> Charter:
    """Let one more identity read what later sessions store. Raises as `admit_member` does."""
    check_recipient(recipient)
    with _amending(unit, kit) as latest:
        if recipient in latest.charter.recipients:
            return latest.charter
        body = {"recipient": recipient}
        wish = _Wish(verb=Verb.KEY, kind=EntryKind.READER_ADDED, body=body, reason=reason)
        recipients = (*latest.charter.recipients, recipient)
        return _amend(unit, kit, latest, wish, {"recipients": recipients})


def check_environment_name(name: str) -> None:
    """Raises UsageError where no environment can be called so."""
    if _ENVIRONMENT.fullmatch(name) is None:
        raise UsageError(
            f"“{name}” cannot be an environment's name",
            safe="The charter stays as it is.",
            hint="Use up to 40 small letters, digits and dashes, for example preview.",
        )


def environment_terms(*, ephemeral: bool, window: timedelta) -> EnvironmentTerms:
    """The terms of a new environment. Raises UsageError: a protected one has 48 hours at least."""
    if not ephemeral and window < limits.PROTECTED_WINDOW_FLOOR:
        raise UsageError(
            f"a window of {format_span(window)} is below the floor of a protected environment, 48h",
            safe="The charter stays as it is.",
            hint="Give a longer one, or make it ephemeral.",
        )
    kind: Literal["protected", "ephemeral"] = "ephemeral" if ephemeral else "protected"
    return EnvironmentTerms(kind=kind, window_seconds=int(window.total_seconds()))


def add_environment(
    unit: RecordUnit, kit: RecoveryKit, name: str, terms: EnvironmentTerms, *, reason: str = ""
) -> Charter:
    """Give the vault one more environment; its class never changes.

    Raises UsageError, and as `admit_member` does.
    """
    with _amending(unit, kit) as latest:
        if name in latest.charter.environments:
            raise UsageError(
                f"there is an environment “{name}” already",
                safe="The charter stays as it is.",
                hint="Its class and window were settled when it was made; choose another name.",
            )
        check_environment_name(name)
        window = format_span(timedelta(seconds=terms.window_seconds))
        body = {"name": name, "kind": terms.kind, "window": window}
        kind = EntryKind.ENVIRONMENT_ADDED
        wish = _Wish(verb=Verb.ENVIRONMENT, kind=kind, body=body, reason=reason)
        environments = {**latest.charter.environments, name: terms}
        return _amend(unit, kit, latest, wish, {"environments": environments})


def revoke_member(unit: RecordUnit, kit: RecoveryKit, name: str, *, reason: str = "") -> Charter:
    """Let the keys of this name sign no more from now on; what they signed stays good.

    This host's own key stays: it could not enter its own end. Raises UsageError where no other
    member has this name and a key that is in force, and as `admit_member` does.
    """
    with _amending(unit, kit) as latest:
        own, members = unit.signer.public_hex, latest.charter.members
        held = [member for member in members if member.revoked_at is None and member.key != own]
        keys = {member.key for member in held if member.name == name}
        if not keys:
            raise UsageError(
                f"no key in force, but for this host's own, is called “{name}”",
                safe="The charter stays as it is.",
                hint=f"There are: {', '.join(sorted(m.name for m in held)) or 'none'}. This host's"
                " own key is revoked from another host.",
            )
        body = {"name": name, "keys": ", ".join(sorted(keys))}
        kind = EntryKind.MEMBER_REVOKED
        wish = _Wish(verb=Verb.REVOKE, kind=kind, body=body, reason=reason)
        now = unit.store.now()
        changed = tuple(replace(m, revoked_at=now) if m.key in keys else m for m in members)
        return _amend(unit, kit, latest, wish, {"members": changed})


def enter_amendment(unit: RecordUnit) -> None:
    """Enter the change of the charter that was under way when a process died, if it holds.

    It is remembered while it may still arrive: until it, or another in its place, is stored.
    """
    told = intended(unit, _WHAT)
    if told is None:
        return
    key = str(told.body["charter"])
    stem = f"{key.rpartition('-')[0]}-"
    for holding in read_chain(unit.reader, unit.charter.root, [], stem).values():
        fulfil(unit, _WHAT, told if holding.key == key else None)


@contextmanager
def _amending(unit: RecordUnit, kit: RecoveryKit) -> Iterator[StoredCharter]:
    """The newest link of the chain, with which one change at a time of this home begins."""
    with exclusive(unit.home, "charter"):
        enter_amendment(unit)
        yield load_latest(unit.reader, kit.root_public)


def _amend(
    unit: RecordUnit,
    kit: RecoveryKit,
    latest: StoredCharter,
    wish: _Wish,
    changes: dict[str, object],
) -> Charter:
    """Store what `latest` becomes by these changes. Raises AlreadyRunning where others were first.

    Built on the very link that was looked at: a change of somebody else's is never undone by it.
    Order: judged → its entry remembered here → in the store → entered. What a crash has kept out
    is entered by the next change, or by reconciling.
    """
    if kit.root is None:
        raise KitWrong(
            "this kit can read and cannot sign: it has no root-secret line",
            safe="The charter stays as it is.",
            hint="Use the kit that `vault init` wrote.",
        )
    about = in_words(wish.kind, dict(wish.body))
    question = operations.gate.Question(wish.verb, reason=wish.reason, about=about)
    request = operations.gate.admit(unit, question).request
    now = unit.store.now()
    charter = replace(
        latest.charter,
        number=latest.charter.number + 1,
        previous=digest_of(latest.key) or "",
        created_at=now,
        **changes,
    )
    body = wish.body | {"charter": key_of(charter, kit.root)}
    intend(unit, _WHAT, wish.kind, body, about=request)
    key = store_charter(unit.store, charter, kit.root, record_lock(now))
    notes: TamperingLog = []
    holding = load_latest(unit.reader, kit.root_public, notes)
    enter_amendment(unit)
    operations.audit.commit(replace(unit, charter=holding.charter))
    beside = key.rpartition("-")[0]
    if holding.key != key or any(n.what == "fork" and n.key.startswith(beside) for n in notes):
        raise AlreadyRunning(
            f"another change of the charter was stored at the same moment: {holding.key} holds",
            safe="One of both has no effect; what is stored is untouched.",
            hint="Make both changes once more, one after the other.",
        )
    return charter
