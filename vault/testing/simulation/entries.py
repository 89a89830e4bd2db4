"""P10, reckoned once more: whether the audit log in the store tells of what was acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from vault.codec.envelope import parse
from vault.errors import Corrupt
from vault.store.memory import MemoryStore
from vault.testing.simulation.oracle import Oracle

DELETED: Final = ("delete_requested", "quarantine_started", "quarantined")
PURGED: Final = ("purge_started", "purged")

_BROKEN: Final = frozenset(
    ("gap", "fork", "altered", "reordered", "undecodable", "unlogged", "missing")
)
"""What a verification says of a log that is not whole; the rest it says of what strangers laid."""


@dataclass(slots=True)
class Entries:
    """What of the store's records was read: `steps` by tombstone and type, `told` by the log.

    `answers` counts the deletes that the log says were let pass or refused, `given` those that
    somebody was told of; by caller and decision.
    """

    oracle: Oracle
    server: MemoryStore
    steps: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    _read: set[str] = field(default_factory=set)

    def acknowledged(self, tombstone: str, kinds: Iterable[str]) -> None:
        """Somebody was told that these steps are done: the log in the store tells of each."""
        self._look()
        for kind in kinds:
            self.oracle.counts["steps in the log"] += 1
            self.oracle.insist(
                bool(self.steps.get((tombstone, kind), set()) & self.told),
                f"P10: {kind} of {tombstone} is acknowledged, and the log does not tell of it",
            )

    def answered(self, caller: str, decision: str) -> None:
        """Somebody was told what was decided of their delete: the log tells of as many."""
        self._look()
        self.given[caller, decision] += 1
        self.oracle.insist(
            self.given[caller, decision] <= self.answers[caller, decision],
            f"P10: the log does not tell of each {decision} that {caller} was told",
        )

    def verified(self, words: Iterable[tuple[str, str]]) -> None:
        """A verification of the logs said this (word, key) when all was taken up again."""
        self.oracle.counts["logs verified"] += 1
        broken = [f"{key}: {word}" for word, key in words if word in _BROKEN]
        self.oracle.insist(not broken, f"P10: the audit log is not whole: {broken[:3]}")

    def _look(self) -> None:
        for prefix in ("events/", "audit/"):
            for key in {version.key for version in self.server.list(prefix)} - self._read:
                self._read.add(key)
                body = self._body(key)
                if prefix == "events/":
                    step = (str(body.get("tombstone", "")), str(body.get("type", "")))
                    self.steps.setdefault(step, set()).add(key)
                for entry in body.get("entries", ()):
                    told = entry.get("body", {})
                    self.told.add(str(told.get("event", "")))
                    if told.get("verb") == "delete":
                        caller = str(entry["caller"]["name"])
                        self.answers[caller, str(told["decision"])] += 1

    def _body(self, key: str) -> dict[str, Any]:
        """The first version that was stored; what strangers left is no record."""
        versions = [version for version in self.server.list(key) if not version.marker]
        for version in reversed(versions):
            try:
                data = self.server.get(key, version=version.version)
                return dict(msgspec.json.decode(parse(data).body))
            except (Corrupt, msgspec.DecodeError, ValueError):
                continue
        return {}
