"""Packs are read back by parts: whatever is wrong with what comes back, nothing relies on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises.forgeries import flipped
from tests.unit.repository.scene import Scene
from tests.unit.repository.test_writer import MIB, Watched, noise, snapshots
from vault.errors import Corrupt


@pytest.mark.parametrize(
    "falsified",
    [
        lambda data: flipped(data, 0),
        lambda data: flipped(data, len(data) * 8 - 1),
        lambda data: flipped(data, len(data) * 4),
        lambda data: data + b"\0",
        lambda data: data[: -5 * MIB],
        lambda data: b"",
    ],
    ids=["begin", "end", "middle", "longer", "shorter", "empty"],
)
def test_bytes_that_come_back_wrong_are_not_acknowledged(
    tmp_path: Path, falsified: Callable[[bytes], bytes]
) -> None:
    """Every pack is read back and hashed before the commit."""
    scene = Scene(tmp_path)
    watched = Watched(scene)

    def falsify(key: str) -> None:
        if key.startswith("packs/"):
            watched.rot(key, falsified(watched.get(key)))

    watched.after = falsify
    with pytest.raises(Corrupt, match="other bytes than were put"):
        scene.record({b"large": noise(12 * MIB)})
    assert snapshots(scene) == []
