"""Amend: the next link of the charter's chain, signed by the root key from the recovery kit."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from vault import limits
from vault.clock import format_span
from vault.codec.keyring import RecoveryKit, SigningKey, check_recipient
from vault.errors import AlreadyRunning, KitWrong, UsageError
from vault.lifecycle.retention import lock_target
from vault.repository.authentic import TamperingLog
from vault.repository.charter import (
    Charter,
    EnvironmentTerms,
    Member,
    Role,
    StoredCharter,
    load_latest,
    store_charter,
)
from vault.store.contract import WritableStore
from vault.store.names import digest_of

_ENVIRONMENT: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


def record_lock(now: datetime) -> datetime:
    """Until when a signed record made now is locked."""
    return lock_target(now, minimum=limits.RECORD_LOCK, ceiling=limits.MAX_LOCK)


def admit_member(
    store: WritableStore, kit: RecoveryKit, key: SigningKey, *, role: Role, name: str
) -> Charter:
    """Let one more key sign in a role; without effect where it may already."""
    latest = load_latest(store, kit.root_public)
    now = store.now()
    if latest.charter.allows(key.public_hex, role, now):
        return latest.charter
    member = Member(key=key.public_hex, role=role, name=name, added_at=now)
    return _store_next(store, kit, latest, {"members": (*latest.charter.members, member)})


def add_recipient(store: WritableStore, kit: RecoveryKit, recipient: str) -> Charter:
    """Let one more identity read what later sessions store. Raises KitWrong."""
    check_recipient(recipient)
    latest = load_latest(store, kit.root_public)
    if recipient in latest.charter.recipients:
        return latest.charter
    return _store_next(store, kit, latest, {"recipients": (*latest.charter.recipients, recipient)})


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
    store: WritableStore, kit: RecoveryKit, name: str, terms: EnvironmentTerms
) -> Charter:
    """Give the vault one more environment; its class never changes. Raises KitWrong, UsageError."""
    latest = load_latest(store, kit.root_public)
    if name in latest.charter.environments:
        raise UsageError(
            f"there is an environment “{name}” already",
            safe="The charter stays as it is.",
            hint="Its class and window were settled when it was made; choose another name.",
        )
    check_environment_name(name)
    environments = {**latest.charter.environments, name: terms}
    return _store_next(store, kit, latest, {"environments": environments})


def revoke_member(store: WritableStore, kit: RecoveryKit, name: str) -> Charter:
    """Let the keys of this name sign no more from now on; what they signed stays good.

    Raises UsageError where no member has this name and a key that is in force.
    """
    latest = load_latest(store, kit.root_public)
    now = store.now()
    members = latest.charter.members
    if not any(member.name == name and member.revoked_at is None for member in members):
        raise UsageError(
            f"no key in force is called “{name}”",
            safe="The charter stays as it is.",
            hint=f"There are: {', '.join(m.name for m in members if m.revoked_at is None)}.",
        )
    changed = tuple(
        msgspec.structs.replace(member, revoked_at=now)
        if member.name == name and member.revoked_at is None
        else member
        for member in members
    )
    return _store_next(store, kit, latest, {"members": changed})


def _store_next(
    store: WritableStore, kit: RecoveryKit, latest: StoredCharter, changes: dict[str, object]
) -> Charter:
    """Store what `latest` becomes by these changes. Raises AlreadyRunning where others were first.

    Built on the very link that was looked at: a change of somebody else's is never undone by it.
    """
    if kit.root is None:
        raise KitWrong(
            "this kit can read and cannot sign: it has no root-secret line",
            safe="The charter stays as it is.",
            hint="Use the kit that `vault init` wrote.",
        )
    now = store.now()
    charter = msgspec.structs.replace(
        latest.charter,
        number=latest.charter.number + 1,
        previous=digest_of(latest.key) or "",
        created_at=now,
        **changes,
    )
    key = store_charter(store, charter, kit.root, record_lock(now))
    notes: TamperingLog = []
    holding = load_latest(store, kit.root_public, notes).key
    beside = key.rpartition("-")[0]
    if holding != key or any(n.what == "fork" and n.key.startswith(beside) for n in notes):
        raise AlreadyRunning(
            f"another change of the charter was stored at the same moment: {holding} holds",
            safe="One of both has no effect; what is stored is untouched.",
            hint="Make both changes once more, one after the other.",
        )
    return charter
