"""The set-up of the promises' tests: a vault on the real server, as four users would have it.

Each role has a home and a credentials file of its own; the recovery kit is offline, in a third
place. Nothing here is shared between two scenes but the server.
"""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.processes import VAULT
from tests.rgw import RgwBucket
from vault.clock import SystemClock
from vault.compose import RoleName
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest, SnapshotItem
from vault.store.address import parse_address
from vault.store.s3_bucket import Bucket
from vault.testing.builders import build_tree

ROLES: tuple[RoleName, ...] = ("writer", "purger", "collector", "reader")


@dataclass(frozen=True)
class Scene:
    """A vault of one volume `db` (a tree with everything) on a bucket; `root` holds all of it."""

    bucket: RgwBucket
    root: Path

    @property
    def url(self) -> str:
        """The store's URL."""
        return self.bucket.url

    @property
    def kit(self) -> Path:
        """The recovery kit, offline."""
        return self.root / "offline" / "recovery.kit"

    @property
    def source(self) -> Path:
        """The volume's place."""
        return self.root / "srv" / "db"

    def home(self, role: RoleName = "writer") -> Path:
        """A role's $VAULT_HOME; the writer's is the daemon's and the operator's."""
        return self.root / "homes" / role

    def credentials(self, role: RoleName | None) -> Path:
        """A credentials file with one role's profile only; of nobody, for None."""
        return self.root / "credentials" / (role or "nobody")

    def vault(self, role: RoleName = "writer") -> Vault:
        """Open the vault in a role, in this process; a context manager."""
        return Vault.open(self.home(role), role=role)

    def snapshot(self) -> SnapshotItem:
        """Take a snapshot of `db`."""
        with self.vault() as vault:
            return vault.snapshot("db")

    def restore(self, to: Path, what: str = "db") -> None:
        """Restore with the writer's home, insisting that there was nothing to remark."""
        with self.vault() as vault:
            report = vault.restore(RestoreRequest(what=what, to=to, kit=self.kit))
        assert not report.findings, report.findings

    def client(self, profile: str) -> Any:
        """The raw S3 client (boto3) of a role's, or the provisioner's, credential."""
        return _client(self.url, profile)

    def versions(self, profile: str = "provisioner") -> Iterator[dict[str, Any]]:
        """Every version and delete marker in the bucket, as S3 tells them (`Marker` says which)."""
        pages = self.client(profile).get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self.bucket.name):
            yield from ({**v, "Marker": False} for v in page.get("Versions", ()))
            yield from ({**m, "Marker": True} for m in page.get("DeleteMarkers", ()))

    def run(
        self, *words: str, role: RoleName | None = "writer", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `vault WORDS…` as a process of that role: its home and its credentials only."""
        return subprocess.run(
            [VAULT, *words],
            env=self.environ(role) | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def environ(self, role: RoleName | None) -> dict[str, str]:
        """The environment of a role's processes; that of a fresh machine for None."""
        nowhere = self.root / "fresh"
        nowhere.mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(nowhere),
            "LANG": "C.UTF-8",
            "VAULT_HOME": str(self.home(role) if role else nowhere / "vault"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials(role)),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def make_scene(bucket: RgwBucket, root: Path, *, tree: bool = True) -> Scene:
    """Make the vault, its homes and the volume; no snapshot yet. `tree=False`: an empty volume."""
    scene = Scene(bucket, root)
    for folder in (scene.kit.parent, scene.source.parent, root / "homes", root / "credentials"):
        folder.mkdir(parents=True)
    _part_credentials(scene)
    Vault.init(scene.home(), store=scene.url, profile="writer")
    shutil.move(scene.home() / "recovery.kit", scene.kit)
    for role in ROLES[1:]:
        _part_home(scene, role)
    if tree:
        build_tree(scene.source)
    else:
        scene.source.mkdir()
    with scene.vault() as vault:
        vault.add_volume(Enrolment(name="db", path=str(scene.source)))
    return scene


def stripped(root: Path) -> None:
    """Forget everything that a scene has on this host but the kit and the credentials."""
    shutil.rmtree(root / "homes")
    shutil.rmtree(root / "srv")


def answer(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The items that a command answered with under --json."""
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


@cache
def _client(url: str, profile: str) -> Any:
    return Bucket(parse_address(url), profile, SystemClock()).client


def _part_credentials(scene: Scene) -> None:
    """One file a role, as the operations manual asks."""
    every = configparser.RawConfigParser()
    every.read(scene.bucket.server.credentials)
    scene.credentials(None).touch(0o600)
    for role in ROLES:
        one = configparser.RawConfigParser()
        one[role] = every[role]
        with scene.credentials(role).open("w") as file:
            one.write(file)
        scene.credentials(role).chmod(0o600)


def _part_home(scene: Scene, role: RoleName) -> None:
    """A home with what this role needs of the founder's; a process's key leaves the founder's."""
    founder, home = scene.home(), scene.home(role)
    home.mkdir(mode=0o700)
    for name in ("root.pub", "vault.id"):
        shutil.copy(founder / name, home / name)
    text = (founder / "vault.toml").read_text("utf-8")
    (home / "vault.toml").write_text(
        text.replace("[roles.writer]", f"[roles.{role}]").replace(
            'profile = "writer"', f'profile = "{role}"'
        ),
        "utf-8",
    )
    if role in ("purger", "collector"):
        (home / "keys").mkdir(mode=0o700)
        shutil.move(founder / "keys" / f"{role}.key", home / "keys" / f"{role}.key")
