"""The HTTP interface against its own document: every route, odd words, every kind of token.

No answer is an error of the server or one that the document does not name; none tells staging's
callers what is in production; and nothing changes without an entry in the audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.signers import SoftKey
from tests.unit.api.conftest import PLACES, Door, entrust, make_door

CHECKS: Final = [
    *(not_a_server_error, status_code_conformance),
    *(content_type_conformance, response_schema_conformance),
]
OPERATIONS: Final = (
    *(("get", "/v1/volumes"), ("get", "/v1/volumes/{name}"), ("put", "/v1/volumes/{name}")),
    *(("delete", "/v1/volumes/{name}"), ("post", "/v1/volumes/{name}/snapshots")),
    *(("post", "/v1/volumes/{name}/undelete"), ("get", "/v1/snapshots")),
    *(("get", "/v1/tombstones"), ("get", "/v1/tombstones/{tombstone}")),
    *(("post", "/v1/tombstones/{tombstone}/undelete"), ("post", "/v1/undelete")),
    *(("post", "/v1/tombstones/{tombstone}/hold"), ("get", "/v1/whoami")),
    *(("get", "/v1/grants"), ("post", "/v1/grants"), ("post", "/v1/grants/{grant}/give")),
    *(("post", "/v1/grants/{grant}/revoke"), ("get", "/v1/approvals")),
    *(("get", "/v1/approvals/{approval}"), ("post", "/v1/approvals/{approval}/reject")),
    *(("post", "/v1/approvals/{approval}/signatures"), ("get", "/v1/audit"), ("get", "/healthz")),
)
CALLERS: Final = (
    *(("ann", "staging"), ("bot", "staging"), ("platform", "staging")),
    *(("ann", "production"), ("bot", "production"), ("nobody", "")),
)
NAMES: Final = ("db", "ledger")
GRANT: Final = {"volumes": ["db"], "reason": "merged"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One app for all; `ledger` of production was deleted before, a delete of `db` waits."""
    root = tmp_path_factory.mktemp("api")
    home, app, tokens = make_door(root)
    with TestClient(app, raise_server_exceptions=False) as client:
        made = Door(home, root, app, client, tokens)
        gone = made.ask("ann", "DELETE", "/volumes/ledger", headers={"Vault-Reason": "old"})
        assert gone.status_code == 202
        for place in PLACES:
            assert made.ask("bot", "POST", "/grants", place, json=GRANT).status_code == 201
        entrust(made)
        with made.vault() as vault:
            kit = home / "recovery.kit"
            vault.oversight.add_approver("eve", SoftKey().line, kit=kit)
        why = {"Vault-Reason": "merged", "Vault-Task": "OPS-1"}
        waits = made.ask("bot", "DELETE", "/volumes/db", headers=why)
        assert waits.json()["state"] == "awaiting_approval", waits.text
        yield made


@pytest.fixture(scope="module")
def known(door: Door) -> dict[str, list[str]]:
    """What there is, by the word of a path that names it."""
    kinds = ("tombstones", "grants", "approvals")
    found = {kind[:-1]: _ids(door, kind) for kind in kinds}
    assert all(found.values())
    return found | {"name": [*NAMES, *_ids(door, "volumes")]}


@pytest.fixture(scope="module")
def foreign(door: Door) -> list[str]:
    """What nobody of staging may be told: ids and places of production."""
    kinds = ("volumes", "tombstones", "grants", "approvals")
    ids = [identifier for kind in kinds for identifier in _ids(door, kind, PLACES[:1])]
    return [*ids, str(door.root / "srv" / "production")]


@pytest.fixture(scope="module")
def document(door: Door) -> Any:
    """What schemathesis reads of it."""
    return schemathesis.openapi.from_dict(door.client.get("/v1/openapi.json").json())


def test_every_route_is_tried(document: Any) -> None:
    """A new route is added to the table."""
    told = {(o.ok().method, o.ok().path) for o in document.get_all_operations()}
    assert told == set(OPERATIONS)


@pytest.mark.parametrize("caller", CALLERS, ids="-".join)
def test_every_answer_is_as_documented(
    door: Door,
    document: Any,
    known: dict[str, list[str]],
    foreign: list[str],
    caller: tuple[str, str],
) -> None:
    for method, path in OPERATIONS:
        operation = document[path][method]
        _try(door, operation, _cases(operation, known), caller, foreign)


def _try(
    door: Door, operation: Any, cases: Any, caller: tuple[str, str], foreign: list[str]
) -> None:
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Case[Any]) -> None:
        before = _state(door)
        answer = _send(door, case, caller)
        case.validate_response(answer, checks=CHECKS)
        if caller[1] == "staging":
            told = [word for word in foreign if word in answer.text]
            assert set(told) <= {word for word in foreign if word in str(answer.request.url)}
            assert not (told and answer.is_success), answer.text
        after = _state(door)
        if after[0] != before[0]:
            assert after[1] > before[1], (operation.path, answer.text)
            assert caller[1], answer.text

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


def _send(door: Door, case: Case[Any], caller: tuple[str, str]) -> Any:
    words = case.as_transport_kwargs(base_url="http://testserver")
    headers = {k: v for k, v in dict(words["headers"]).items() if k.lower() != "authorization"}
    if caller in door.tokens:
        headers["Authorization"] = f"Bearer {door.tokens[caller]}"
    shown = {
        name.encode(): str(value).encode("latin-1", "replace") for name, value in headers.items()
    }
    sent = {name: words[name] for name in ("params", "json") if words.get(name) is not None}
    if words.get("data") is not None:
        sent["content"] = words["data"]
    return door.client.request(words["method"], words["url"], headers=shown, **sent)


def _state(door: Door) -> tuple[Any, int]:
    """How volumes, tombstones and grants stand, and how long the audit log is."""
    with door.vault() as vault:
        things: tuple[Any, ...] = (*vault.volumes(), *vault.tombstones(), *vault.oversight.grants())
        standing = sorted((item.id, item.state, getattr(item, "held", "")) for item in things)
        return standing, sum(1 for _ in vault.oversight.audit_show())
