"""Freezes: identities that wait for a person, and the panic in which everything does."""

from __future__ import annotations

from typing import Final

from vault.audit.entry import Entry, EntryKind

_ELSEWHERE: Final = "it has exceeded a budget"


class Freezes:
    """The book of freezes."""

    def __init__(self) -> None:
        self._frozen: dict[str, tuple[str, str]] = {}  # the reason, and where the breaker tripped
        self._panic = ""

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        name = str(entry.body.get("name", ""))
        reason = str(entry.body.get("reason", "")) or "no reason was given"
        if entry.kind is EntryKind.FROZEN:
            self._frozen[name] = (reason, entry.environment)
        elif entry.kind is EntryKind.UNFROZEN:
            self._frozen.pop(name, None)
        elif entry.kind is EntryKind.PANIC:
            self._panic = reason
        elif entry.kind is EntryKind.CALM:
            self._panic = ""

    def frozen(self, name: str, seen_from: str = "") -> str:
        """Why this identity is frozen; empty where it is not.

        Who looks from another environment than the one of the budget learns nothing of that one.
        """
        reason, environment = self._frozen.get(name, ("", ""))
        apart = seen_from and environment and seen_from != environment
        return _ELSEWHERE if apart else reason

    def all(self) -> dict[str, str]:
        """Every frozen identity with the reason."""
        return {name: reason for name, (reason, _) in sorted(self._frozen.items())}

    @property
    def panic(self) -> str:
        """Why everything destructive waits; empty where it does not."""
        return self._panic
