"""The embedded vault of a test: a store in a folder, every role's key in one home."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import VAULT
from vault import compose
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest
from vault.operations.unit import WriteUnit
from vault.progress import Silent
from vault.testing.builders import build_tree


@dataclass(frozen=True)
class Embedded:
    """A vault of one volume `db`; `root` holds all of it."""

    root: Path

    @property
    def home(self) -> Path:
        """Its $VAULT_HOME, kit and all."""
        return self.root / "home"

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.root / "store"

    @property
    def source(self) -> Path:
        """The volume's place."""
        return self.root / "srv" / "db"

    @property
    def trash(self) -> Path:
        """Where deleted data wait."""
        return self.source.parent / ".vault-trash"

    def vault(self, role: compose.RoleName = "writer") -> Vault:
        """Open it; a context manager."""
        return Vault.open(self.home, role=role)

    def daemon(self) -> None:
        """One round of the daemon."""
        with self.vault() as vault:
            vault.resume()
            for duty in vault.due():
                vault.perform(duty)

    def run(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `vault WORDS…` as a process of its own."""
        return subprocess.run(
            [VAULT, *words],
            env=os.environ | {"VAULT_HOME": str(self.home)} | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def restore(self, what: str, to: Path) -> None:
        """Restore to a new place."""
        with self.vault() as vault:
            report = vault.restore(RestoreRequest(what=what, to=to))
        assert not report.findings, report.findings


def embed(root: Path, *, tree: bool = True, immutable: bool = False) -> Embedded:
    """Make the vault and its volume; no snapshot yet. `tree=False`: an empty volume."""
    site = Embedded(root)
    Vault.init(site.home, store=f"file://{site.store}{'' if immutable else '?immutable=no'}")
    site.source.parent.mkdir(parents=True, exist_ok=True)
    if tree:
        build_tree(site.source)
    else:
        site.source.mkdir()
    with site.vault() as vault:
        vault.add_volume(Enrolment(name="db", path=str(site.source)))
    return site


@contextmanager
def writing(home: Path) -> Iterator[WriteUnit]:
    """All that the writer's home gives to whoever has it, without the library's manners."""
    with ExitStack() as stack:
        local = compose.local_unit(home, None, "writer", Silent(), stack)
        yield compose.write_unit(local, stack)
