"""What the audit log's administrative entries amount to: one book for each kind of thing."""

from __future__ import annotations

from vault.audit.entry import Entry, EntryKind
from vault.governance.approval import Approvals, Roster
from vault.governance.freeze import Freezes
from vault.governance.grant import Grants
from vault.governance.identity import Identities
from vault.governance.intent import Tasks, Windows
from vault.governance.tokens import Tokens


class Books:
    """Every book, kept by applying entries in the order of their ids.

    `policy` is the text of the user's own rules, the last that was valid.
    """

    def __init__(self) -> None:
        self.identities = Identities()
        self.tokens = Tokens()
        self.tasks = Tasks()
        self.windows = Windows()
        self.grants = Grants()
        self.approvals = Approvals()
        self.roster = Roster()
        self.freezes = Freezes()
        self.policy = ""

    def apply(self, entry: Entry) -> None:
        """Take one entry in; each book reads the kinds that are its own."""
        if entry.kind is EntryKind.POLICY_CHANGED:
            self.policy = str(entry.body.get("text", ""))
        for book in (
            self.identities,
            self.tokens,
            self.tasks,
            self.windows,
            self.grants,
            self.approvals,
            self.roster,
            self.freezes,
        ):
            book.apply(entry)
