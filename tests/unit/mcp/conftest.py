"""A vault behind a real `vault api`, with an agent that may delete, and one that has nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.agents import Agent
from tests.processes import vault_api, vault_mcp
from vault.governance.intent import Task
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.tokens import TokenWish

VOLUMES = ("db", "mail", "wiki", "logs")
Transport = Literal["stdio", "http"]


@dataclass(frozen=True)
class Place:
    """A home that is served: `daemon` is the HTTP interface, `server` the door for agents."""

    home: Path
    root: Path
    daemon: str
    server: str

    def vault(self) -> Vault:
        """The operator's own vault; a context manager."""
        return Vault.open(self.home)

    def token(self, name: str, environment: str = "production") -> str:
        """A token of an identity."""
        with self.vault() as vault:
            wish = TokenWish(name=name, environment=environment)
            return vault.oversight.make_token(wish).secret

    def agent(self, name: str, by: Transport, environment: str = "production") -> Agent:
        """An agent with a token of its own."""
        server = self.server if by == "http" else ""
        return Agent(self.token(name, environment), self.daemon, server)

    def data(self, volume: str) -> Path:
        """A file of a volume."""
        return self.root / "srv" / volume / "data"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A module's own."""
    root = tmp_path_factory.mktemp("mcp")
    home = make_home(root)
    environ = {"PATH": os.environ["PATH"], "HOME": str(root), "VAULT_HOME": str(home)}
    with vault_api(environ, "--rate", "10000") as daemon:
        # The process has a token that would do: nobody who comes by HTTP may act with it.
        with Vault.open(home) as vault:
            wish = TokenWish(name="ann", environment="production")
            own = vault.oversight.make_token(wish).secret
        with vault_mcp(environ | {"VAULTD_URL": daemon, "VAULTD_TOKEN": own}) as server:
            yield Place(home, root, daemon, server)


def make_home(root: Path) -> Path:
    """A vault in a folder: `db` and others in production, `branch` in staging."""
    home = root / "home"
    Vault.init(home, store=f"file://{root / 'store'}?immutable=no")
    with Vault.open(home) as vault:
        for name in (*VOLUMES, "branch"):
            source = root / "srv" / name
            source.mkdir(parents=True)
            (source / "data").write_text(name)
            where = "staging" if name == "branch" else "production"
            vault.add_volume(Enrolment(name=name, path=str(source), environment=where))
        for name, kind in (("ann", "human"), ("bot", "agent"), ("stray", "agent")):
            vault.oversight.add_identity(name, kind)
        vault.oversight.add_task(
            Task(task="OPS-1", environment="production", assignees=("bot",), volumes=VOLUMES)
        )
    return home
