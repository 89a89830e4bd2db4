"""P4 on a real server: clients killed at their steps, and the server killed under them."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises.crashes import OPERATIONS, deletes, of_scene, snapshots, undeletes
from tests.promises.scenes import make_scene
from tests.rgw import RgwBucket, fresh_bucket
from vault.errors import VaultError
from vault.testing.rgw import Server
from vault.testing.trees import read_tree

pytestmark = pytest.mark.rgw
MIB = 1 << 20


@pytest.mark.parametrize("operation", [snapshots, deletes, undeletes])
def test_killed_at_some_steps_on_a_server(
    rgw_bucket: RgwBucket, tmp_path: Path, operation: Callable[..., int]
) -> None:
    crashes = of_scene(make_scene(rgw_bucket, tmp_path, tree=False))
    some = sorted(random.Random(operation.__name__).sample(range(40), 8))
    operation(crashes, iter([*some, 100_000]))


@pytest.mark.long
@pytest.mark.usefixtures("many_deletes")
@OPERATIONS
def test_killed_at_every_step_on_a_server(
    rgw_bucket: RgwBucket,
    tmp_path: Path,
    operation: Callable[..., int],
) -> None:
    crashes = of_scene(make_scene(rgw_bucket, tmp_path, tree=False))
    assert operation(crashes, iter(range(1000))) > 10


def test_a_server_killed_in_the_middle_of_a_snapshot(rgw_own: Server, tmp_path: Path) -> None:
    scene = make_scene(fresh_bucket(rgw_own), tmp_path, tree=False)
    (scene.source / "first").write_bytes(os.urandom(MIB))
    first, kept = scene.snapshot(), read_tree(scene.source)
    (scene.source / "large").write_bytes(os.urandom(160 * MIB))
    failed: list[VaultError] = []

    def attempt() -> None:
        try:
            scene.snapshot()
        except VaultError as error:
            failed.append(error)

    packs = sum("/packs/" in version["Key"] for version in scene.versions())
    worker = threading.Thread(target=attempt)
    worker.start()
    while sum("/packs/" in version["Key"] for version in scene.versions()) == packs:
        assert worker.is_alive()
    rgw_own.kill()
    worker.join()
    assert failed
    assert failed[0].retryable
    rgw_own.start()
    done = scene.run("verify", "--deep")
    assert done.returncode == 0, done.stderr + done.stdout
    with scene.vault() as vault:
        assert [item.id for item in vault.snapshots("db")] == [first.id]
        second = vault.snapshot("db")
    scene.restore(tmp_path / "back", first.id)
    assert read_tree(tmp_path / "back") == kept
    scene.restore(tmp_path / "again", second.id)
    assert read_tree(tmp_path / "again") == read_tree(scene.source)
