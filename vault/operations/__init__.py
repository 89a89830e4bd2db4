"""One verb a file: a plan is decided, then executed; doors call these through `vault.compose`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.lazy import loading

__all__ = [
    "amend",
    "approve",
    "audit",
    "auditing",
    "capture",
    "collect",
    "copying",
    "delete",
    "doctor",
    "duties",
    "enroll",
    "establish",
    "freeze",
    "gate",
    "grants",
    "history",
    "hold",
    "identities",
    "inspect",
    "keys",
    "policy",
    "purge",
    "rebuild",
    "reconcile",
    "rehearse",
    "restore",
    "roster",
    "status",
    "tasks",
    "tokens",
    "undelete",
    "verify",
]

if TYPE_CHECKING:
    from vault.operations import (
        amend,
        approve,
        audit,
        auditing,
        capture,
        collect,
        copying,
        delete,
        doctor,
        duties,
        enroll,
        establish,
        freeze,
        gate,
        grants,
        history,
        hold,
        identities,
        inspect,
        keys,
        policy,
        purge,
        rebuild,
        reconcile,
        rehearse,
        restore,
        roster,
        status,
        tasks,
        tokens,
        undelete,
        verify,
    )
else:
    __getattr__ = loading(__name__, __all__)
