"""A vault that accidents happen to, and the model of what it has acknowledged."""

from __future__ import annotations

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.compat import get_current_datetime

from tests.promises.embedded import Embedded, embed
from tests.promises.scenes import Scene, make_scene
from tests.rgw import RgwBucket, ShiftedClock, fresh_bucket
from vault.compose import RoleName
from vault.library import Vault
from vault.lifecycle.tombstone import HALF_DONE, State
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest
from vault.store.contract import Reader
from vault.store.opening import open_store
from vault.testing.trees import Tree, read_tree

_AT_HOME: Final = re.compile(
    r"(catalog|index)\.db(-wal|-shm)?|keys/\w+\.key|locks/[\w-]+|vault\.(id|toml)|root\.pub"
    r"|recovery\.kit|uptime\.json|baselines/vol_\w+\.baseline"
    r"|uptime\.new|baselines/vol_\w+\.baseline\..+"  # the next one takes its place
)
_ASIDE: Final = (State.TOMBSTONED, State.PURGING)


@dataclass
class Time:
    """By how much it is later than it is."""

    offset: timedelta = timedelta(0)


class World(ABC):
    """One vault with a volume `db`. `told` has every acknowledged snapshot and what it held.

    Time passes for vault and store together, as often as one likes; sleeping takes none.
    """

    def __init__(self, time: Time, root: Path, source: Path, kit: Path) -> None:
        self.time, self.root, self.source, self.kit = time, root, source, kit
        self.told: dict[str, Tree] = {}
        self._numbers = iter(range(1_000_000))
        self._folder = source / "folder"
        self.refill()

    @abstractmethod
    def make(self) -> None:
        """Another vault, at the same place, where nothing is left of the former one."""

    @abstractmethod
    def opened(self, role: RoleName = "writer") -> Vault:
        """The vault in a role; a context manager."""

    @abstractmethod
    def home(self) -> Path:
        """The writer's home."""

    @abstractmethod
    def fresh(self, home: Path) -> dict[str, Any]:
        """The terms of another vault at that home, in a store of its own, for `Vault.init`."""

    @abstractmethod
    def joined(self) -> dict[str, Any]:
        """The terms of another home for this vault, for `Vault.join`."""

    @abstractmethod
    def reader(self) -> Reader:
        """The bare store, to look at."""

    def passes(self, span: timedelta) -> None:
        """So much time passes."""
        self.time.offset += span

    def renew(self) -> None:
        """Begin anew: all that is done to a vault takes longer the more was done to it."""
        shutil.rmtree(self.root)
        self.time.offset = timedelta(0)
        self.told.clear()
        self.make()
        self.refill()

    def refill(self) -> None:
        """A few files, another content each time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "inner").write_bytes(b"inner" * 1000)
        link = self.source / "link"
        if not link.is_symlink():
            link.symlink_to("folder/inner")
        self.change()

    def change(self) -> None:
        """Another content of one file, which no chunk before had; and another new file."""
        number = next(self._numbers)
        (self.source / "state").write_bytes(b"state %d " % number * 3000)
        (self._folder / f"file-{number % 5}").write_bytes(os.urandom(2000))

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def snapshot(self) -> str:
        """Take a snapshot that is not disturbed."""
        with self.opened() as vault:
            taken = self.acknowledge(vault.snapshot("db").id)
        assert not list(self.home().glob("baselines/*.baseline.*"))
        return taken

    def acknowledge(self, snapshot: str) -> str:
        """A snapshot was reported done: it has to give back what stands in the volume now."""
        self.told[snapshot] = read_tree(self.source)
        return snapshot

    def delete(self) -> str:
        """Delete the volume undisturbed; the tombstone."""
        with self.opened() as vault:
            return vault.delete("db", reason="test").id

    def enrol(self) -> None:
        """Make the volume anew after its purge."""
        self.refill()
        with self.opened() as vault:
            vault.add_volume(Enrolment(name="db", path=str(self.source)))

    def daemon(self) -> None:
        """One round of the daemon."""
        with self.opened() as vault:
            vault.resume()
            for duty in vault.due():
                vault.perform(duty)

    def restored(self, snapshot: str, kit: Path | None = None) -> Tree:
        """What a snapshot gives back."""
        to = self.root / "restored"
        shutil.rmtree(to, ignore_errors=True)
        with self.opened() as vault:
            request = RestoreRequest(what=snapshot, to=to, kit=kit or self.kit)
            assert vault.restore(request).findings == ()
        tree = read_tree(to)
        shutil.rmtree(to)
        return tree

    def check(self, *, whole: bool = False) -> None:
        """All that was acknowledged is listed, here and by the store alone, and comes back.

        The audit log tells of every step, once what was cut off is taken up again.
        """
        with self.opened() as vault:
            vault.resume()
            known = _picture(vault)
            vault.rebuild()
            # Until then the catalog may lack what was not acknowledged; nothing in it is wrong.
            told = _picture(vault)
            assert known[0] <= told[0]
            assert {row[0] for row in known[1]} <= {row[0] for row in told[1]}
            assert set(self.told) <= {row[0] for row in told[0]}
            vault.resume()
            settled = _picture(vault)
            assert not {row[1] for row in settled[1]} & HALF_DONE
            vault.rebuild()
            assert _picture(vault) == settled
            assert vault.verify(deep=whole).findings == ()
            assert vault.oversight.audit_verify().findings == ()
        for snapshot in list(self.told)[0 if whole else -1 :]:
            assert self.restored(snapshot) == self.told[snapshot], snapshot
        self.check_tidy()

    def check_tidy(self) -> None:
        """Nothing half done stays in the home but what the next of its kind replaces.

        Beside the volume stands what waits in quarantine, and nothing else of vault's.
        """
        home = self.home()
        names = {str(file.relative_to(home)) for file in home.rglob("*") if file.is_file()}
        assert not [name for name in names if not _AT_HOME.fullmatch(name)]
        with self.opened() as vault:
            states = {t.id: t.state for t in vault.tombstones() if t.state in _ASIDE}
        beside = self.source.parent
        held = {path.name: os.listdir(path) for path in beside.glob(".vault-trash/*")}
        assert {t for t in states if states[t] == State.TOMBSTONED} <= held.keys() <= states.keys()
        assert all(names == ["data"] for t, names in held.items() if states[t] == State.TOMBSTONED)
        assert {path.name for path in beside.glob(".vault*")} <= (
            {".vault-trash"} if held else set()
        )


def _picture(vault: Vault) -> tuple[set[Any], set[Any], set[Any]]:
    return (
        {(s.id, s.volume, s.created_at, s.bytes, s.final_for) for s in vault.snapshots()},
        {(t.id, t.state, t.held, t.snapshot, t.undo_until) for t in vault.tombstones()},
        {(v.id, v.name, v.state, v.path) for v in vault.volumes()},
    )


class FileWorld(World):
    """A vault with its store in a folder of this host."""

    def __init__(self, time: Time, site: Embedded) -> None:
        self.site = site
        super().__init__(time, site.root, site.source, site.home / "recovery.kit")

    def make(self) -> None:
        """See World."""
        self.site = embed(self.root, tree=False)

    def opened(self, role: RoleName = "writer") -> Vault:
        """See World."""
        return self.site.vault(role)

    def home(self) -> Path:
        """See World."""
        return self.site.home

    def fresh(self, home: Path) -> dict[str, Any]:
        """See World."""
        return {"home": home, "store": f"file://{home}-store?immutable=no"}

    def joined(self) -> dict[str, Any]:
        """See World."""
        return {"store": self.url}

    @property
    def url(self) -> str:
        """The store's URL."""
        return f"file://{self.site.store}?immutable=no"

    def reader(self) -> Reader:
        """See World."""
        return open_store(self.url, right="reader", clock=WorldClock(self.time.offset))

    def check_tidy(self) -> None:
        """See World; and no draft stays in the store."""
        super().check_tidy()
        assert not list((self.site.store / "incoming").iterdir())


class ServerWorld(World):
    """A vault on a server of its own, whose clock is moved with ours."""

    def __init__(self, time: Time, scene: Scene) -> None:
        self.scene = scene
        super().__init__(time, scene.root, scene.source, scene.kit)

    def make(self) -> None:
        """See World."""
        self.restart()
        self.scene = make_scene(fresh_bucket(self.scene.bucket.server), self.root, tree=False)

    def opened(self, role: RoleName = "writer") -> Vault:
        """See World."""
        return self.scene.vault(role)

    def home(self) -> Path:
        """See World."""
        return self.scene.home()

    def fresh(self, home: Path) -> dict[str, Any]:
        """See World."""
        bucket = fresh_bucket(self.scene.bucket.server)
        return {"home": home, "store": bucket.url, "profile": "writer"}

    def joined(self) -> dict[str, Any]:
        """See World."""
        return {"store": self.scene.url, "profile": "writer"}

    def reader(self) -> Reader:
        """See World."""
        clock = WorldClock(self.time.offset)
        return open_store(self.scene.url, right="reader", clock=clock, profile="reader")

    def passes(self, span: timedelta) -> None:
        """See World; the server is started anew."""
        super().passes(span)
        self.restart()

    def restart(self) -> None:
        """The server begins anew, with the time that it is."""
        seconds = int(self.time.offset.total_seconds())
        self.scene.bucket.server.shift(f"{seconds:+d}" if seconds else "")


class WorldClock(ShiftedClock):
    """A clock that is moved, and by which sleeping takes no time."""

    def sleep(self, seconds: float) -> None:
        """See Clock."""


@contextmanager
def passing() -> Iterator[Time]:
    """What opens a vault here, or signs a request, does so at this time."""
    time = Time()

    def signed(*args: Any, **named: Any) -> Any:
        return get_current_datetime(*args, **named) + time.offset

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault.compose.SystemClock", lambda: WorldClock(time.offset))
        patch.setattr("botocore.auth.get_current_datetime", signed)
        patch.setattr("vault.operations.auditing._SETTLING", timedelta(days=-1))
        yield time


@contextmanager
def file_world(root: Path) -> Iterator[FileWorld]:
    """A world in a folder."""
    with passing() as time:
        yield FileWorld(time, embed(root, tree=False))


@contextmanager
def server_world(bucket: RgwBucket, root: Path) -> Iterator[ServerWorld]:
    """A world on a server of its own."""
    with passing() as time:
        yield ServerWorld(time, make_scene(bucket, root, tree=False))
