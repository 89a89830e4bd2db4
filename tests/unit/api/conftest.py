"""The HTTP interface over a real vault in a folder, with real tokens; no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from vault.api.application import create_app
from vault.governance.intent import Task
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.grants import GrantWish
from vault.operations.tokens import TokenWish

PEOPLE = {"ann": "human", "bot": "agent", "platform": "service"}
PLACES = ("production", "staging")


@dataclass
class Door:
    """The app, a client of it, and a token for each identity and environment.

    `db` is a volume in both environments; `ledger` is one in production alone.
    """

    home: Path
    root: Path
    app: FastAPI
    client: TestClient
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def headers(self, name: str, place: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """What somebody sends with every request."""
        return {"Authorization": f"Bearer {self.tokens[name, place]}", **more}

    def ask(
        self, name: str, method: str, path: str, place: str = "production", **words: Any
    ) -> Any:
        """One request of somebody's; `headers` among the words are added to theirs."""
        headers = self.headers(name, place, words.pop("headers", {}))
        return self.client.request(method, f"/v1{path}", headers=headers, **words)

    def vault(self) -> Vault:
        """The vault behind it; a context manager."""
        return Vault.open(self.home)


def make_door(root: Path, rate: float = 10_000.0) -> tuple[Path, FastAPI, dict[Any, str]]:
    """A vault below `root`, the app over it, and everybody's tokens."""
    home = root / "home"
    Vault.init(home, store=f"file://{root / 'store'}?immutable=no")
    tokens = {}
    with Vault.open(home) as vault:
        for place, name in (*((p, "db") for p in PLACES), ("production", "ledger")):
            source = root / "srv" / place / name
            source.mkdir(parents=True)
            (source / "orders").write_text(f"{place} {name}")
            vault.add_volume(Enrolment(name=name, path=str(source), environment=place))
        for name, kind in PEOPLE.items():
            vault.oversight.add_identity(name, kind)
            for place in PLACES:
                made = vault.oversight.make_token(TokenWish(name=name, environment=place))
                tokens[name, place] = made.secret
    return home, create_app(lambda: Vault.open(home), rate=rate), tokens


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """A running app."""
    home, app, tokens = make_door(tmp_path)
    with TestClient(app) as client:
        yield Door(home, tmp_path, app, client, tokens)


def entrust(door: Door, volume: str = "db", task: str = "OPS-1") -> None:
    """Let the agent delete a volume of production, once: a task of its own, and a grant."""
    with door.vault() as vault:
        vault.oversight.add_task(
            Task(
                task=task,
                title="clean up",
                environment="production",
                assignees=("bot",),
                volumes=(volume,),
                verbs=("delete",),
            )
        )
        vault.oversight.give_unasked(
            GrantWish(
                environment="production",
                volumes=(volume,),
                reason="clean up",
                task=task,
                principal="bot",
            )
        )
