"""What is asked: one verb on one volume, by whom, in which environment, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from vault.governance.principal import Principal


class Verb(StrEnum):
    """Everything that has an effect, or shows contents."""

    ADD = "add"
    KEEP = "keep"  # as much of new snapshots as before, or more
    SHORTEN = "shorten"  # keep less of new snapshots
    MOVE = "move"  # to another environment
    PAUSE = "pause"
    RESUME = "resume"
    ACKNOWLEDGE = "acknowledge"
    REMOVE = "remove"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    READ = "read"  # a file's contents
    DELETE = "delete"
    UNDELETE = "undelete"
    HOLD = "hold"
    RELEASE = "release"
    PURGE_EARLY = "purge-early"  # once 48 hours are over, before a longer window is
    PURGE = "purge"
    COLLECT = "collect"
    # Who may do what, and what stands in its way:
    IDENTITY = "identity"  # add, disable, enable; keys of the issuer
    TOKEN = "token"  # make and revoke tokens
    TASK = "task"  # add and close tasks
    WINDOW = "window"  # add and remove maintenance windows
    GRANT_REQUEST = "grant-request"
    GRANT = "grant"  # give and revoke grants
    APPROVE = "approve"  # sign or reject what waits
    ROSTER = "roster"  # add and remove approvers
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    PANIC = "panic"
    CALM = "calm"
    POLICY = "policy"
    # What the recovery kit's root key signs:
    ENVIRONMENT = "environment"  # one more of them
    KEY = "key"  # let one more key read, or sign for a process
    JOIN = "join"  # let one more home write
    REVOKE = "revoke"  # let a key sign no more


DESTRUCTIVE: Final = frozenset(
    (Verb.DELETE, Verb.REMOVE, Verb.RELEASE, Verb.SHORTEN, Verb.PURGE_EARLY, Verb.MOVE)
)
"""What takes something away from somebody, or a safeguard from something."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `volume` is its name (empty for what is about no volume), `volume_id` its id.

    `task` is what the requester works on (or empty), `bytes` the volume's size at its last
    snapshot.
    """

    verb: Verb
    volume: str
    environment: str
    principal: Principal
    volume_id: str = ""
    reason: str = ""
    task: str = ""
    bytes: int = 0
