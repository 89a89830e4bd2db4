"""Tokens of outside issuers of workload identities (JWT), by three algorithms with public keys.

What a token says of its own key counts for nothing but to choose among the issuer's keys: the
algorithm is one of the list below, and the key is of the kind, curve and size that belong to it. So
a public key is never taken for a secret, and `none` is no algorithm.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

from vault.governance.biscuits import invalid
from vault.limits import CLOCK_TOLERANCE

LONGEST: Final = 8192
KEYS_MOST: Final = 100
_KINDS: Final = {"RS256": ("RSA", ""), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
_PUBLIC: Final = ("kty", "crv", "n", "e", "x", "y")
_SHAPE: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_MODULUS: Final = range(2048 // 8, 8192 // 8 + 1)
_EXPONENT_MOST: Final = 8  # bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """What a token says of itself, which nobody believes yet."""

    token: str
    algorithm: str
    key: str
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an issuer says, verified; times are aware. `id` is the token's, by its bytes."""

    id: str
    name: str
    made_at: datetime
    expires_at: datetime


class _Registry(JWSRegistry):
    """One algorithm alone; silent about EdDSA, which other names are meant to follow one day."""

    def get_alg(self, name: str) -> Any:
        """The algorithm. Raises UnsupportedAlgorithmError."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"{name} is not allowed")
        return self.algorithms[name]


class _Header(msgspec.Struct):
    alg: str
    kid: str = ""


class _Issued(msgspec.Struct):
    iss: str


class _Key(msgspec.Struct):
    kty: str
    kid: str = ""
    use: str = ""
    alg: str = ""
    crv: str = ""
    n: str = ""
    e: str = ""
    x: str = ""
    y: str = ""


class _KeySet(msgspec.Struct):
    keys: list[msgspec.Raw]


class _Payload(msgspec.Struct):
    iss: str
    aud: str | list[str]
    exp: float
    iat: float
    nbf: float = 0.0


def show(token: str) -> Shown:
    """Read a token's own words. Raises TokenInvalid: it is none, or by no algorithm of ours."""
    found = _SHAPE.fullmatch(token) if len(token) <= LONGEST else None
    if found is None:
        raise invalid("it does not look like a token")
    try:
        header = msgspec.json.decode(_bytes(found[1]), type=_Header)
        issued = msgspec.json.decode(_bytes(found[2]), type=_Issued)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise invalid(f"it cannot be read: {error}") from None
    if header.alg not in _KINDS:
        raise invalid("its algorithm is not one that counts")
    return Shown(token, header.alg, header.kid, issued.iss)


def read_keys(document: bytes) -> list[_Key]:
    """An issuer's published keys; what is no key of these kinds is passed over.

    Raises TokenInvalid where the whole is none.
    """
    try:
        raw = msgspec.json.decode(document, type=_KeySet).keys
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise invalid(f"the issuer's keys cannot be read: {error}") from None
    keys = []
    for one in raw[:KEYS_MOST]:
        try:
            keys.append(msgspec.json.decode(one, type=_Key))
        except (msgspec.DecodeError, ValueError):
            continue
    return keys


def choose(keys: Sequence[_Key], shown: Shown) -> _Key | None:
    """The one key that a token is by, if it is there: by its id, or the only one of its kind."""
    kind, curve = _KINDS[shown.algorithm]
    fitting = [
        key
        for key in keys
        if (key.kty, key.crv) == (kind, curve)
        and key.use in ("", "sig")
        and key.alg in ("", shown.algorithm)
        and shown.key in ("", key.kid)
    ]
    return fitting[0] if len(fitting) == 1 else None


def verify(shown: Shown, key: _Key, now: datetime, *, audience: str, claim: str) -> Claims:
    """What the issuer says of whom `claim` names. Raises TokenInvalid for whatever is amiss."""
    payload = _signed(shown, key)
    try:
        told = msgspec.convert(payload, _Payload)
        name = msgspec.convert(payload.get(claim), str)
        made_at, expires_at = _time(told.iat), _time(told.exp)
        begins_at = _time(told.nbf)
    except (msgspec.ValidationError, ValueError, OverflowError, OSError) as error:
        raise invalid(f"its claims are not whole: {error}") from None
    faults = (
        (told.iss != shown.issuer, "it is of another issuer"),
        (audience not in ([told.aud] if isinstance(told.aud, str) else told.aud), "not for us"),
        (not 0 < len(name) <= 500, "it names nobody"),
        (expires_at <= now, "it has expired"),
        (max(made_at, begins_at) > now + CLOCK_TOLERANCE, "it is of the future"),
        (expires_at - made_at <= timedelta(0), "it ends before it begins"),
    )
    for fault, detail in faults:
        if fault:
            raise invalid(detail)
    identifier = f"jwt_{sha256(shown.token.encode()).hexdigest()[:16]}"
    return Claims(id=identifier, name=name, made_at=made_at, expires_at=expires_at)


def _signed(shown: Shown, key: _Key) -> dict[str, Any]:
    """The payload, where this key has signed it."""
    if key.kty == "RSA" and not _is_sound(key):
        raise invalid("the issuer's key is too small, or too large")
    public = {name: value for name in _PUBLIC if (value := getattr(key, name))}
    registry = _Registry(algorithms=[shown.algorithm], strict_check_header=False)
    try:
        made = JWKRegistry.import_key(public)
        return jwt.decode(shown.token, made, [shown.algorithm], registry).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise invalid(f"its signature does not count: {error}") from None


def _is_sound(key: _Key) -> bool:
    try:
        modulus, exponent = _bytes(key.n).lstrip(b"\0"), _bytes(key.e).lstrip(b"\0")
    except ValueError:
        return False
    return len(modulus) in _MODULUS and 0 < len(exponent) <= _EXPONENT_MOST


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
