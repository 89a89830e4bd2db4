"""What a recording has open, and for how long: a daemon makes one after the other for months."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from tests.unit.repository.scene import Scene, entry
from tests.unit.repository.test_writer import TREE
from vault.errors import StoreUnreachable
from vault.provider import Kind
from vault.repository.locks import Locks


def test_the_former_baseline_is_open_no_longer_than_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, given up half way or never begun; nobody waits for a garbage collection."""
    scene = Scene(tmp_path)
    first = scene.record(TREE)
    gc.disable()
    try:
        second = scene.record(TREE, parent=first)
        with scene.recording(second) as recording:
            recording.keep(entry(b"", Kind.DIRECTORY))
            assert baselines() != []
        monkeypatch.setattr(Locks, "secure_all", unreachable)
        with pytest.raises(StoreUnreachable), scene.recording(second):
            pass
        assert baselines() == []
    finally:
        gc.enable()


def baselines() -> list[str]:
    """The baselines that this process has open."""
    files = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return [name for name in files if "/baselines/" in name]


def unreachable(*_: object) -> None:
    """Whatever is asked of the store."""
    raise StoreUnreachable("cut off")
