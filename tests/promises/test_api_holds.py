"""The HTTP interface against its own document: every route, odd words, every kind of caller.

No answer is an error of the server or one that the document does not name; none tells staging's
callers what is in production; nothing changes without an entry in the audit log; and who shows a
token that does not count, for whatever reason, is told that in the same words everywhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.signers import SoftKey
from tests.unit.api.conftest import PLACES, Door, entrust, make_door
from tests.unit.api.issuers import Issuer, issuing
from tests.unit.api.vain import REASONS, vain_tokens
from vault.api.identify import Peer
from vault.clock import SystemClock
from vault.library import Vault
from vault.oversight import Oversight

CHECKS: Final = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, response_schema_conformance, response_headers_conformance),
]
OPERATIONS: Final = (
    *(("get", "/v1/volumes"), ("get", "/v1/volumes/{name}"), ("put", "/v1/volumes/{name}")),
    *(("delete", "/v1/volumes/{name}"), ("post", "/v1/volumes/{name}/snapshots")),
    *(("post", "/v1/volumes/{name}/keep"), ("post", "/v1/volumes/{name}/undelete")),
    ("get", "/v1/snapshots"),
    *(("get", "/v1/tombstones"), ("get", "/v1/tombstones/{tombstone}")),
    *(("post", "/v1/tombstones/{tombstone}/undelete"), ("post", "/v1/undelete")),
    *(("post", "/v1/tombstones/{tombstone}/hold"), ("get", "/v1/whoami")),
    *(("get", "/v1/grants"), ("post", "/v1/grants"), ("post", "/v1/grants/{grant}/give")),
    *(("post", "/v1/grants/{grant}/revoke"), ("get", "/v1/approvals")),
    *(("get", "/v1/approvals/{approval}"), ("post", "/v1/approvals/{approval}/reject")),
    *(("get", "/v1/approvers"), ("post", "/v1/approvers/{name}/passkey/creation")),
    *(("post", "/v1/approvers/{name}/passkey"), ("get", "/v1/approvals/{approval}/challenge")),
    *(("post", "/v1/approvals/{approval}/signatures"), ("get", "/v1/audit"), ("get", "/healthz")),
)
Caller = tuple[str, str]
"""A name and an environment, by which a token is known; the reason alone for one in vain."""

WORKLOADS: Final = (("runner", "staging"), ("builder", "production"))
"""Agents by tokens of an outside issuer."""

UID: Final = ("uid", "")
"""Whoever calls by the unix socket, without a token: they reach every environment."""

CALLERS: Final = (
    *(("ann", "staging"), ("bot", "staging"), ("platform", "staging"), ("narrowed", "staging")),
    *(("ann", "production"), ("bot", "production")),
    *WORKLOADS,
    UID,
)
_Standing = set[tuple[str, str, str]]
NOBODIES: Final = (("", ""), *((reason, "") for reason in REASONS))
HERE: Final = Peer("unix", os.geteuid())
FEW: Final = 10
MANY: Final = pytest.param(150, marks=[pytest.mark.long, pytest.mark.timeout(3600)])
NAMES: Final = ("db", "ledger")
GRANT: Final = {"volumes": ["db"], "reason": "merged"}


def _scope(fixture_name: str, config: pytest.Config) -> Literal["function", "module"]:
    """One door for all; for each caller its own where that takes long, as tokens last an hour."""
    return "function" if config.option.markexpr == "long" else "module"


@pytest.fixture(scope=_scope)
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """An app; `ledger` of production was deleted before, a delete of `db` waits."""
    root = tmp_path_factory.mktemp("api")
    home, app, tokens = make_door(root)
    with issuing() as issuer, TestClient(app, raise_server_exceptions=False) as client:
        tokens.update(_by_workload(home, issuer))
        made = Door(home, root, app, client, tokens)
        gone = made.ask("ann", "DELETE", "/volumes/ledger", headers={"Vault-Reason": "old"})
        assert gone.status_code == 202
        for place in PLACES:
            assert made.ask("bot", "POST", "/grants", place, json=GRANT).status_code == 201
        vain = {(reason, ""): token for reason, token in vain_tokens(home).items()}
        tokens.update(vain | {("narrowed", "staging"): _narrowed(tokens["ann", "staging"])})
        entrust(made)
        with made.vault() as vault:
            kit = home / "recovery.kit"
            vault.oversight.add_approver("eve", SoftKey().line, kit=kit)
        why = {"Vault-Reason": "merged", "Vault-Task": "OPS-1"}
        waits = made.ask("bot", "DELETE", "/volumes/db", headers=why)
        assert waits.json()["state"] == "awaiting_approval", waits.text
        yield made


@pytest.fixture(scope=_scope)
def known(door: Door) -> dict[str, list[str]]:
    """What there is, by the word of a path that names it."""
    kinds = ("tombstones", "grants", "approvals")
    found = {kind[:-1]: _ids(door, kind) for kind in kinds}
    assert all(found.values())
    return found | {"name": [*NAMES, *_ids(door, "volumes")]}


@pytest.fixture(scope=_scope)
def foreign(door: Door) -> list[str]:
    """What nobody of staging may be told: ids, a name and places of production."""
    kinds = ("volumes", "tombstones", "grants", "approvals")
    ids = [identifier for kind in kinds for identifier in _ids(door, kind, PLACES[:1])]
    return [*ids, "ledger", str(door.root / "srv" / "production")]


@pytest.fixture(scope=_scope)
def said() -> set[str]:
    """What staging's callers have said themselves: their own log, for one, has it, too."""
    return set()


@pytest.fixture(scope=_scope)
def document(door: Door) -> Any:
    """What schemathesis reads of it."""
    return schemathesis.openapi.from_dict(door.client.get("/v1/openapi.json").json())


def test_every_route_is_tried(document: Any) -> None:
    """A new route is added to the table."""
    told = {(o.ok().method, o.ok().path) for o in document.get_all_operations()}
    assert told == set(OPERATIONS)


@pytest.mark.parametrize("examples", [FEW, MANY])
@pytest.mark.parametrize("caller", CALLERS, ids="-".join)
def test_every_answer_is_as_documented(
    door: Door,
    document: Any,
    known: dict[str, list[str]],
    foreign: list[str],
    said: set[str],
    caller: Caller,
    examples: int,
) -> None:
    def judge(case: Case[Any], answer: Any) -> None:
        if caller[1] == "staging":
            told = {word for word in foreign if word in answer.text}
            said.update(word for word in foreign if word in _sent(answer))
            assert told <= said, answer.text

    for method, path in OPERATIONS:
        operation = document[path][method]
        _try(_Trial(door, caller, judge, examples), operation, _cases(operation, known))


@pytest.mark.parametrize("examples", [2, MANY])
@pytest.mark.parametrize("caller", NOBODIES, ids="".join)
def test_a_token_that_does_not_count_gets_one_answer(
    door: Door, document: Any, known: dict[str, list[str]], caller: Caller, examples: int
) -> None:
    """The same everywhere, but where a body is no JSON; nothing that was asked for is looked at."""
    told = set()

    def judge(case: Case[Any], answer: Any) -> None:
        if case.path == "/healthz" or _is_no_json(answer.request):
            assert answer.status_code in (200, 400), answer.text
        else:
            assert answer.status_code == 401, answer.text
        if answer.status_code == 401:
            told.add(answer.text)

    for method, path in OPERATIONS:
        operation = document[path][method]
        _try(_Trial(door, caller, judge, examples), operation, _cases(operation, known))
    assert len(told) == 1


def test_all_reasons_get_the_same_words(door: Door) -> None:
    answers = {_shown(door, "/v1/volumes/db", (reason, "")).text for reason in REASONS}
    assert len(answers) == 1


@dataclass(frozen=True)
class _Trial:
    """Who asks, what else is wanted of each answer, and how many times a route is tried."""

    door: Door
    caller: Caller
    judge: Callable[[Case[Any], Any], None]
    examples: int


def _try(trial: _Trial, operation: Any, cases: Any) -> None:
    @settings(
        max_examples=trial.examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Case[Any]) -> None:
        before = seen[-1]
        answer = _send(trial.door, case, trial.caller)
        case.validate_response(answer, checks=CHECKS)
        trial.judge(case, answer)
        after = _state(trial.door)
        seen.append(after)
        if _changed(before[0], after[0]):
            assert after[1] > before[1], (operation.path, answer.text)
            assert trial.caller in CALLERS, answer.text

    seen = [_state(trial.door)]
    run()


def _cases(operation: Any, known: dict[str, list[str]]) -> st.SearchStrategy[Any]:
    """Requests that fit the document, and where words are sent some that do not."""
    named = operation.path.partition("{")[2].partition("}")[0]
    wishes: list[dict[str, Any]] = [
        {},
        *({"path_parameters": {named: n}} for n in known.get(named, ())),
    ]
    fitting = [operation.as_strategy(generation_mode=GenerationMode.POSITIVE, **w) for w in wishes]
    odd = []
    if operation.body or operation.query:
        odd = [operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)]
    return st.one_of(*fitting, *odd)


def _ids(door: Door, kind: str, places: tuple[str, ...] = PLACES) -> list[str]:
    query = "?all=true" if kind == "approvals" else ""
    answers = [door.ask("ann", "GET", f"/{kind}{query}", place).json() for place in places]
    return [item["id"] for answer in answers for item in answer["items"]]


def _by_workload(home: Path, issuer: Issuer) -> dict[Caller, str]:
    """Tokens of an outside issuer for an agent, in each environment; good for the longest run."""
    now, tokens = int(SystemClock().now().timestamp()), {}
    with (home / "vault.toml").open("a") as file, Vault.open(home) as vault:
        for name, place in WORKLOADS:
            url = f"{issuer.url}/{place}"
            file.write(
                f'\n[[workload]]\nissuer = "{url}"\naudience = "vault"\n'
                f'environment = "{place}"\nkeys = "{issuer.url}/keys"\n'
            )
            vault.oversight.add_identity(name, "agent", subject=f"{url}#{name}")
            claims = {"iss": url, "sub": name, "iat": now, "exp": now + 20 * 3600}
            tokens[name, place] = issuer.token("ec", "ES256", **claims)
    return tokens


def _narrowed(token: str) -> str:
    """A person's token that is good for one verb on one volume."""
    return Oversight.narrow_token(token, until=None, verbs=["snapshot"], volumes=["db"])


def _send(door: Door, case: Case[Any], caller: Caller) -> Any:
    words = case.as_transport_kwargs(base_url="http://testserver")
    headers = {k: v for k, v in dict(words["headers"]).items() if k.lower() != "authorization"}
    sent = {name: words[name] for name in ("params", "json") if words.get(name) is not None}
    if words.get("data") is not None:
        sent["content"] = words["data"]
    return _shown(door, words["url"], caller, method=words["method"], headers=headers, **sent)


def _shown(door: Door, url: str, caller: Caller, **words: Any) -> Any:
    """The answer to a request that shows this caller's token, if there is one."""
    headers = words.pop("headers", {})
    client = door.client
    if caller in door.tokens:
        headers["Authorization"] = f"Bearer {door.tokens[caller]}"
    elif caller == UID:
        client = TestClient(door.app, raise_server_exceptions=False, client=HERE)
    shown = {
        name.encode(): str(value).encode("latin-1", "replace") for name, value in headers.items()
    }
    return client.request(words.pop("method", "GET"), url, headers=shown, **words)


def _is_no_json(request: Any) -> bool:
    """Whether there is a body that cannot be read, whoever sent it."""
    try:
        json.loads(request.content or b"0")
    except (ValueError, RecursionError):
        return True
    return False


def _sent(answer: Any) -> str:
    """What the caller has said itself."""
    return f"{answer.request.url} {answer.request.content.decode('utf-8', 'replace')}"


def _changed(before: _Standing, after: _Standing) -> _Standing:
    """What stands otherwise now, but for what time alone has ended."""
    ended = {name for name, state, _ in after if state == "expired"}
    return {one for one in before ^ after if one[0] not in ended}


def _state(door: Door) -> tuple[_Standing, int]:
    """How everything stands that a request could change, and how long the audit log is."""
    with door.vault() as vault:
        oversight = vault.oversight
        things: tuple[Any, ...] = (
            *(*vault.volumes(), *vault.tombstones(), *vault.snapshots()),
            *(*oversight.grants(), *oversight.approvals(everything=True)),
        )
        standing = {(item.id, item.state, str(getattr(item, "held", ""))) for item in things}
        people: list[Any] = [*oversight.identities(), *oversight.approvers(), *oversight.frozen()]
        standing |= {(person.name, "", repr(person)) for person in people}
        return standing, sum(1 for _ in oversight.audit_show())
