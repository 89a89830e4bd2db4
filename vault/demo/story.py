"""The story: snapshot, delete, nine seconds of attack, undelete, restore from the store alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vault.clock import SystemClock
from vault.demo.attack import NOBODY, Loot, attack
from vault.demo.sample import SOURCES, Sample, Trace, copy_sample, own, traces
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest

if TYPE_CHECKING:
    from vault.progress import Progress

THROUGH: Final = "through"
"""The volume that is deleted through vault."""

AROUND: Final = "around"
"""The volume whose files the attacker deletes behind vault's back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What happened, in the order it happened; times in seconds."""

    files: int
    bytes: int
    snapshot_seconds: float
    delete_seconds: float
    attacker: str
    not_given: tuple[str, ...]
    attack_seconds: float
    attempts: int
    files_deleted: int
    bytes_deleted: int
    undelete_seconds: float
    restore_seconds: float
    differences: tuple[str, ...]
    bytes_lost: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story plays: all below one folder that goes away afterwards."""

    root: Path
    home: Path
    data: Path
    offline: Path
    restored: Path


def tell(say: Callable[[str], None], progress: Progress, source: Path | None, limit: int,
         seconds: float) -> DemoReport:  # fmt: skip
    """Play the story in a temporary folder and report; `limit` bounds the bytes copied.

    `source` is the folder to copy from, by default some of the machine's own files.
    """
    root = Path(tempfile.mkdtemp(prefix="vault-demo-"))
    try:
        root.chmod(0o711)  # the attacker may walk in; what it finds there is another matter
        stage = Stage(root, *(root / name for name in ("home", "data", "offline", "restored")))
        return _Story(stage, say, progress).play((source,) if source else SOURCES, limit, seconds)
    finally:
        _clear(root)


class _Story:
    def __init__(self, stage: Stage, say: Callable[[str], None], progress: Progress) -> None:
        self._stage = stage
        self._say = say
        self._progress = progress
        self._clock = SystemClock()
        self._uid = NOBODY if os.geteuid() == 0 else None

    def play(self, sources: tuple[Path, ...], limit: int, seconds: float) -> DemoReport:
        sample, before = self._gather(sources, limit)
        kit, store = self._protect()
        snapshot, _ = self._timed(self._snapshot)
        self._say(f"Deleting the volume “{THROUGH}” through vault.")
        delete, _ = self._timed(self._delete)
        self._say(f"Attacking for {seconds:g} seconds: everything within reach is deleted.")
        loot, not_given = self._attack(seconds)
        self._say("Undoing the delete.")
        undelete, _ = self._timed(self._undelete)
        after = {THROUGH: traces(self._stage.data / THROUGH)}
        self._say("Restoring both volumes from the store alone, with the kit that was offline.")
        restore, _ = self._timed(lambda: self._restore(store, kit))
        after |= {f"restored {name}": traces(self._stage.restored / name) for name in before}
        self._say("Comparing every byte, mode, owner and time.")
        differences = _differences(before, after)
        return DemoReport(
            files=sample.files,
            bytes=sample.bytes,
            snapshot_seconds=snapshot,
            delete_seconds=delete,
            attacker=f"user id {self._uid}" if self._uid else "this same user",
            not_given=not_given,
            attack_seconds=seconds,
            attempts=loot.attempts,
            files_deleted=loot.deleted,
            bytes_deleted=loot.bytes,
            undelete_seconds=undelete,
            restore_seconds=restore,
            differences=tuple(differences),
            bytes_lost=sum(differences.values()),
        )

    def _gather(
        self, sources: tuple[Path, ...], limit: int
    ) -> tuple[Sample, dict[str, dict[str, Trace]]]:
        self._say(f"Copying files from {', '.join(map(str, sources))}.")
        first = copy_sample(sources, self._stage.data / THROUGH, limit * 3 // 4)
        second = copy_sample(sources[::-1], self._stage.data / AROUND, limit // 4)
        if self._uid is not None:
            for name in (THROUGH, AROUND):
                own(self._stage.data / name, self._uid)
        before = {name: traces(self._stage.data / name) for name in (THROUGH, AROUND)}
        return Sample(first.files + second.files, first.bytes + second.bytes), before

    def _protect(self) -> tuple[Path, str]:
        """Make the vault and take the kit off the host: into a folder that is opened last."""
        made = Vault.init(self._stage.home)
        self._stage.offline.mkdir(mode=0o700)
        kit = Path(shutil.move(made.kit, self._stage.offline / "recovery.kit"))
        with self._open() as vault:
            for name in (THROUGH, AROUND):
                vault.add_volume(Enrolment(name=name, path=str(self._stage.data / name)))
        return kit, made.store

    def _snapshot(self) -> None:
        self._say("Taking a snapshot of each volume into the write-once store.")
        with self._open() as vault:
            for name in (THROUGH, AROUND):
                vault.snapshot(name)

    def _delete(self) -> None:
        with self._open() as vault:
            vault.delete(THROUGH, reason="an agent meant to tidy up", task="demo")

    def _attack(self, seconds: float) -> tuple[Loot, tuple[str, ...]]:
        """As another user everything is a target; as this one only what vault does not own."""
        stage = self._stage
        if self._uid is not None:
            return attack((stage.data, stage.home, stage.root), seconds, self._uid), ()
        targets = (stage.data / AROUND, stage.data / THROUGH)
        return attack(targets, seconds, None), ("the store", "the vault's home", "the quarantine")

    def _undelete(self) -> None:
        with self._open() as vault:
            vault.undelete([item.id for item in vault.tombstones()])

    def _restore(self, store: str, kit: Path) -> None:
        with Vault.from_store(store, kit, progress=self._progress) as vault:
            for name in (THROUGH, AROUND):
                target = self._stage.restored / name
                vault.restore(RestoreRequest(what=name, to=target, kit=kit))

    def _open(self) -> Vault:
        return Vault.open(self._stage.home, progress=self._progress)

    def _timed(self, step: Callable[[], None]) -> tuple[float, None]:
        begun = self._clock.boot_time().seconds
        step()
        return self._clock.boot_time().seconds - begun, None


def _clear(root: Path) -> None:
    """Delete the stage. As root the store has made its files immutable; that is lifted first."""
    chattr = shutil.which("chattr")
    if chattr and os.geteuid() == 0:
        subprocess.run([chattr, "-R", "-i", str(root)], check=False, capture_output=True)
    shutil.rmtree(root, ignore_errors=True)


def _differences(
    before: dict[str, dict[str, Trace]], after: dict[str, dict[str, Trace]]
) -> dict[str, int]:
    """Every name that is not as it was, undeleted or restored, with the bytes it had held."""
    lost = {}
    for place, found in after.items():
        wanted = before[place.removeprefix("restored ")]
        for path in sorted(found.keys() | wanted.keys()):
            if found.get(path) != wanted.get(path):
                lost[f"{place}: {path}"] = wanted[path].size if path in wanted else 0
    return lost
