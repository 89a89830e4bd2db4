"""Tokens: made here, shown once, and read back into who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from vault import limits
from vault.audit.entry import EntryKind
from vault.clock import format_span
from vault.errors import IdentityUnknown, UsageError
from vault.governance import biscuits
from vault.governance.identity import Identity
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Verb
from vault.governance.tokens import Token
from vault.ids import new_id
from vault.operations import homes
from vault.operations.ledger import administer
from vault.operations.unit import LocalUnit, RecordUnit, exclusive
from vault.settings import usable

_LIVES: Final = {
    PrincipalKind.AGENT: (limits.AGENT_TOKEN_LIFE, limits.AGENT_TOKEN_LONGEST),
    PrincipalKind.HUMAN: (limits.HUMAN_TOKEN_LIFE, limits.HUMAN_TOKEN_LONGEST),
    PrincipalKind.SERVICE: (limits.SERVICE_TOKEN_LIFE, limits.SERVICE_TOKEN_LONGEST),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWish:
    """What a token is to be: no `life` is the usual one of its identity's kind, no limits none."""

    name: str
    environment: str
    life: timedelta | None = None
    verbs: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMade:
    """A token, once: `secret` is kept nowhere."""

    id: str
    name: str
    environment: str
    expires_at: datetime
    secret: str


def make_token(unit: RecordUnit, wish: TokenWish) -> TokenMade:
    """Make a token for an identity in one environment.

    Raises IdentityUnknown, UsageError (environment, life, limits), Denied, ApprovalNeeded.
    """
    identity, now = _identity(unit, wish.name), unit.reader.now()
    life = _life(wish, identity)
    _check_words(unit, wish)
    terms = biscuits.Terms(
        vault=unit.charter.vault,
        name=identity.name,
        kind=identity.kind,
        environment=wish.environment,
        token=new_id("tok", now),
        made_at=now,
        expires_at=(now + life).replace(microsecond=0),
        verbs=frozenset(wish.verbs) or None,
        volumes=frozenset(wish.volumes) or None,
    )
    secret = biscuits.mint(_issuing_key(unit), terms)
    body = {
        "token": terms.token,
        "name": terms.name,
        "environment": terms.environment,
        "made_at": terms.made_at.isoformat(),
        "expires_at": terms.expires_at.isoformat(),
        "verbs": sorted(wish.verbs),
        "volumes": sorted(wish.volumes),
    }
    administer(unit, Verb.TOKEN, EntryKind.TOKEN_MADE, body, environment=wish.environment)
    return TokenMade(
        id=terms.token,
        name=terms.name,
        environment=terms.environment,
        expires_at=terms.expires_at,
        secret=secret,
    )


def authenticate(unit: LocalUnit, token: str, *, environment: str = "") -> Principal:
    """Who shows this token. With an `environment` none of another counts.

    Raises TokenInvalid, the same for whatever is amiss: what is elsewhere is told to nobody.
    """
    now, books = unit.clock.now(), unit.catalog.audit.books()
    terms = biscuits.read(token, books.tokens.keys(now), now)
    identity = books.identities.get(terms.name)
    ids = (terms.token, *terms.ids)
    faults = (
        (terms.vault != homes.read_vault_id(unit.home), "it is of another vault"),
        (environment not in ("", terms.environment), f"it is of “{terms.environment}”"),
        (terms.made_at > now + limits.CLOCK_TOLERANCE, "it was made in the future"),
        (identity is None or identity.kind != terms.kind, "its identity is not known"),
        (identity is not None and identity.disabled, "its identity was disabled"),
        (books.tokens.is_revoked(terms.name, terms.made_at, ids), "it was revoked"),
    )
    for fault, detail in faults:
        if fault:
            raise biscuits.invalid(detail)
    return Principal(
        kind=PrincipalKind(terms.kind),
        name=terms.name,
        via=Via.TOKEN,
        environment=terms.environment,
        verbs=terms.verbs,
        volumes=terms.volumes,
        token=terms.ids[-1][:16],
        lineage=terms.token,
        made_at=terms.made_at,
        expires_at=terms.expires_at,
    )


def tokens(unit: RecordUnit) -> tuple[Token, ...]:
    """Every token that was made, the oldest first; no secrets, they are kept nowhere."""
    return tuple(unit.catalog.audit.books().tokens.all())


def revoke(unit: RecordUnit, text: str) -> tuple[Token, ...]:
    """Let a token (by its id) count no more, or all that an identity (by its name) has now.

    Raises IdentityUnknown where it is neither.
    """
    made = tokens(unit)
    if any(token.token == text for token in made):
        body = {"token": text}
    else:
        body = {"name": _known(unit, text).name}
    administer(unit, Verb.TOKEN, EntryKind.TOKEN_REVOKED, body)
    return tuple(t for t in tokens(unit) if text in (t.token, t.name))


def rotate(unit: RecordUnit, *, at_once: bool = False) -> datetime:
    """Sign with a fresh key from now on; gives the time until which the former one's tokens count.

    With `at_once` none of them does any more.
    """
    now = unit.reader.now()
    until = now if at_once else now + max(longest for _, longest in _LIVES.values())
    secret = biscuits.new_issuing_key()
    body = {"public": biscuits.public_of(secret), "until": until.isoformat()}
    with exclusive(unit.home, "issuing"):
        administer(unit, Verb.IDENTITY, EntryKind.KEY_ROTATED, body)
        homes.replace_private(unit.home / homes.ISSUING_KEY, secret + "\n")
    return until


def _issuing_key(unit: RecordUnit) -> str:
    """The key that signs. A file that the log does not know of is a rotation cut short."""
    path = unit.home / homes.ISSUING_KEY
    with usable(unit.home):
        known = unit.catalog.audit.books().tokens.keys(unit.reader.now())
        if not path.exists() or _public_in(path) not in known:
            rotate(unit)
        return path.read_text().strip()


def _public_in(path: Path) -> str:
    """The public half of the key in a file; empty where that is damaged."""
    try:
        return biscuits.public_of(path.read_text("ascii").strip())
    except ValueError:
        return ""


def _identity(unit: LocalUnit, name: str) -> Identity:
    known = _known(unit, name)
    if known.disabled:
        raise _unknown(name)
    return known


def _known(unit: LocalUnit, name: str) -> Identity:
    known = unit.catalog.audit.books().identities.get(name)
    if known is None:
        raise _unknown(name)
    return known


def _unknown(name: str) -> IdentityUnknown:
    return IdentityUnknown(
        f"there is no identity “{name}” that may have tokens",
        hint="See who there is: vault identity list",
    )


def _life(wish: TokenWish, identity: Identity) -> timedelta:
    usual, longest = _LIVES[identity.kind]
    life = usual if wish.life is None else wish.life
    if not timedelta(0) < life <= longest:
        raise UsageError(
            f"a token of {'an' if identity.kind == 'agent' else 'a'} {identity.kind} lives for"
            f" {format_span(longest)} at most",
            safe="Nothing was made.",
        )
    return life


def _check_words(unit: RecordUnit, wish: TokenWish) -> None:
    if wish.environment not in unit.charter.environments:
        known = ", ".join(sorted(unit.charter.environments))
        raise UsageError(f"there is no environment “{wish.environment}”", hint=f"It has: {known}.")
    strange = sorted(set(wish.verbs) - {verb.value for verb in Verb})
    if strange:
        raise UsageError(f"there are no verbs {', '.join(strange)}", hint="As in: delete, undelete")


def narrow(
    secret: str, *, until: datetime | None, verbs: Sequence[str], volumes: Sequence[str]
) -> str:
    """A token that can do less, made offline. Raises UsageError, TokenInvalid."""
    return biscuits.narrow(secret, until=until, verbs=verbs, volumes=volumes)
