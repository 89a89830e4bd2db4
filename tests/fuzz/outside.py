"""What is said from outside: by issuers of tokens, by time-stamping services, by the daemon to its
client, and by people of what they expect of rules.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any, Final

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.fuzz import sealing
from tests.fuzz.governing import ORIGIN, REQUEST
from tests.fuzz.mutation import as_json
from tests.fuzz.stored import CHARTER, known, store_of
from tests.fuzz.texts import in_file
from tests.tsa import make_authority
from tests.unit.api.issuers import Issuer, Private, packed, sign
from tests.unit.repository.founding import WRITER
from vault.audit.checkpoint import Checkpoint, sign_checkpoint
from vault.client import Client
from vault.codec.timestamp import Trusted, check_reply, make_query, read_certificates
from vault.errors import VaultError
from vault.governance import jwts
from vault.governance.expectation import read_cases
from vault.governance.facts import facts_body, read_facts
from vault.repository.authentic import Tampering
from vault.repository.stamps import PREFIX, read_stamps
from vault.testing.clock import START, ManualClock

SEEN: Final = b"a checkpoint"
_BEGAN: Final = int(START.timestamp())
_CLAIMS: Final[dict[str, Any]] = {
    "iss": "https://issuer.example.org",
    "aud": ["vault", "others"],
    "sub": "runner",
    "iat": _BEGAN,
    "nbf": _BEGAN,
    "exp": _BEGAN + 600,
}


@cache
def issuer() -> Issuer:
    """With a key of two kinds."""
    keys: dict[str, Private] = {
        "ed": ed25519.Ed25519PrivateKey.from_private_bytes(b"e" * 32),
        "ec": ec.derive_private_key(7, ec.SECP256R1()),
    }
    return Issuer(_CLAIMS["iss"], keys)


def _token(kid: str, head: Any, claims: Any) -> str:
    shown = f"{packed(as_json(head))}.{packed(as_json(claims))}"
    return f"{shown}.{packed(sign(issuer().keys[kid], shown.encode()))}"


def run_claims(parts: Any) -> Any:
    """A token that an issuer has signed, whatever it says: [key, header, claims]."""
    match parts:
        case ["ed" | "ec" as kid, head, claims]:
            shown = jwts.show(_token(kid, head, claims))
        case _:
            return None
    key = jwts.choose(jwts.read_keys(issuer().published()), shown)
    if key is None:
        return None
    return jwts.verify(shown, key, START + timedelta(minutes=1), audience="vault", claim="sub")


def run_keys(document: bytes) -> Any:
    """An issuer's published keys, each tried on tokens that it could have signed."""
    keys, told = jwts.read_keys(document), []
    for kid, algorithm in (("ed", "EdDSA"), ("ec", "ES256"), ("ed", "RS256")):
        shown = jwts.show(_token(kid, {"alg": algorithm, "kid": kid}, _CLAIMS))
        for fitting in (jwts.choose(some, shown) for some in (keys, *([key] for key in keys))):
            with suppress(VaultError):
                if fitting is not None:
                    told.append(jwts.verify(shown, fitting, START, audience="vault", claim="sub"))
    return told


def _heads() -> list[Any]:
    return [
        ["ed", {"alg": "EdDSA", "kid": "ed"}, _CLAIMS],
        ["ec", {"alg": "ES256", "typ": "JWT"}, {**_CLAIMS, "aud": "vault"}],
    ]


@cache
def stamped() -> tuple[bytes, bytes]:
    """A service's root certificate, and its answer about SEEN."""
    authority = make_authority()
    try:
        return authority.root.read_bytes(), authority.answer(make_query(SEEN).der)
    finally:
        shutil.rmtree(authority.folder)


@cache
def _trusted() -> Trusted:
    return read_certificates(stamped()[0])


def run_certificates(pem: bytes) -> Any:
    """The certificates that a time stamp has to lead to."""
    found = read_certificates(pem)
    return len(found.roots), len(found.between)


def run_reply(reply: bytes) -> Any:
    """What a time-stamping service answers."""
    return check_reply(reply, SEEN, _trusted())


def run_stamp(parts: Any) -> Any:
    """A time stamp by a writer who was admitted and turned bad: [size in its name, its body]."""
    match parts:
        case [int(size), body] if 0 <= size < 10**12:
            place = f"{PREFIX}{WRITER.key_id}/{size:012}"
        case _:
            return None
    notes: list[Tampering] = []
    store = store_of([sealing.record("stamp", place, as_json(body))])
    told = [(one.log, one.checkpoint, one.reply) for one in read_stamps(store, CHARTER, notes)]
    known(notes)
    return told


def _stamps() -> list[Any]:
    note = sign_checkpoint(Checkpoint(ORIGIN, 7, b"r" * 32), WRITER)
    return [[7, {"note": note, "reply": "AAECAw=="}]]


def run_cases(text: str) -> Any:
    """What people expect of rules."""
    return read_cases(in_file(text))


def run_facts(body: Any) -> Any:
    """What an entry says was known of a request."""
    if not isinstance(body, dict):
        return None
    try:
        return facts_body(read_facts(REQUEST, msgspec.json.decode(as_json(body))))
    except msgspec.ValidationError:  # by which a replay passes an entry over
        return None


_ASKED: Final[tuple[Callable[[Client], Any], ...]] = (
    lambda client: client.whoami(),
    lambda client: client.volume("db"),
    lambda client: client.volumes(),
    lambda client: client.status(),
    lambda client: client.delete("db", reason="gone"),
    lambda client: client.undelete_since(timedelta(hours=1)),
    lambda client: client.grants(),
    lambda client: client.approvals(),
    lambda client: client.approvers(),
    lambda client: client.passkey_challenge("ask_1", name="ann"),
)


def run_client(parts: Any) -> Any:
    """What a daemon, or somebody in its place, answers: [status, body]."""
    match parts:
        case [int(status), body] if 100 <= status < 600:
            answer = httpx.Response(
                status, content=body if isinstance(body, str) else as_json(body)
            )
        case _:
            return None
    told: list[Any] = []
    with Client("http://127.0.0.1:1", "vlt_x", clock=ManualClock()) as client:
        client._http = httpx.Client(
            base_url="http://127.0.0.1:1",
            transport=httpx.MockTransport(
                lambda _: httpx.Response(answer.status_code, content=answer.content)
            ),
        )
        for ask in _ASKED:
            try:
                told.append(ask(client))
            except VaultError as error:
                told.append(type(error).__name__)
    return [str(one) for one in told]


def _bodies() -> list[Any]:
    page: dict[str, Any] = {"version": 1, "kind": "volumes", "items": [], "next": None}
    problem = {"code": "volume_unknown", "detail": "no", "safe": "yes", "hint": "look"}
    deletion = {"state": "awaiting_approval", "detail": "wait", "approval": "ask_1"}
    return [
        [200, page],
        [404, problem],
        [202, deletion],
        [200, {"public_key": {"challenge": "x"}}],
        [200, "<html>"],
    ]


def _facts() -> list[Any]:
    return [facts_body(read_facts(REQUEST, {})), {}]


_CASES: Final = """\
[[case]]
name = "an agent's delete"
verb = "delete"
who = "agent"
expect = "deny"
rules = ["needs-task"]
"""

TARGETS: Final = (
    ("issuer's token", _heads, run_claims),
    ("issuer's keys", lambda: [issuer().published(), json.dumps({"keys": []}).encode()], run_keys),
    ("certificates", lambda: [stamped()[0]], run_certificates),
    ("time stamp", lambda: [stamped()[1]], run_reply),
    ("stored time stamp", _stamps, run_stamp),
    ("expected decisions", lambda: [_CASES], run_cases),
    ("facts of an entry", _facts, run_facts),
    ("daemon's answer", _bodies, run_client),
)
