"""What the audit log's verbs return; frozen values like those of `vault.operations.items`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vault.operations.items import FindingItem


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntryItem:
    """One entry; `log` and `index` say where it lies, -1 while it waits for its place."""

    id: str
    at: datetime
    kind: str
    by: str
    by_kind: str
    environment: str
    volume: str
    about: str
    log: str
    index: int
    body: dict[str, Any]

    @property
    def what(self) -> str:
        """What a person wants to know of it first."""
        told = [self.body.get(name) for name in ("verb", "decision", "type", "name", "reason")]
        return " ".join(str(part) for part in told if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogItem:
    """One log: whose it is, how many entries it has, and the root of its tree in hex.

    So many of them were `stamped` by a service outside, which has seen them at `stamped_at`.
    """

    log: str
    member: str
    role: str
    entries: int
    root: str
    checkpoint: str
    stamped: int = 0
    stamped_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a look at all logs in the store came to."""

    entries: int
    logs: tuple[AuditLogItem, ...]
    findings: tuple[FindingItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProof:
    """A proof as text (JSON), and what it is about; the checkpoint is the newest of its log."""

    entry: str
    log: str
    index: int
    entries: int
    proof: str
