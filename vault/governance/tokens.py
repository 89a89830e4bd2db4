"""Tokens as the log knows them: the keys that sign them, those that were made, and revoked."""

from __future__ import annotations

from datetime import datetime

import msgspec

from vault.audit.entry import Entry, EntryKind
from vault.governance.intent import Moment, read_body
from vault.governance.principal import Principal, Via


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was made: whose, for which environment, limited to what. Never the secret."""

    token: str
    name: str
    environment: str
    expires_at: Moment
    made_at: Moment
    verbs: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    revoked: bool = False


class IssuingKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs tokens (public, hex); one that was replaced verifies until `until`."""

    public: str
    until: datetime | None = None


class Tokens:
    """The book of tokens."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._revoked: set[str] = set()
        self._ended: dict[str, datetime] = {}
        self._keys: dict[str, IssuingKey] = {}
        self._replaced: datetime | None = None  # when a key last was, at once

    def apply(self, entry: Entry) -> None:
        """Take one entry in."""
        if entry.kind is EntryKind.TOKEN_MADE:
            token = read_body(entry, Token)
            if token is not None:
                self._tokens[token.token] = token
        elif entry.kind is EntryKind.TOKEN_REVOKED and entry.body.get("name"):
            name = str(entry.body["name"])
            self._ended[name] = max(entry.at, self._ended.get(name, entry.at))
            # Those made before by a clock that ran ahead, too.
            self._revoked.update(t.token for t in self._tokens.values() if t.name == name)
        elif entry.kind is EntryKind.TOKEN_REVOKED:
            self._revoked.add(str(entry.body.get("token", "")))
        elif entry.kind is EntryKind.KEY_ROTATED:
            change = read_body(entry, _Rotation)
            if change is not None:
                self._rotate(change, entry.at)

    def all(self) -> list[Token]:
        """Every token that was made, the oldest first."""
        made = (self._tokens[name] for name in sorted(self._tokens))
        return [
            msgspec.structs.replace(t, revoked=self.is_revoked(t.name, t.made_at, (t.token,)))
            for t in made
        ]

    def is_revoked(self, name: str, made_at: datetime, ids: tuple[str, ...]) -> bool:
        """Whether a token is: by one of its ids, or with all that its identity had until then."""
        ended, known = self._ended.get(name), self._tokens.get(ids[0])
        made_at = known.made_at if known is not None else made_at  # a token tells whole seconds
        return (ended is not None and made_at <= ended) or not self._revoked.isdisjoint(ids)

    def refuse(self, who: Principal) -> bool:
        """Whether the credential that somebody showed was revoked since."""
        if who.made_at is None:
            return False
        known = self._tokens.get(who.lineage)
        made_at = known.made_at if known is not None else who.made_at
        replaced = self._replaced if who.via is Via.TOKEN else None
        if replaced is not None and made_at <= replaced:
            return True
        return self.is_revoked(who.name, made_at, (who.lineage,))

    def keys(self, now: datetime) -> tuple[str, ...]:
        """The public keys whose tokens count at `now`, the one that signs last."""
        return tuple(k.public for k in self._keys.values() if k.until is None or now < k.until)

    def _rotate(self, change: _Rotation, at: datetime) -> None:
        """A key that ends at once is gone: a host whose clock is behind would believe it longer."""
        former, self._keys = self._keys, {}
        if change.until <= at:
            self._replaced = at
        for public, known in former.items():
            until = min(known.until or change.until, change.until)
            if until > at:
                self._keys[public] = IssuingKey(public=public, until=until)
        self._keys[change.public] = IssuingKey(public=change.public)


class _Rotation(msgspec.Struct, frozen=True):
    """The body of a change of keys: until then tokens of the former ones are good."""

    public: str
    until: Moment
