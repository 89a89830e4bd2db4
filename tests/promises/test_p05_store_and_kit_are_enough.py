"""P5: the bucket and the recovery kit are enough: one command, and nothing set up before it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.promises.rescuing import rescue, unlike
from tests.promises.scenes import Scene, answer, make_scene
from tests.rgw import RgwBucket, fresh_bucket
from vault.errors import KitMissing, KitWrong, SnapshotUnknown, VaultMissing, VolumeElsewhere
from vault.library import Vault
from vault.lifecycle.due import Task
from vault.operations.enroll import Enrolment
from vault.testing.rgw import Server
from vault.testing.trees import differences

pytestmark = pytest.mark.rgw
_LISTINGS: Final[tuple[tuple[str, ...], ...]] = (
    ("volume", "list"),
    ("snapshots",),
    ("tombstones",),
)
_ADDED = b"added before the second snapshot" * 100


@pytest.fixture(scope="module")
def shared(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One for all who only read."""
    return deleted_and_captured(fresh_bucket(rgw), tmp_path_factory.mktemp("p05"))


@pytest.fixture
def lost(shared: Scene) -> Iterator[Scene]:
    """The host is gone: no home and no volume are in their places."""
    aside = shared.root / "aside"
    aside.mkdir()
    for name in ("homes", "srv"):
        (shared.root / name).rename(aside / name)
    yield shared
    for name in ("homes", "srv"):
        (aside / name).rename(shared.root / name)
    aside.rmdir()


def deleted_and_captured(bucket: RgwBucket, root: Path) -> Scene:
    """Two snapshots of `db`, and a second volume `gone` that was deleted and finally captured."""
    scene = make_scene(bucket, root)
    second = root / "srv" / "gone"
    second.mkdir()
    (second / "file").write_bytes(b"of the second volume")
    with scene.vault() as vault:
        vault.add_volume(Enrolment(name="gone", path=str(second), environment="staging"))
        vault.snapshot("gone")
        vault.snapshot("db")
        (scene.source / "added").write_bytes(_ADDED)
        vault.snapshot("db")
        vault.delete("gone", reason="to be found again elsewhere", task="T-1")
        for duty in vault.due():
            if duty.task is Task.FINALIZE:
                vault.perform(duty)
    return scene


def away(scene: Scene, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as on a fresh machine with URL, kit and the reader's credential in hand."""
    return scene.run(
        *words,
        *("--store", scene.url, "--kit", str(scene.kit), "--profile", "reader"),
        role=None,
        env={"AWS_SHARED_CREDENTIALS_FILE": str(scene.credentials("reader"))},
    )


def test_one_command_restores(lost: Scene, tmp_path: Path) -> None:
    done = away(lost, "restore", "db", "--to", str(tmp_path / "back"))
    assert done.returncode == 0, done.stderr
    assert differences(lost.root / "aside" / "srv" / "db", tmp_path / "back") == []
    assert list((lost.root / "fresh").iterdir()) == []  # and nothing was set up for it


def test_a_deleted_volume_comes_back_by_its_tombstone(lost: Scene, tmp_path: Path) -> None:
    (tombstone,) = answer(away(lost, "tombstones", "--json"))
    done = away(lost, "restore", tombstone["id"], "--to", str(tmp_path / "back"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back" / "file").read_bytes() == b"of the second volume"


def test_the_readers_credential_lists_shows_and_verifies(lost: Scene) -> None:
    assert len(answer(away(lost, "snapshots", "--json"))) == 4
    older, newer = (item["id"] for item in answer(away(lost, "snapshots", "db", "--json")))
    assert away(lost, "cat", newer, "added").stdout.encode() == _ADDED
    paths = {item["path"] for item in answer(away(lost, "ls", newer, "--json"))}
    assert {"added", "some", "fifo", "many/file-07"} <= paths
    changes = answer(away(lost, "diff", older, "--with", newer, "--json"))
    assert {"change": "added", "path": "added"} in changes
    assert away(lost, "verify", "--deep").returncode == 0


def test_what_is_wrong_is_said_and_nothing_written(lost: Scene, tmp_path: Path) -> None:
    """A wrong kit, none, a wrong place: each has its own answer."""
    Vault.init(tmp_path / "other", store=f"file://{tmp_path}/store?immutable=no")
    stranger = tmp_path / "other" / "recovery.kit"
    mixed = tmp_path / "mixed.kit"  # this vault's, with the identity of another
    ours, theirs = lost.kit.read_text().splitlines(), stranger.read_text().splitlines()
    lines = [line for line in ours if not line.startswith("AGE-")]
    lines += [line for line in theirs if line.startswith("AGE-")]
    mixed.write_text("\n".join(lines) + "\n")
    nowhere = lost.url.replace("/main?", "/elsewhere?")
    for url, kit, what, error in (
        (lost.url, stranger, "db", VaultMissing),
        (nowhere, lost.kit, "db", VaultMissing),
        (lost.url, tmp_path / "none.kit", "db", KitMissing),
        (lost.url, mixed, "db", KitWrong),
        (lost.url, lost.kit, "dbx", SnapshotUnknown),
    ):
        place = ("--store", url, "--kit", str(kit), "--profile", "reader")
        words = ("restore", what, "--to", str(tmp_path / "back"), "--json", *place)
        done = lost.run(*words, role="reader")
        told = json.loads(done.stderr)
        assert (done.returncode, told["code"]) == (error.status, error.code), told
        assert not (tmp_path / "back").exists()


def test_a_strangers_reader_restores(lost: Scene, tmp_path: Path) -> None:
    """scripts/rescue.py knows the format's description, and nothing of vault.

    Paths longer than the system takes in one piece are all that it leaves out, and it says so.
    """
    listed = rescue(lost, tmp_path)
    assert listed.returncode == 0, listed.stderr[:1000]
    assert all(i["id"] in listed.stdout for i in answer(away(lost, "snapshots", "--json")))
    back = tmp_path / "back"
    done = rescue(lost, tmp_path, "--volume", "db", "--to", str(back))
    assert unlike(lost.root / "aside" / "srv" / "db", back) == []
    assert done.returncode == 3
    assert [line[:200] for line in done.stderr.splitlines() if "deep/ddd" not in line] == []
    older = answer(away(lost, "snapshots", "db", "--json"))[0]["id"]
    rescue(lost, tmp_path, "--snapshot", older, "--to", str(tmp_path / "older"))
    assert (tmp_path / "older" / "some").exists()
    assert not (tmp_path / "older" / "added").exists()


def test_rebuilt_everything_is_listed_and_goes_on(rgw_bucket: RgwBucket, tmp_path: Path) -> None:
    scene = deleted_and_captured(rgw_bucket, tmp_path)
    before = listed(scene)
    assert [len(before[name]) for name in _LISTINGS] == [2, 4, 1]
    shutil.rmtree(tmp_path / "homes")
    place = ("--store", scene.url, "--kit", str(scene.kit), "--profile", "writer")
    done = scene.run("rebuild", *place)
    assert done.returncode == 0, done.stderr
    assert listed(scene) == before
    assert scene.run("verify", "--deep").returncode == 0

    (scene.source / "later").write_bytes(b"written on the new machine" * 1000)
    assert scene.run("snapshot", "db").returncode == VolumeElsewhere.status
    assert scene.run("volume", "acknowledge", "db").returncode == 0  # it is looked after here now
    assert scene.run("snapshot", "db").returncode == 0
    done = scene.run("undelete", "--all", "--since", "1h")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "srv" / "gone" / "file").read_bytes() == b"of the second volume"
    scene.restore(tmp_path / "back")
    assert differences(scene.source, tmp_path / "back") == []


def listed(scene: Scene) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """What the listings say; when the next snapshot is due is left out, for it moves."""
    found = {}
    for name in _LISTINGS:
        done = scene.run(*name, "--json")
        assert done.returncode == 0, done.stderr
        items = [{k: v for k, v in i.items() if k != "next_snapshot_at"} for i in answer(done)]
        found[name] = sorted(items, key=lambda item: str(item["id"]))
    return found
