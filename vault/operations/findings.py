"""Findings of an operation, in a list that stays bounded whatever a manifest says."""

from __future__ import annotations

from vault import limits
from vault.provider import Finding


class FindingLog:
    """Lists `limits.FINDINGS_MAX` findings of one kind; those beyond are counted."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._items: list[Finding] = []
        self._more = 0

    def add(self, path: bytes, detail: str) -> None:
        """Add one."""
        if len(self._items) < limits.FINDINGS_MAX:
            self._items.append(Finding(self._what, path, detail))
        else:
            self._more += 1

    def all(self) -> list[Finding]:
        """Those that are listed, and how many are not."""
        more = Finding(self._what, b"", f"and {self._more} more that are not listed")
        return [*self._items, more] if self._more else self._items
