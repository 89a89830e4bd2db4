"""Freezes: identities that wait for a person, and the panic in which everything does."""

from __future__ import annotations

from vault.audit.entry import Entry, EntryKind


class Freezes:
    """The book of freezes."""

    def __init__(self) -> None:
        self._frozen: dict[str, str] = {}
        self._panic = ""

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        name = str(entry.body.get("name", ""))
        reason = str(entry.body.get("reason", "")) or "no reason was given"
        if entry.kind is EntryKind.FROZEN:
            self._frozen[name] = reason
        elif entry.kind is EntryKind.UNFROZEN:
            self._frozen.pop(name, None)
        elif entry.kind is EntryKind.PANIC:
            self._panic = reason
        elif entry.kind is EntryKind.CALM:
            self._panic = ""

    def frozen(self, name: str) -> str:
        """Why this identity is frozen; empty where it is not."""
        return self._frozen.get(name, "")

    def all(self) -> dict[str, str]:
        """Every frozen identity with the reason."""
        return dict(sorted(self._frozen.items()))

    @property
    def panic(self) -> str:
        """Why everything destructive waits; empty where it does not."""
        return self._panic
