"""Every provider passes the provider's contract: a directory, and one that is a mount point."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.directory import provider
from tests.unit.adapters.directory.mounting import can_mount, mounted
from tests.unit.adapters.directory.passing import remove
from vault.testing.builders import build_tree
from vault.testing.provider_contract import ProviderFixture, clause_names, clauses
from vault.testing.trees import Tree, read_tree

WORLDS = ["directory", "mount"]


def change(location: str) -> None:
    """Alter, add and remove."""
    root = Path(location)
    (root / "some").write_bytes(b"changed")
    (root / "one").unlink()
    (root / "empty").chmod(0o600)
    (root / "added").write_bytes(b"added")
    (root / "link-up").unlink()
    (root / "link-up").mkdir()
    (root / "link-up" / "inner").write_bytes(b"inner")
    (root / "fifo").unlink()
    (root / "fifo").symlink_to("/etc/passwd")
    shutil.rmtree(root / "empty-folder")
    (root / "empty-folder").write_bytes(b"a file now")
    (root / "linked-again").unlink()
    (root / "linked-again").write_bytes(b"a link no more")
    os.utime(root / "many", ns=(5, 5))


def occupy(location: str) -> None:
    """Another directory stands there."""
    build_small(Path(location))


def build_small(root: Path) -> None:
    """Something that is not what was there."""
    root.mkdir(exist_ok=True)
    (root / "some").write_bytes(b"another's")


@pytest.fixture
def directories(tmp_path: Path) -> ProviderFixture:
    """Plain directories on the file system of the tests."""
    count = itertools.count()

    def volume() -> str:
        root = tmp_path / f"volume-{next(count)}"
        build_tree(root)
        return str(root)

    return ProviderFixture(
        provider=provider(),
        volume=volume,
        place=lambda: str(tmp_path / f"place-{next(count)}"),
        change=change,
        occupy=occupy,
        evict=remove,
        state=state,
    )


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[ProviderFixture]:
    """File systems of their own, mounted where the volume is."""
    if not can_mount():
        pytest.skip("mounting needs root")
    count = itertools.count()
    points: list[Path] = []

    def volume() -> str:
        root = tmp_path / f"volume-{next(count)}"
        root.mkdir()
        mounted("tmpfs", root)
        points.append(root)
        build_tree(root)
        return str(root)

    yield ProviderFixture(
        provider=provider(),
        volume=volume,
        place=lambda: str(tmp_path / f"place-{next(count)}"),
        change=change,
        occupy=occupy,
        evict=lambda location: (Path(location) / "some").unlink(),
        state=state,
        empties=True,
    )
    for point in points:
        subprocess.run(["umount", str(point)], check=True)


def state(location: str) -> Tree:
    """All that a directory holds."""
    return read_tree(location)


@pytest.mark.parametrize("name", clause_names())
@pytest.mark.parametrize("world", WORLDS)
def test_a_directory_keeps_the_providers_contract(
    world: str, name: str, request: pytest.FixtureRequest
) -> None:
    fixture: ProviderFixture = request.getfixturevalue(
        "mounts" if world == "mount" else "directories"
    )
    run: Callable[[], None] | None = dict(clauses(fixture)).get(name)
    if run is None:
        assert fixture.empties, "an ordinary directory has to pass every clause"
        return
    run()
