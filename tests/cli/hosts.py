"""A host with a vault, a small tree and the command line as a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from vault import Vault, errors
from vault.cli import main
from vault.cli.app import FAMILIES
from vault.operations.enroll import Enrolment

COMMAND = (sys.executable, "-m", "vault.cli")
STRAY = b"stray-\xff.txt"
ERROR_FIELDS = {"version", "kind", "code", "message", "safe", "hint", "retryable"}
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.cli.hosts", *(f"vault.cli.{f.module}" for f in FAMILIES)])
Picture = dict[str, tuple[int, int, str]]


@dataclass(frozen=True)
class Answer:
    """What a command said, and the status that it left with."""

    status: int
    out: str
    err: str

    @property
    def kind(self) -> str:
        """The kind of the one JSON object."""
        return str(self._object["kind"])

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of the one JSON object."""
        assert self._object["version"] == 1
        return list(self._object["items"])

    @property
    def item(self) -> dict[str, Any]:
        """The one item."""
        (found,) = self.items
        return found

    @cached_property
    def _object(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@dataclass(frozen=True)
class Host:
    """A home, a store's URL, a folder to protect, and what the environment adds."""

    home: Path
    url: str
    volume: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """The folder of a `file://` store."""
        return Path(self.url.removeprefix("file://").partition("?")[0])

    @property
    def kit(self) -> Path:
        """The recovery kit that `init` left."""
        return self.home / "recovery.kit"

    def under(self, **environment: str) -> Host:
        """The same host, with more in its environment."""
        return replace(self, environment=self.environment | environment)

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        """Start `vault` with no terminal, as a shell would."""
        return subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home.parent,
            env=self._whole_environment,
        )

    def run(self, *words: str | Path, status: int = 0) -> Answer:
        """Run `vault` to its end; it leaves with this status and no traceback.

        Where nothing is said of the environment, the process is forked off one that has loaded the
        program already: hundreds of starts take minutes otherwise.
        """
        if self.environment:
            process = self.start(*words)
            out, err = process.communicate(timeout=120)
            left = process.returncode
        else:
            left, out, err = self._fork(*map(str, words))
        answer = Answer(left, out.decode("utf-8", "strict"), err.decode("utf-8", "strict"))
        assert "Traceback" not in answer.err, answer.err
        assert answer.status == status, (words, answer)
        return answer

    @property
    def _whole_environment(self) -> dict[str, str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith("VAULT_")}
        own |= {"VAULT_HOME": str(self.home), "HOME": str(self.home.parent)}
        return own | self.environment

    def _fork(self, *words: str) -> tuple[int, bytes, bytes]:
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            terms = (words, self._whole_environment, self.home.parent, (out, err))
            process = _FORKS.Process(target=_be_vault, args=terms)
            process.start()
            process.join(timeout=120)
            assert process.exitcode is not None, words
            return process.exitcode, out.read_bytes(), err.read_bytes()

    def ask(self, *words: str | Path, status: int = 0) -> Answer:
        """Run `vault … --json`; where all went well there is nothing on standard error."""
        answer = self.run(*words, "--json", status=status)
        assert status or not answer.err, answer.err
        return answer

    def refused(
        self, kind: type[errors.VaultError], *words: str | Path, says: str = ""
    ) -> dict[str, Any]:
        """Run what has to be refused in this way, with nothing lost and nothing changed by it."""
        before = self.picture()
        answer = self.run(*words, "--json", status=kind.status)
        (error,) = [json.loads(line) for line in answer.err.splitlines()]
        assert answer.out == "", answer.out
        assert error.keys() == ERROR_FIELDS
        assert (error["version"], error["kind"], error["code"]) == (1, "error", kind.code), error
        assert error["retryable"] is kind.retryable
        assert says in error["message"], error
        assert error["safe"], error
        assert error["hint"], error
        after = self.picture()
        changed = sorted(n for n in after.keys() | before.keys() if after.get(n) != before.get(n))
        assert changed == [], changed
        return dict(error)

    def picture(self) -> Picture:
        """Every file of the volume and of a `file://` store: mode, time, content.

        All but the audit log, in which a refusal is entered, and the folders around it.
        """
        folders = [self.volume, *([self.store] if self.url.startswith("file:") else [])]
        found = {name: facts for folder in folders for name, facts in picture(folder).items()}
        around = {ascii(str(self.store / name)) for name in ("objects", "locks", "incoming")}
        return {n: facts for n, facts in found.items() if n not in around and "/audit" not in n}


def _be_vault(
    words: Sequence[str], environment: dict[str, str], folder: Path, streams: tuple[Path, Path]
) -> None:
    """What `main` does in a process of its own, there and with these two as its streams."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["vault", *words]
    main()


def picture(folder: Path) -> Picture:
    """What lies below a folder, by name: mode, time of change, digest."""
    found: Picture = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[ascii(str(path))] = (info.st_mode, info.st_mtime_ns, sha256(content).hexdigest())
    return found


def same_content(one: Path, other: Path) -> bool:
    """Whether two trees hold the same names with the same modes, times and bytes."""
    sides = [picture(folder) for folder in (one, other)]
    bare = [
        {name.replace(ascii(str(folder))[1:-1], "", 1): facts for name, facts in side.items()}
        for side, folder in zip(sides, (one, other), strict=True)
    ]
    return bare[0] == bare[1]


def plant(folder: Path) -> Path:
    """A small tree: folders, an empty file, a link, a name that is not UTF-8."""
    (folder / "holidays" / "2025").mkdir(parents=True)
    (folder / "empty").touch()
    (folder / "notes.txt").write_text("bread, milk\n")
    (folder / "holidays" / "2025" / "beach.raw").write_bytes(bytes(range(256)) * 64)
    (folder / "link").symlink_to("notes.txt")
    Path(os.fsdecode(os.fsencode(folder) + b"/" + STRAY)).write_text("odd\n")
    return folder


def make_host(folder: Path, *, enrolled: bool = True, captured: bool = False) -> Host:
    """A host with a vault in a folder of its own; the library makes it, which is quicker."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"file://{folder / 'store'}?immutable=no"
    host = Host(folder / "home", url, plant(folder / "photos"))
    Vault.init(host.home, store=url)
    if enrolled or captured:
        with Vault.open(host.home) as vault:
            vault.add_volume(Enrolment(name="photos", path=str(host.volume)))
            if captured:
                vault.snapshot("photos")
    return host


def interrupt(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Press Ctrl-C on a process; gives its status and what it said."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.decode()
