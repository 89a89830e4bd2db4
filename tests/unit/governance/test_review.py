"""What stands out about an identity, each finding on its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vault.governance.grant import Grant
from vault.governance.identity import Identity
from vault.governance.intent import Task
from vault.governance.principal import PrincipalKind
from vault.governance.review import Held, review
from vault.governance.tokens import Token

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def token(**changed: Any) -> Token:
    words: dict[str, Any] = {"token": "tok_1", "name": "bot", "environment": "production"}
    words |= {"expires_at": NOW + HOUR, "made_at": NOW, "verbs": ("delete",), "volumes": ("db",)}
    return Token(**words | changed)


def grant(*volumes: str) -> Grant:
    return Grant(
        grant="grant_1", principal="bot", environment="production", verbs=("delete",),
        volumes=volumes, starts_at=NOW, expires_at=NOW + HOUR,
    )  # fmt: skip


def task(*volumes: str, until: datetime | None = NOW + HOUR) -> Task:
    return Task(task="OPS-1", assignees=("bot",), volumes=volumes, until=until)


def found(kind: PrincipalKind = PrincipalKind.AGENT, **changed: Any) -> list[str]:
    disabled = changed.pop("disabled", False)
    identity = Identity(name="bot", kind=kind, disabled=disabled)
    words: dict[str, Any] = {"last_seen_at": NOW, "origins": ("10.0.0.1",), **changed}
    findings = list(review(Held(identity=identity, **words), NOW))
    assert {finding.name for finding in findings} <= {"bot"}
    return [finding.what for finding in findings]


def test_what_is_as_it_should_be_is_not_listed() -> None:
    assert found(tokens=[token()], tasks=[task("preview-*")], grants=[grant("db")]) == []
    assert found(PrincipalKind.HUMAN, tokens=[token(verbs=(), volumes=())]) == []
    assert found(disabled=True) == []
    assert found(origins=()) == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"disabled": True, "tokens": [token()]}, "disabled"),
        ({"last_seen_at": None, "origins": ()}, "never-used"),
        ({"last_seen_at": NOW - timedelta(days=31)}, "unused"),
        ({"tokens": [token(verbs=(), volumes=())]}, "over-broad"),
        ({"grants": [grant("db", "*")]}, "over-broad"),
        ({"tasks": [task("*")]}, "over-broad"),
        ({"tasks": [task("db", until=None)]}, "never-expiring"),
        ({"tokens": [token(expires_at=NOW + timedelta(days=31))]}, "long-lived"),
        ({"origins": ("10.0.0.1", "10.0.0.1", "192.0.2.7")}, "elsewhere"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_each_finding_has_its_word(words: dict[str, Any], what: str) -> None:
    assert found(**words) == [what]


def test_one_limit_is_enough_and_a_day_less_is_no_finding() -> None:
    assert found(tokens=[token(verbs=())]) == []
    assert found(tokens=[token(volumes=())]) == []
    assert found(last_seen_at=NOW - timedelta(days=30)) == []
    assert found(tokens=[token(expires_at=NOW + timedelta(days=30))]) == []
    assert found(origins=("10.0.0.1", "192.0.2.7", "10.0.0.1")) == []
