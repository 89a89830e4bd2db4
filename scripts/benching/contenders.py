"""Vault and its peers, each as its user runs it, encrypted and with zstd: the words of a step."""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

from benching.gateway import Bucket
from benching.measuring import Call, held, program


class Contender(ABC):
    """One program with a repository of its own, and what it is asked to do.

    The repository is a folder in `base`, or in `bucket` where one is given.
    """

    name = ""

    def __init__(self, base: Path, live: Path, bucket: Bucket | None = None) -> None:
        self.base = base
        self.live = live
        self.bucket = bucket
        self.repository = base / "repository"
        self.home = base / "home"
        self.home.mkdir(parents=True)
        self.env = dict(os.environ, HOME=str(self.home), XDG_CACHE_HOME=str(self.home / "cache"))
        self.env |= bucket.env if bucket else {}

    def call(self, *words: str, folder: Path | None = None) -> Call:
        """A call of this program."""
        return Call(words, self.env, self.base / "log", folder)

    def held(self) -> float:
        """MB in the repository."""
        return self.bucket.held() if self.bucket else held(self.repository)

    @abstractmethod
    def version(self) -> str:
        """Name and version, for the head of a column."""

    @abstractmethod
    def ask_version(self) -> Call:
        """The least that it can be asked for."""

    @abstractmethod
    def ask_status(self) -> Call:
        """How things stand: for the peers, which snapshots there are."""

    @abstractmethod
    def setup(self) -> list[Call]:
        """Make the repository; not measured."""

    @abstractmethod
    def snapshot(self, label: str) -> Call:
        """Store the tree as it is; `label` is unique."""

    @abstractmethod
    def check(self) -> Call:
        """Read and check everything stored."""

    @abstractmethod
    def restore(self, target: Path) -> Call:
        """Write the newest snapshot into an empty folder."""

    @abstractmethod
    def cat(self, path: str) -> Call:
        """Write one file of the newest snapshot to standard output."""


class Vault(Contender):
    """This project's command line; on a directory without the immutable flag."""

    name = "vault"

    @property
    def store(self) -> str:
        """The store's URL."""
        return self.bucket.url if self.bucket else f"file://{self.repository}?immutable=no"

    @property
    def own_home(self) -> Path:
        """What vault calls its home."""
        return self.home / "vault"

    def version(self) -> str:
        """See Contender."""
        return "vault"

    def ask_version(self) -> Call:
        """See Contender."""
        return self.vault("--help")

    def ask_status(self) -> Call:
        """See Contender."""
        return self.vault("status")

    def setup(self) -> list[Call]:
        """See Contender."""
        self.env["VAULT_HOME"] = str(self.own_home)
        store = ["--store", self.store]
        if self.bucket:
            self.bucket.provision()
            store += ["--profile", "writer"]
        return [
            self.vault("init", *store),
            self.vault("volume", "add", "tree", str(self.live)),
        ]

    def snapshot(self, label: str) -> Call:
        """See Contender."""
        return self.vault("snapshot", "tree")

    def check(self) -> Call:
        """See Contender."""
        return self.vault("verify", "--deep")

    def restore(self, target: Path) -> Call:
        """See Contender."""
        return self.vault("restore", "tree@latest", "--to", str(target))

    def cat(self, path: str) -> Call:
        """See Contender."""
        return self.vault("cat", "tree@latest", path)

    def vault(self, *words: str) -> Call:
        """A command of vault."""
        return self.call(program("vault"), *words)


class Restic(Contender):
    """restic with its defaults; $RESTIC may name another program."""

    name = "restic"
    program = os.environ.get("RESTIC", "restic")

    def version(self) -> str:
        """See Contender."""
        return " ".join(_asked(self.program, "version").split()[:2])

    def ask_version(self) -> Call:
        """See Contender."""
        return self._restic("version")

    def ask_status(self) -> Call:
        """See Contender."""
        return self._restic("snapshots")

    def setup(self) -> list[Call]:
        """See Contender."""
        place = f"s3:{self.bucket.endpoint}/{self.bucket.name}" if self.bucket else self.repository
        self.env |= {"RESTIC_REPOSITORY": str(place), "RESTIC_PASSWORD": "bench"}
        return [self._restic("init")]

    def snapshot(self, label: str) -> Call:
        """See Contender."""
        return self._restic("backup", ".")

    def check(self) -> Call:
        """See Contender."""
        return self._restic("check", "--read-data")

    def restore(self, target: Path) -> Call:
        """See Contender."""
        return self._restic("restore", "latest", "--target", str(target))

    def cat(self, path: str) -> Call:
        """See Contender."""
        return self._restic("dump", "latest", f"/{path}")

    def _restic(self, verb: str, *words: str) -> Call:
        return self.call(self.program, verb, "-q", *words, folder=self.live)


class Borg(Contender):
    """borg with zstd,3 and repokey-blake2; $BORG may name another program."""

    name = "borg"
    program = os.environ.get("BORG", "borg")
    _last = ""

    def version(self) -> str:
        """See Contender."""
        return _asked(self.program, "--version").strip()

    def ask_version(self) -> Call:
        """See Contender."""
        return self.call(self.program, "--version")

    def ask_status(self) -> Call:
        """See Contender."""
        return self.call(self.program, "list")

    def setup(self) -> list[Call]:
        """See Contender."""
        self.env |= {
            "BORG_REPO": str(self.repository),
            "BORG_PASSPHRASE": "bench",
            "BORG_BASE_DIR": str(self.home),
        }
        return [self.call(self.program, "init", "-e", "repokey-blake2")]

    def snapshot(self, label: str) -> Call:
        """See Contender."""
        self._last = label
        words = ("create", "-C", "zstd,3", f"::{label}", ".")
        return self.call(self.program, *words, folder=self.live)

    def check(self) -> Call:
        """See Contender."""
        return self.call(self.program, "check", "--verify-data")

    def restore(self, target: Path) -> Call:
        """See Contender."""
        target.mkdir()
        return self.call(self.program, "extract", f"::{self._last}", folder=target)

    def cat(self, path: str) -> Call:
        """See Contender."""
        return self.call(self.program, "extract", "--stdout", f"::{self._last}", path)


KINDS: dict[str, type[Contender]] = {kind.name: kind for kind in (Vault, Restic, Borg)}


def _asked(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
