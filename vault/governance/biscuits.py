"""Tokens as bytes: biscuits (https://www.biscuitsec.org), signed, expiring, narrowed offline.

A token reads `vlt_`, the biscuit in base64, a dot, and the public key that signed it: whoever
narrows it offline needs that, and nobody believes it. Its first block says who, of what kind, in
which vault and environment, and since when; that block, and each that a holder added, may limit
verbs, volumes and time by checks of exactly the forms below. A block of any other form is refused:
what is not understood here must not be widened by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from biscuit_auth import (
    AuthorizationError,
    AuthorizerBuilder,
    Biscuit,
    BiscuitBuilder,
    BiscuitValidationError,
    BlockBuilder,
    DataLogError,
    KeyPair,
    PrivateKey,
    PublicKey,
    Rule,
    UnverifiedBiscuit,
)

from vault.errors import TokenInvalid, UsageError

PREFIX: Final = "vlt_"
LONGEST: Final = 8192
_PATIENCE: Final = timedelta(seconds=5)
"""The library gives up after a millisecond, which a busy host takes for nothing at all."""
_SHAPE: Final = re.compile(rf"{PREFIX}([A-Za-z0-9_=-]+)\.([0-9a-f]{{64}})")
_WORD: Final = r'"([A-Za-z0-9._@*-]+)"'
_LIST: Final = re.compile(
    rf"check if (verb|volume)\(\$v\), \{{{_WORD}(?:, {_WORD})*\}}\.contains\(\$v\)"
)
_WORDS: Final = re.compile(_WORD)
_UNTIL: Final = re.compile(r"check if time\(\$t\), \$t < (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_FACT: Final = re.compile(
    r'(?:vault|principal|kind|environment|token)\("[^"\\]*"\)|made\([0-9TZ:-]+\)'
)
_NAME: Final = re.compile(r"[A-Za-z0-9._@*-]+")
_WHO: Final = (
    "data($v, $p, $k, $e, $t, $m) <- vault($v), principal($p), kind($k), environment($e), "
    "token($t), made($m)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a token says. No limit is None; times are aware, to the second.

    `ids` are the token's own and the revocation ids of all its blocks, the first one's first.
    """

    vault: str
    name: str
    kind: str
    environment: str
    token: str
    made_at: datetime
    expires_at: datetime
    verbs: frozenset[str] | None = None
    volumes: frozenset[str] | None = None
    ids: tuple[str, ...] = ()


def new_issuing_key() -> str:
    """The secret of a fresh key, in hex."""
    return bytes(KeyPair().private_key.to_bytes()).hex()


def public_of(secret: str) -> str:
    """The public half of an issuing key, in hex."""
    return bytes(KeyPair.from_private_key(_private(secret)).public_key.to_bytes()).hex()


def mint(secret: str, terms: Terms) -> str:
    """A token of these terms. Raises UsageError where a limit cannot be written."""
    builder = BiscuitBuilder(
        "vault({vault}); principal({name}); kind({kind}); environment({environment});"
        "token({token}); made({made_at})",
        {
            "vault": terms.vault,
            "name": terms.name,
            "kind": terms.kind,
            "environment": terms.environment,
            "token": terms.token,
            "made_at": terms.made_at.astimezone(UTC).replace(microsecond=0),
        },
    )
    builder.add_code(_limits(terms.expires_at, terms.verbs, terms.volumes))
    return f"{PREFIX}{builder.build(_private(secret)).to_base64()}.{public_of(secret)}"


def narrow(
    token: str, *, until: datetime | None, verbs: Sequence[str], volumes: Sequence[str]
) -> str:
    """A token that can do less; whoever holds one can make it, without asking anyone.

    Raises UsageError, TokenInvalid.
    """
    code = _limits(until, verbs or None, volumes or None)
    key = _parts(token)[1]
    return f"{PREFIX}{_opened(token, (key,)).append(BlockBuilder(code)).to_base64()}.{key}"


def read(token: str, keys: Iterable[str], now: datetime) -> Terms:
    """What a token says, where one of these keys signed it and it is good at `now`.

    Raises TokenInvalid, with the same words for whatever is amiss.
    """
    biscuit = _opened(token, keys)
    sources = [biscuit.block_source(index) for index in range(biscuit.block_count())]
    until, limits = _read_limits(sources)
    facts = [f'{name}("{word}");' for name, words in limits.items() for word in words or ()]
    code = f"time({{now}}); {''.join(facts)} allow if true"
    authorizer: Any = AuthorizerBuilder(code, {"now": now})  # its types lack the limits
    patient = authorizer.limits()
    patient.max_time = _PATIENCE
    authorizer.set_limits(patient)
    try:
        judge = authorizer.build(biscuit)
        judge.authorize()
        (told,) = (fact.terms for fact in judge.query(Rule(_WHO)))
    except (AuthorizationError, DataLogError, ValueError) as error:
        raise invalid(str(error)) from None
    vault, name, kind, environment, identifier, made_at = told
    return Terms(
        vault=vault,
        name=name,
        kind=kind,
        environment=environment,
        token=identifier,
        made_at=made_at,
        expires_at=until,
        verbs=limits["verb"],
        volumes=limits["volume"],
        ids=(identifier, *biscuit.revocation_ids),
    )


def root_id(token: str) -> str:
    """What a token has in common with all that are narrowed from it; nobody has verified it.

    Raises TokenInvalid.
    """
    try:
        return UnverifiedBiscuit.from_base64(_parts(token)[0]).revocation_ids[0]
    except (BiscuitValidationError, ValueError):
        raise invalid("it is no biscuit") from None


def invalid(detail: str) -> TokenInvalid:
    """The one answer to whatever is amiss with a token; `detail` is for the audit log."""
    error = TokenInvalid(
        "this token does not count here",
        safe="Nothing was changed.",
        hint="Ask for a new one: vault token make NAME",
    )
    error.detail = detail
    return error


def _opened(token: str, keys: Iterable[str]) -> Biscuit:
    bare = _parts(token)[0]
    for key in keys:
        try:  # a key that is no point of the curve has signed nothing
            return Biscuit.from_base64(bare, PublicKey(f"ed25519/{key}"))
        except (BiscuitValidationError, ValueError):
            continue
    raise invalid("no key of this vault signed it")


def _parts(token: str) -> tuple[str, str]:
    """The biscuit, and the key that it names."""
    found = _SHAPE.fullmatch(token) if len(token) <= LONGEST else None
    if found is None:
        raise invalid("it does not look like a token")
    return found[1], found[2]


def _limits(
    until: datetime | None, verbs: Iterable[str] | None, volumes: Iterable[str] | None
) -> str:
    lines = []
    if until is not None:
        lines.append(f"check if time($t), $t < {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    for name, words in (("verb", verbs), ("volume", volumes)):
        listed = sorted(set(words or ()))
        if not all(_NAME.fullmatch(word) for word in listed):
            raise UsageError(f"a token cannot be limited to the {name}s {', '.join(listed)}")
        if listed:
            shown = ", ".join(f'"{word}"' for word in listed)
            lines.append(f"check if {name}($v), {{{shown}}}.contains($v)")
    if not lines:
        raise UsageError("say what the token is to be limited to", hint="--for 10m, --verb delete")
    return "; ".join(lines)


def _read_limits(
    sources: Sequence[str],
) -> tuple[datetime, dict[str, frozenset[str] | None]]:
    until: list[datetime] = []
    limits: dict[str, frozenset[str] | None] = {"verb": None, "volume": None}
    for number, source in enumerate(sources):
        for line in filter(None, (part.strip() for part in source.split(";"))):
            if number == 0 and _FACT.fullmatch(line):
                continue
            if found := _UNTIL.fullmatch(line):
                until.append(datetime.fromisoformat(found[1]))
            elif found := _LIST.fullmatch(line):
                words, former = frozenset(_WORDS.findall(line)), limits[found[1]]
                limits[found[1]] = words if former is None else former & words
            else:
                raise invalid(f"it was narrowed in a way that is not known here: {line}")
    if not until:
        raise invalid("it never expires")
    return min(until), limits


def _private(secret: str) -> PrivateKey:
    return PrivateKey(f"ed25519-private/{secret}")
