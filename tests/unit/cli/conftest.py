"""A small vault of made-up answers in the library's place: the door alone is under test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest

from vault.cli.app import run
from vault.errors import VolumeUnknown
from vault.operations.items import (
    EntryItem,
    FindingItem,
    InitResult,
    RestoreReport,
    RestoreRequest,
    SnapshotItem,
    StatusReport,
    TombstoneItem,
)

AT = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)


def tombstone(**changes: Any) -> TombstoneItem:
    """A tombstone, with what a test cares about."""
    values: dict[str, Any] = {
        "id": "tomb_01", "volume": "photos", "environment": "production", "state": "tombstoned",
        "created_at": AT, "undo_until": AT + timedelta(hours=48), "deleted_by": "human:ada",
        "reason": "moved", "task": "OPS-1", "snapshot": "snap_01", "held": "", "path": "/p",
    }  # fmt: skip
    return TombstoneItem(**(values | changes))


def snapshot(volume: str, findings: tuple[FindingItem, ...] = ()) -> SnapshotItem:
    """A snapshot of two mebibytes."""
    return SnapshotItem(
        id="snap_01", volume=volume, environment="production", state="stored", created_at=AT,
        files=3, bytes=2 << 20, bytes_added=512, locked_until=AT, parent="", final_for="",
        findings=findings,
    )  # fmt: skip


class FakeVault:
    """Answers with fixed values and remembers what it was asked for."""

    calls: list[tuple[str, Any]]
    findings: tuple[FindingItem, ...] = ()
    tombs: tuple[TombstoneItem, ...] = ()
    isolated = False

    def __init__(self) -> None:
        self.calls = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append(("close", None))

    def open(self, **words: Any) -> FakeVault:
        """Be the class, too: `Vault.open`."""
        self.calls.append(("open", words))
        return self

    def init(self, home: Path, **words: Any) -> InitResult:
        """See the facade."""
        self.calls.append(("init", words))
        kit = home / "recovery.kit"
        return InitResult(home=home, store="file:///s", vault="vault_01", kit=kit, notes=("hm",))

    def from_store(self, url: str, kit: Path, **words: Any) -> FakeVault:
        """See the facade."""
        self.calls.append(("from_store", (url, kit, words["profile"])))
        return self

    def status(self) -> StatusReport:
        """See the facade."""
        return StatusReport(
            vault="vault_01", store="file:///s", isolated=self.isolated, notes=(),
            recent=self.tombs, volumes=(),
        )  # fmt: skip

    def snapshot(self, name: str) -> SnapshotItem:
        """Fails for the volume “nowhere”."""
        if name == "nowhere":
            raise VolumeUnknown(
                "No volume “nowhere”", safe="Nothing changed.", hint="vault volume list"
            )
        return snapshot(name, self.findings)

    def tombstones(self) -> tuple[TombstoneItem, ...]:
        """See the facade."""
        return self.tombs

    def delete(self, name: str, *, reason: str, task: str = "") -> TombstoneItem:
        """See the facade."""
        self.calls.append(("delete", (name, reason, task)))
        return tombstone(volume=name, reason=reason, task=task)

    def undelete(self, ids: tuple[str, ...]) -> tuple[TombstoneItem, ...]:
        """See the facade."""
        self.calls.append(("undelete", ids))
        return tuple(tombstone(id=one, state="restored") for one in ids)

    def undelete_since(self, span: timedelta, *, by: str = "") -> tuple[TombstoneItem, ...]:
        """See the facade."""
        self.calls.append(("undelete_since", span))
        return (tombstone(state="restored"),)

    def ls(self, name: str, path: str, *, kit: Path | None) -> Iterator[EntryItem]:
        """Two entries, one with a name that would clear the screen."""
        for number, entry in enumerate(("notes.txt", "bad\x1b[2J\udcff")):
            yield EntryItem(
                path=entry, type="file", mode=0o644, uid=0, gid=0, size=number,
                modified_at=AT, target="",
            )  # fmt: skip

    def cat(self, name: str, path: str, *, kit: Path | None) -> Iterator[bytes]:
        """Two blocks."""
        yield from (b"\x00\xff", b"abc")

    def restore(self, request: RestoreRequest) -> RestoreReport:
        """See the facade."""
        self.calls.append(("restore", request))
        return RestoreReport(
            snapshot="snap_01", volume="photos", target=str(request.to), files=1, bytes=1,
            written=1, skipped=0, dry_run=request.dry_run, findings=self.findings,
        )  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeVault:
    """The vault that every command of the test works on."""
    vault, module = FakeVault(), ModuleType("vault.library")
    module.Vault = vault  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vault.library", module)
    monkeypatch.setenv("VAULT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VAULT_RECOVERY_KIT", raising=False)
    return vault


@pytest.fixture
def vault(fake: FakeVault) -> Callable[..., int]:
    """Run a command line on the fake; returns its exit status."""
    fake.calls.clear()
    return lambda *words: run(words)
