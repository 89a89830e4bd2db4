"""An entry of the audit log: one request, decision, transition or change of who may do what."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from vault.errors import Corrupt


class EntryKind(StrEnum):
    """What an entry tells; the words are part of the stored format. `body` has these fields.

    A request is judged and entered before it has an effect; a transition names the event that the
    journal holds. What a check found, and that a purge is near, was noticed. The others are
    administrative: what is known of identities, tasks, grants, approvals and freezes is their fold,
    and what changed the charter names it.
    """

    REQUEST = (
        "request"  # verb, volume_name, reason, task, bytes, decision, rules, grant, ask, origin
    )
    TRANSITION = "transition"  # event (its key in the store), type, tombstone
    IDENTITY_ADDED = "identity_added"  # name, kind, uid, subject
    IDENTITY_DISABLED = "identity_disabled"  # name
    IDENTITY_ENABLED = "identity_enabled"  # name
    TOKEN_MADE = "token_made"  # token, name, environment, expires_at, verbs, volumes
    TOKEN_REVOKED = "token_revoked"  # token, or identity: all made before
    KEY_ROTATED = "key_rotated"  # public, former
    TASK_ADDED = "task_added"  # task, title, environment, assignees, volumes, verbs, until
    TASK_CLOSED = "task_closed"  # task
    WINDOW_ADDED = "window_added"  # window, environment, rule, starts, seconds, zone
    WINDOW_REMOVED = "window_removed"  # window
    GRANT_ASKED = "grant_asked"  # the fields of a Grant
    GRANT_GIVEN = "grant_given"  # the fields of a Grant
    GRANT_REVOKED = "grant_revoked"  # grant
    APPROVAL_ASKED = "approval_asked"  # the fields of a Plan
    APPROVAL_SIGNED = "approval_signed"  # ask, approver, key, signature
    APPROVAL_REJECTED = "approval_rejected"  # ask, approver, reason
    APPROVAL_USED = "approval_used"  # ask
    APPROVER_ADDED = "approver_added"  # name, key, touch, proof (by the root key)
    APPROVER_REMOVED = "approver_removed"  # name
    QUORUM_SET = "quorum_set"  # quorum
    FROZEN = "frozen"  # name, reason
    UNFROZEN = "unfrozen"  # name
    PANIC = "panic"  # reason
    CALM = "calm"  # ask
    POLICY_CHANGED = "policy_changed"  # digest, text
    ENVIRONMENT_ADDED = "environment_added"  # name, kind, window, charter (its key in the store)
    READER_ADDED = "reader_added"  # recipient, charter
    MEMBER_ADDED = "member_added"  # name, role, key, charter
    MEMBER_REVOKED = "member_revoked"  # name, keys, charter
    COLLECTED = "collected"  # plan, versions, deleted, bytes, snapshots, others, ended
    CHECK_FAILED = "check_failed"  # check (verification, attestation; policy: 0 findings once it
    # can be used again), findings, first
    PURGE_DUE = "purge_due"  # tombstone, volume_name, undo_until


class Caller(msgspec.Struct, frozen=True):
    """Who it was: `kind` is human, agent or service, `via` how they were known, `token` its id."""

    kind: str
    name: str
    via: str = ""
    token: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log.

    `at` is the store's time as the host saw it (aware, UTC), `uptime` the seconds that this home
    has seen pass by its boot clock. `about` joins what belongs together: the id of the request.
    """

    id: str
    at: datetime
    uptime: float
    kind: EntryKind
    caller: Caller
    environment: str = ""
    volume: str = ""
    about: str = ""
    body: dict[str, Any] = {}


_UTC: Final = timedelta(0)
NOTICED: Final = frozenset((EntryKind.CHECK_FAILED, EntryKind.PURGE_DUE))
DONE: Final = frozenset((EntryKind.TRANSITION, EntryKind.COLLECTED))
ADMINISTRATIVE: Final = frozenset(EntryKind) - {EntryKind.REQUEST} - DONE - NOTICED
COLLECTORS: Final = frozenset((EntryKind.REQUEST, EntryKind.COLLECTED))
"""All that counts of what a collector's key enters: who can delete steers nobody."""


def bytes_of(entry: Entry) -> int:
    """How large what a request is about is, by its entry; 0 where no size was entered.

    Whoever has a writer's key enters what they like: words, or less than nothing.
    """
    size = entry.body.get("bytes")
    return max(size, 0) if isinstance(size, int) else 0


def encode_entry(entry: Entry) -> bytes:
    """Write an entry as JSON; the same entry gives the same bytes, which are a leaf of the tree."""
    return msgspec.json.encode(entry, order="deterministic")


def decode_entry(data: bytes) -> Entry:
    """Read what `encode_entry` wrote. Raises Corrupt."""
    try:
        entry = msgspec.json.decode(data, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Corrupt(f"an audit entry cannot be read: {error}") from error
    if entry.at.utcoffset() != _UTC:  # near the ends of the calendar others have no UTC at all
        raise Corrupt(f"the audit entry {entry.id} has a time that is not UTC")
    return entry
