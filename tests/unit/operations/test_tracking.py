"""Tasks that an external tracker knows: asked for before the gate decides, and refused in doubt."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.trackers import (
    Manner,
    SoftTracker,
    answering,
    bomb,
    hanging,
    huge,
    knowing,
    tracking,
    trickling_body,
)
from tests.unit.operations.approving import AGENT, Council
from tests.unit.operations.conftest import OPERATOR, Site
from vault import compose, tracker
from vault.audit.entry import EntryKind
from vault.errors import Denied
from vault.governance.grant import Grant
from vault.governance.request import Verb
from vault.governance.tracker import Answer, may_be_asked, read_answer
from vault.operations.gate import Admission, admit, question_of
from vault.operations.ledger import enter
from vault.settings import TrackerSettings


@pytest.fixture
def council(site: Site) -> Council:
    """An agent with a grant, and no task in vault's own book."""
    made = Council(site)
    now = site.clock.now()
    grant = Grant(
        grant="grant_1",
        principal=AGENT.name,
        environment="production",
        verbs=("delete",),
        volumes=("*",),
        starts_at=now,
        expires_at=now + timedelta(days=9),
        uses=99,
    )
    enter(made.unit, EntryKind.GRANT_GIVEN, msgspec.to_builtins(grant))
    return made


LATE: tuple[Manner, ...] = (hanging, trickling_body)


def attempt(council: Council, soft: SoftTracker, **changes: Any) -> Admission:
    """The agent's delete, judged where this tracker can be asked."""
    ask = partial(tracker.ask, soft.url, seconds=3 if soft.manner in LATE else 30)
    unit = replace(council.by(changes.pop("by", AGENT)), tracker=ask)
    return admit(unit, council.question(**changes))


def entered(council: Council, by: str = AGENT.name) -> dict[str, Any]:
    """The newest request in the audit log."""
    body: dict[str, Any] = council.unit.catalog.audit.requests(by, most=1)[-1].body
    return body


OURS: dict[str, Any] = {"assignees": [AGENT.name], "volumes": ["db"]}


def test_a_task_of_the_trackers_lets_an_agent_delete_and_is_in_the_log(council: Council) -> None:
    with tracking(knowing(**OURS)) as soft:
        attempt(council, soft)
    assert [ask["task"] for ask in soft.asked] == ["OPS-1"]
    assert entered(council)["tracked"]["assignees"] == [AGENT.name]
    assert entered(council)["decision"] == "allow"


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        (knowing(**OURS | {"closed": True}), "the task OPS-1 is closed"),
        (knowing(**OURS | {"until": "2020-01-01T00:00:00Z"}), "closed since 2020"),
        (knowing(**OURS | {"assignees": ["eve"]}), "assigned to eve, not to deploy-bot"),
        (knowing(**OURS | {"volumes": ["mail"]}), "covers delete of mail"),
        (knowing(**OURS | {"verbs": ["snapshot"]}), "covers snapshot of db"),
        (knowing(), "assigned to nobody"),
        (knowing(**OURS | {"task": "OPS-2"}), "about another task"),
        (knowing(**OURS | {"environment": "staging"}), "about another task"),
        (knowing(**OURS | {"until": "2999-01-01T00:00:00"}), "cannot be read"),
        (knowing(**OURS | {"volumes": "*"}), "cannot be read"),
        (knowing(**OURS | {"closed": "no"}), "cannot be read"),
        (answering(200, b""), "cannot be read"),
        (answering(200, b"[" * 10_000), "cannot be read"),
        (answering(200, b"<html>sign in</html>"), "cannot be read"),
        (answering(200, b"null"), "cannot be read"),
        (answering(404), "no task OPS-1, here or in the tracker"),
        (answering(302, Location="/else"), "not followed"),
        (answering(500), "answered 500"),
        (answering(204), "answered 204"),
        (hanging, "did not answer within 3 s"),
        (trickling_body, "did not answer within 3 s"),
        (huge, "answered more than"),
        (bomb, "packed its answer"),
    ],
)
def test_whatever_is_not_such_a_task_is_refused_with_its_reason(
    council: Council, manner: Manner, says: str
) -> None:
    with tracking(manner) as soft, pytest.raises(Denied, match=says):
        attempt(council, soft)
    assert len(soft.asked) == 1
    assert entered(council)["decision"] == "deny"
    assert says in " ".join(entered(council)["reasons"])


def test_what_vault_knows_itself_is_asked_of_nobody(council: Council) -> None:
    council.let_agent()
    with tracking(knowing(**OURS | {"closed": True})) as soft:
        attempt(council, soft)
    assert soft.asked == []
    assert entered(council)["tracked"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"task": ""},
        {"task": "two words"},
        {"task": "x" * 201},
        {"task": "OPS\n1"},
        {"verb": Verb.SNAPSHOT},
        {"verb": Verb.UNDELETE},
    ],
)
def test_only_destructive_requests_with_a_tasks_name_ask(
    council: Council, changes: dict[str, Any]
) -> None:
    with tracking(knowing(**OURS)) as soft:
        try:
            attempt(council, soft, **changes)
        except Denied:
            assert "task" in changes
    assert soft.asked == []


def test_nobody_waits_while_a_tracker_is_asked(council: Council) -> None:
    """The gate's lock is free meanwhile: another's request passes."""
    volume = council.unit.catalog.volumes.resolve("db")
    with tracking(hanging) as soft:
        slow = partial(tracker.ask, soft.url, seconds=20)
        unit = replace(council.by(AGENT), tracker=slow)
        ended: list[str] = []
        thread = Thread(target=_ends, args=(ended, lambda: admit(unit, council.question())))
        thread.start()
        while not soft.asked:
            thread.join(0.01)
        admit(council.by(OPERATOR), question_of(Verb.SNAPSHOT, volume))
        assert ended == []
        soft.over.set()
        thread.join()
    assert ended == ["Denied"]


def _ends(ended: list[str], act: Callable[[], object]) -> None:
    try:
        act()
    except Denied:
        ended.append("Denied")


def test_the_settings_lead_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token of the environment; without the library the reason is the way out."""
    monkeypatch.setenv("VAULT_TRACKER_TOKEN", "secret")
    with tracking(knowing()) as soft:
        answer = compose._ask_tracker(TrackerSettings(url=soft.url), "staging", "OPS-9")
        assert json.loads(answer.body)["task"] == "OPS-9"
        assert soft.bearers == ["Bearer secret"]
        monkeypatch.setitem(sys.modules, "vault.tracker", None)
        answer = compose._ask_tracker(TrackerSettings(url=soft.url), "staging", "OPS-9")
    assert "pip install 'vault-softdelete[tracker]'" in answer.failure


def test_reading_never_fails() -> None:
    for body in (b"\xff", b'{"task": 1e999}', b'{"until": "9999-99-99T00:00:00Z"}', b"9" * 9999):
        assert isinstance(read_answer(Answer(status=200, body=body), "staging", "OPS-1"), str)
    assert [may_be_asked(name) for name in ("OPS-1", "", "a b", "é")] == [True, False, False, True]
