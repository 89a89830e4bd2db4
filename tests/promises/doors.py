"""A scene with its HTTP door open: `vault api` as a process, callers with real tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.processes import vault_api
from tests.promises.scenes import Scene, make_scene
from tests.rgw import RgwBucket
from vault.client import Client
from vault.governance.intent import Task
from vault.operations.enroll import Enrolment
from vault.operations.grants import GrantWish
from vault.operations.tokens import TokenWish


@dataclass(frozen=True)
class Door:
    """A scene of several volumes in two environments; `url` is where its daemon answers."""

    scene: Scene
    url: str

    def token(self, name: str, environment: str, **terms: Any) -> str:
        """A token of an identity, made by the operator."""
        with self.scene.vault() as vault:
            wish = TokenWish(name=name, environment=environment, **terms)
            return vault.oversight.make_token(wish).secret

    def client(self, token: str) -> Client:
        """The client as a caller uses it."""
        return Client(self.url, token)

    def raw(self, token: str = "") -> httpx.Client:
        """HTTP without any manners."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def let(self, agent: str, *volumes: str, uses: int = 100, task: str = "OPS-1") -> None:
        """A person assigns a task and gives a grant, as work would have it."""
        with self.scene.vault() as vault:
            vault.oversight.add_task(
                Task(task=task, environment="production", assignees=(agent,), volumes=volumes)
            )
            vault.oversight.give_unasked(
                GrantWish(
                    environment="production",
                    volumes=volumes,
                    reason="work",
                    task=task,
                    uses=uses,
                    principal=agent,
                )
            )


@contextmanager
def open_door(bucket: RgwBucket, root: Path, *volumes: str) -> Iterator[Door]:
    """A vault with these volumes in production, one in an ephemeral environment, and an agent."""
    scene = make_scene(bucket, root, tree=False)
    with scene.vault() as vault:
        vault.add_environment("preview", ephemeral=True, window=_hours(1), kit=scene.kit)
        for name in (*volumes, "branch"):
            place = root / "srv" / name
            place.mkdir(exist_ok=True)
            (place / "data").write_bytes(name.encode() * 1000)
            where = "preview" if name == "branch" else "production"
            if name != "db":
                vault.add_volume(Enrolment(name=name, path=str(place), environment=where))
        for agent in ("bot", "other-bot"):
            vault.oversight.add_identity(agent, "agent")
    with serving(scene) as url:
        yield Door(scene, url)


@contextmanager
def serving(scene: Scene, *words: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """`vault api` of the writer's home, as a process; gives its URL."""
    with vault_api(scene.environ("writer") | dict(env or {}), "--rate", "10000", *words) as url:
        yield url


def _hours(number: int) -> timedelta:
    return timedelta(hours=number)
