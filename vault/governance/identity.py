"""Identities: who there is. One for each person, each agent, each service."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from vault.audit.entry import Entry, EntryKind
from vault.errors import UsageError
from vault.governance.intent import read_body
from vault.governance.principal import PrincipalKind

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One identity. `subject` is what an outside issuer of workload identities calls it."""

    name: str
    kind: PrincipalKind
    subject: str = ""
    disabled: bool = False


class Identities:
    """The book of identities."""

    def __init__(self) -> None:
        self._identities: dict[str, Identity] = {}

    def apply(self, entry: Entry) -> None:
        """Take one entry in. A name that was given once keeps its kind for good."""
        if entry.kind is EntryKind.IDENTITY_ADDED:
            added = read_body(entry, Identity)
            if added is not None and self.like(added.name) is None:
                self._identities[added.name] = added
        elif entry.kind in (EntryKind.IDENTITY_DISABLED, EntryKind.IDENTITY_ENABLED):
            known = self._identities.get(str(entry.body.get("name", "")))
            if known is not None:
                off = entry.kind is EntryKind.IDENTITY_DISABLED
                self._identities[known.name] = msgspec.structs.replace(known, disabled=off)

    def all(self) -> list[Identity]:
        """Every identity, by name."""
        return [self._identities[name] for name in sorted(self._identities)]

    def get(self, name: str) -> Identity | None:
        """One identity by its exact name."""
        return self._identities.get(name)

    def like(self, name: str) -> Identity | None:
        """One whose name differs in case at most: two such would be mistaken for one another."""
        folded = name.casefold()
        return next((i for i in self._identities.values() if i.name.casefold() == folded), None)

    def of_subject(self, subject: str) -> Identity | None:
        """The one that an outside issuer calls so."""
        return next((i for i in self._identities.values() if i.subject == subject != ""), None)


def check_name(name: str) -> str:
    """Give a name back that an identity can have. Raises UsageError.

    ASCII alone: two names that look the same are the same.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name!r} cannot be an identity's name",
            safe="Nothing was changed.",
            hint="Up to 64 of a-z, A-Z, 0-9, dot, dash, underscore and @: deploy-bot, ann@laptop",
        )
    return name
