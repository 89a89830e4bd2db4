"""Tokens of an outside issuer: who they stand for, and every way in which one does not count."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.unit.api.conftest import make_door
from tests.unit.api.issuers import Issuer, issuing, packed, public
from vault.api import keys as fetching
from vault.api.application import create_app
from vault.api.keys import IssuerKeys
from vault.clock import SystemClock
from vault.errors import UsageError
from vault.library import Vault
from vault.testing.clock import ManualClock

DAY = 24 * 3600
BY = [("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")]


@dataclass
class Trial:
    """A served vault that believes an issuer, for staging."""

    issuer: Issuer
    clock: ManualClock
    app: FastAPI
    client: TestClient
    home: Any

    def ask(self, token: str, path: str = "/whoami") -> Any:
        """What is answered to who shows this."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.get(f"/v1{path}", headers=headers)

    def forget(self) -> None:
        """Let no key be known, and nothing have been asked."""
        self.app.state.issuers = IssuerKeys(lambda: self.clock.boot_time().seconds)
        self.issuer.asked = 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    root = tmp_path_factory.mktemp("workload")
    home, _, _ = make_door(root)
    with issuing() as issuer:
        with Vault.open(home) as vault:
            for name, kind in (("runner", "agent"), ("syncer", "service"), ("eve", "human")):
                vault.oversight.add_identity(name, kind, subject=f"{issuer.url}#{name}")
            vault.oversight.add_identity("builder", "agent", subject=f"{issuer.url}/ci#org/app")
        with (home / "vault.toml").open("a") as file:
            file.write(
                f'\n[[workload]]\nissuer = "{issuer.url}"\naudience = "vault"\n'
                f'environment = "staging"\nkeys = "{issuer.url}/keys"\n'
                f'\n[[workload]]\nissuer = "{issuer.url}/ci"\naudience = "vault"\n'
                f'environment = "production"\nkeys = "{issuer.url}/keys"\n'
                'claim = "repository"\n'
            )
        clock = ManualClock(SystemClock().now())
        app = create_app(lambda: Vault.open(home), rate=1e6, clock=clock)
        with TestClient(app) as client:
            yield Trial(issuer, clock, app, client, home)


@pytest.fixture
def trial(made: Trial) -> Iterator[Trial]:
    """The same for all, with nothing remembered."""
    made.forget()
    before = dict(made.issuer.keys)
    yield made
    made.issuer.keys, made.issuer.document, made.issuer.status = before, None, 200


@pytest.mark.parametrize(("kid", "algorithm"), BY)
def test_an_issuers_word_is_an_identity(trial: Trial, kid: str, algorithm: str) -> None:
    told = trial.ask(trial.issuer.token(kid, algorithm)).json()
    assert (told["name"], told["kind"], told["via"]) == ("runner", "agent", "workload")
    assert told["environment"] == "staging"
    listed = trial.ask(trial.issuer.token(kid, algorithm), "/volumes").json()["items"]
    assert [(v["name"], v["environment"]) for v in listed] == [("db", "staging")]
    several = trial.issuer.token(kid, algorithm, aud=["other", "vault"], sub="syncer")
    assert trial.ask(several).json()["kind"] == "service"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://issuer.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"sub": "stranger"},
        {"sub": "Runner"},
        {"sub": ""},
        {"sub": 7},
        {"sub": None},
        {"sub": "eve"},
        {"exp": 0},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        {"iat": None},
        {"iat": 0},
        {"iat": 1e11},
        {"nbf": 1e11},
    ],
    ids=str,
)
def test_claims_that_do_not_count(trial: Trial, changes: dict[str, Any]) -> None:
    answer = trial.ask(trial.issuer.token("ec", "ES256", **changes))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


def test_an_issuer_names_somebody_by_the_claim_that_is_set_for_it(trial: Trial) -> None:
    """By no other, whatever that says; and where another is set, this one says nothing."""

    def ask(place: str, **claims: Any) -> Any:
        issued = trial.issuer.token("ec", "ES256", iss=trial.issuer.url + place, **claims)
        return trial.ask(issued).json()

    told = ask("/ci", repository="org/app")
    assert (told["name"], told["environment"]) == ("builder", "production")
    assert ask("", repository="org/app")["name"] == "runner"
    for name in (None, "", "org/App", "runner", 7, ["org/app"]):
        for subject in ("runner", "org/app"):
            told = ask("/ci", repository=name, sub=subject)
            assert told["code"] == "token_invalid", (name, subject)


def test_a_token_lives_for_a_day_at_most(trial: Trial) -> None:
    now = int(SystemClock().now().timestamp())
    good = trial.issuer.token("ec", "ES256", iat=now, exp=now + DAY)
    long = trial.issuer.token("ec", "ES256", iat=now, exp=now + DAY + 1)
    assert [trial.ask(token).status_code for token in (good, long)] == [200, 401]


def forged(trial: Trial, header: dict[str, Any], signature: bytes | str) -> str:
    """A token of these words; a text signs it by HMAC, as with a secret."""
    parts = (header, trial.issuer.claims())
    shown = ".".join(packed(json.dumps(part).encode()) for part in parts)
    if isinstance(signature, str):
        signature = hmac.new(signature.encode(), shown.encode(), sha256).digest()
    return f"{shown}.{packed(signature)}"


def test_public_keys_are_no_secrets_and_none_is_no_algorithm(trial: Trial) -> None:
    """What a library could be talked into, if the token chose the algorithm."""
    keys = {kid: public(key, kid) for kid, key in trial.issuer.keys.items()}
    tried = [
        forged(trial, {"alg": "none", "kid": "ec"}, b"x"),
        *(
            forged(trial, {"alg": algorithm, "kid": kid}, secret)
            for algorithm in ("HS256", "HS384", "hs256", "None")
            for kid, key in keys.items()
            for secret in (json.dumps(key), key.get("n", key.get("x", "")))
        ),
    ]
    shown = trial.issuer.token("ec", "ES256").rsplit(".", 1)[0]
    tried += [f"{shown}.", shown, f"{shown}.{packed(b'0' * 64)}", f"{shown}.{packed(bytes(64))}"]
    for kid, algorithm in (
        *(("rsa", "ES256"), ("ec", "RS256"), ("ed", "ES256"), ("ec", "EdDSA")),
        *(("rsa", "PS256"), ("rsa", "RS512"), ("ec", "ES384"), ("ec", "ES256K"), ("ed", "Ed25519")),
    ):
        tried.append(trial.issuer.token(kid, algorithm))
    for token in tried:
        answer = trial.ask(token)
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid"), token


def test_a_key_that_a_token_brings_is_not_read(trial: Trial) -> None:
    """Its own in `jwk`, a place of its own in `jku`; and what must be understood, and is not."""
    own = ec.generate_private_key(ec.SECP256R1())
    other = Issuer(trial.issuer.url, {"ec": own})
    for header in ({"jwk": public(own, "ec")}, {"jku": f"{trial.issuer.url}/own"}, {}):
        assert trial.ask(other.token("ec", "ES256", header)).status_code == 401
    critical = {"crit": ["vault"], "vault": 1}
    assert trial.ask(trial.issuer.token("ec", "ES256", critical)).status_code == 401
    assert trial.ask(trial.issuer.token("ec", "ES256")).status_code == 200


def test_a_weak_key_of_the_issuers_does_not_count(trial: Trial) -> None:
    trial.issuer.keys["rsa"] = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert trial.ask(trial.issuer.token("rsa", "RS256")).status_code == 401


@pytest.mark.parametrize("kind", ["oct", "two", "enc", "other-alg"])
def test_published_keys_that_do_not_fit(trial: Trial, kind: str) -> None:
    """A secret in the set, two of one name, one to encrypt, one for another algorithm."""
    key = public(trial.issuer.keys["ec"], "ec")
    sets = {
        "oct": [{"kty": "oct", "kid": "ec", "k": packed(b"secret" * 8)}],
        "two": [key, key],
        "enc": [{**key, "use": "enc"}],
        "other-alg": [{**key, "alg": "ES384"}],
    }
    trial.issuer.document = json.dumps({"keys": sets[kind]}).encode()
    assert trial.ask(trial.issuer.token("ec", "ES256")).status_code == 401
    assert trial.ask(forged(trial, {"alg": "HS256", "kid": "ec"}, "secret" * 8)).status_code == 401


# --- fetching ------------------------------------------------------------------------------------


def test_keys_are_fetched_once_and_again_for_one_that_is_new(trial: Trial) -> None:
    """At most once a minute, whoever shows what; an old one that is gone counts within the hour."""
    old = trial.issuer.token("ec", "ES256")
    assert [trial.ask(old).status_code for _ in range(5)] == [200] * 5
    assert trial.issuer.asked == 1
    trial.issuer.keys = {"new": ec.generate_private_key(ec.SECP256R1())}
    fresh = trial.issuer.token("new", "ES256")
    assert trial.ask(fresh).status_code == 401  # just fetched
    trial.clock.sleep(fetching.INTERVAL)
    assert [trial.ask(fresh).status_code for _ in range(3)] == [200] * 3
    assert trial.issuer.asked == 2
    assert trial.ask(old).status_code == 401
    unknown = Issuer(trial.issuer.url, {f"k{n}": trial.issuer.keys["new"] for n in range(20)})
    trial.clock.sleep(fetching.INTERVAL)
    for kid in unknown.keys:
        assert trial.ask(unknown.token(kid, "ES256")).status_code == 401
    assert trial.issuer.asked == 3


def test_while_the_issuer_is_away_its_keys_count_for_a_day(trial: Trial) -> None:
    token = trial.issuer.token("ed", "EdDSA")
    assert trial.ask(token).status_code == 200
    trial.issuer.status = 500
    trial.clock.sleep(fetching.KEPT + 1)
    assert [trial.ask(token).status_code for _ in range(3)] == [200] * 3
    assert trial.issuer.asked == 2
    trial.clock.sleep(fetching.STALE)
    assert trial.ask(token).status_code == 401


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b" " * (fetching.LARGEST + 1), 200),
        (b"", 302),
        (b"{", 200),
        (b'{"keys": 3}', 200),
        (b'{"keys": [3, null, {"kty": 7}, {}]}', 200),
        (b"[" * 100_000, 200),
        (b"\xff\xfe", 200),
    ],
    ids=["large", "redirect", "cut", "number", "mixed", "deep", "no-text"],
)
def test_what_an_issuer_publishes_is_not_believed_blindly(
    trial: Trial, document: bytes, status: int
) -> None:
    trial.issuer.document, trial.issuer.status = document, status
    for _ in range(3):
        assert trial.ask(trial.issuer.token("ec", "ES256")).status_code == 401
    assert trial.issuer.asked <= 2


def test_an_issuer_that_nobody_named_is_not_asked(trial: Trial) -> None:
    with issuing() as other:
        other.keys = trial.issuer.keys
        assert trial.ask(other.token("ec", "ES256")).status_code == 401
        assert (other.asked, trial.issuer.asked) == (0, 0)


# --- identities ----------------------------------------------------------------------------------


def test_who_was_revoked_or_disabled_is_nobody(trial: Trial) -> None:
    now = int(SystemClock().now().timestamp())
    token = trial.issuer.token("ec", "ES256", sub="syncer", iat=now - 1)
    assert trial.ask(token).status_code == 200
    with Vault.open(trial.home) as vault:
        vault.oversight.revoke_token("syncer")
    assert trial.ask(token).status_code == 401
    later = trial.issuer.token("ec", "ES256", sub="syncer", iat=now + 30)
    assert trial.ask(later).status_code == 200
    with Vault.open(trial.home) as vault:
        vault.oversight.disable_identity("syncer")
        assert trial.ask(later).status_code == 401
        vault.oversight.disable_identity("syncer", enable=True)
        with pytest.raises(UsageError, match="runner has this subject"):
            vault.oversight.add_identity("twin", "agent", subject=f"{trial.issuer.url}#runner")


def test_a_process_of_another_environment_believes_none(trial: Trial) -> None:
    app = create_app(lambda: Vault.open(trial.home, environment="production"), rate=1e6)
    with TestClient(app) as client:
        headers = {"Authorization": f"Bearer {trial.issuer.token('ec', 'ES256')}"}
        assert client.get("/v1/whoami", headers=headers).status_code == 401


def test_an_agent_by_workload_deletes_by_the_same_rules(trial: Trial) -> None:
    headers = {
        "Authorization": f"Bearer {trial.issuer.token('ec', 'ES256')}",
        "Vault-Reason": "cleaning up",
    }
    answer = trial.client.delete("/v1/volumes/db", headers=headers)
    assert (answer.status_code, "needs-grant" in answer.json()["detail"]) == (403, True)
    with Vault.open(trial.home) as vault:
        entry = list(vault.oversight.audit_show())[-1]
        assert (entry.by, entry.body["decision"]) == ("runner", "deny")
