"""A vault with a history, laid down anew for each case, and all that may be asked of its home."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vault.audit.checkpoint import Checkpoint, origin_of, sign_checkpoint
from vault.clock import SystemClock
from vault.errors import VaultError
from vault.library import Vault
from vault.lifecycle.due import Task
from vault.operations.amend import record_lock
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest, VolumeItem
from vault.operations.tokens import TokenWish
from vault.operations.uptime import accumulated_uptime
from vault.repository.stamps import put_stamp
from vault.testing.trees import Tree, read_tree

SEED: Final = os.environ.get("VAULT_TEST_SEED") or (
    "ci" if os.environ.get("CI") else secrets.token_hex(4)
)
"""What damage is drawn by."""

Files = dict[str, bytes]
"""Paths below a home, and their bytes."""

CACHES = ("catalog.db", "index.db", "uptime.json", "baselines/")
"""What the store, or the lapse of time, makes again; the rest is settings and keys."""


@dataclass(frozen=True)
class Told:
    """What came of one question: an answer, or the code of an error."""

    answer: Any = None
    error: str = ""


@dataclass
class Site:
    """Two volumes, `db` with two snapshots and the deleted `other`; `homes` are its home in time.

    Everything keeps its place below `root`: sources are known by device and inode.
    """

    root: Path
    homes: list[Files]
    store: Path
    trees: list[Tree]
    tombstone: str
    held_at: Path
    began: float

    @property
    def home(self) -> Path:
        """Where the home lies."""
        return self.root / "home"

    @property
    def kit(self) -> Path:
        """The recovery kit, offline."""
        return self.root / "offline" / "recovery.kit"

    def lay(self, files: Mapping[str, bytes]) -> None:
        """A home of these files, the store as it was, `other` in quarantine."""
        for place in (self.home, self.root / "store", self.root / "back"):
            shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.store, self.root / "store")
        for name, data in files.items():
            path = self.home / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(data)
        if (self.root / "srv" / "other").exists():
            self.held_at.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(self.root / "srv" / "other", self.held_at)

    def keep_store(self) -> None:
        """From now on the store is laid as it is now."""
        shutil.rmtree(self.store)
        shutil.move(self.root / "store", self.store)

    def objects(self) -> dict[str, bytes]:
        """What the store holds before it is damaged."""
        root = self.store / "objects"
        paths = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in paths if "~" not in p.name}

    @property
    def vault(self) -> str:
        """The vault's id."""
        return self.homes[0]["vault.id"].decode().strip()

    def ask(self) -> dict[str, Told]:
        """Everything that a person might want of this home, in one go; the order matters."""
        questions: dict[str, Callable[[Vault], Any]] = {
            "volumes": lambda vault: [_plain(item) for item in vault.volumes()],
            "snapshots": lambda vault: vault.snapshots(),
            "tombstones": lambda vault: vault.tombstones(),
            "status": lambda vault: vault.status().recent,
            "restore": self._restored,
            "snapshot": self._captured,
            "undelete": self._undeleted,
            "boot time": self._lived_through,
            "token": self._made_token,
        }
        return {name: self._try(question) for name, question in questions.items()}

    def restored_elsewhere(self) -> Told:
        """What a host that has nothing but store and kit restores."""
        try:
            with Vault.from_store(f"file://{self.root}/store", self.kit) as vault:
                return Told(self._restored(vault))
        except VaultError as error:
            return Told(error=error.code)

    def _try(self, question: Callable[[Vault], Any]) -> Told:
        try:
            with Vault.open(self.home) as vault:
                return Told(question(vault))
        except VaultError as error:
            return Told(error=error.code)

    def _restored(self, vault: Vault) -> Any:
        to = self.root / "back"
        shutil.rmtree(to, ignore_errors=True)
        report = vault.restore(RestoreRequest(what="db", to=to, kit=self.kit))
        return read_tree(to), report.findings

    def _captured(self, vault: Vault) -> Any:
        item = vault.snapshot("db")
        # What could not be judged since a file is damaged is said, and is stored all the same.
        return self._restored(vault), [f for f in item.findings if f.what != "not-judged"]

    def _undeleted(self, vault: Vault) -> Any:
        (item,) = vault.undelete([self.tombstone])
        return item.state, (self.root / "srv" / "other" / "file").read_bytes()

    def _lived_through(self, vault: Vault) -> bool:
        """Whether no more time counts than has passed: windows end by it."""
        total = accumulated_uptime(vault._writing)
        return 0 <= total <= SystemClock().boot_time().seconds - self.began

    def _made_token(self, vault: Vault) -> bool:
        """Whether one that is made counts."""
        wish = TokenWish(name="deploy-bot", environment="production")
        return vault.authenticate(vault.oversight.make_token(wish).secret).name == "deploy-bot"


def _plain(item: VolumeItem) -> tuple[str, ...]:
    return item.id, item.name, item.state, item.path, item.last_snapshot


def make_site(root: Path) -> Site:
    """Make it; `homes` has the home after the first snapshots, and as it is at last."""
    source, other = root / "srv" / "db", root / "srv" / "other"
    for folder in (source, other, root / "offline"):
        folder.mkdir(parents=True)
    for number in range(30):
        (source / f"file-{number:02}").write_bytes(b"%d\n" % number * 400)
    (other / "file").write_bytes(b"of the other volume")
    home, trees, began = root / "home", [], SystemClock().boot_time().seconds
    Vault.init(home, store=f"file://{root}/store?immutable=no")
    os.rename(home / "recovery.kit", root / "offline" / "recovery.kit")
    with Vault.open(home) as vault:
        for path in (source, other):
            vault.add_volume(Enrolment(name=path.name, path=str(path)))
            vault.snapshot(path.name)
        vault.oversight.add_identity("deploy-bot", "agent")
        vault.oversight.make_token(TokenWish(name="deploy-bot", environment="production"))
        trees.append(read_tree(source))
    homes = [read_home(home)]
    (source / "file-07").write_bytes(b"changed")
    (source / "new").write_bytes(b"new" * 9000)
    with Vault.open(home) as vault:
        vault.snapshot("db")
        trees.append(read_tree(source))
        tombstone = vault.delete("other", reason="to be damaged").id
        for duty in vault.due():
            if duty.task is Task.FINALIZE:
                vault.perform(duty)
    homes.append(read_home(home))
    shutil.copytree(root / "store", root / "store-as-it-was")
    (held,) = (path.parent for path in (root / "srv").rglob("file") if path.parent != other)
    return Site(root, homes, root / "store-as-it-was", trees, tombstone, held, began)


def read_home(home: Path) -> Files:
    """All files of a home that is not open."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def stamp_with(vault: Vault, reply: bytes) -> None:
    """Store a time stamp of this host's log as it is now, by a service that never was asked."""
    unit = vault._writing
    log = unit.signer.key_id
    head = unit.catalog.audit.head(log)
    assert head is not None
    checkpoint = Checkpoint(origin_of(unit.charter.vault, log), head.size, head.root())
    told = checkpoint, sign_checkpoint(checkpoint, unit.signer), reply
    lock = record_lock(unit.reader.now())
    put_stamp(unit.store, unit.signer, unit.charter.vault, told, lock)
