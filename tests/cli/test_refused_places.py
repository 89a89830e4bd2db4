"""Refused: places that cannot be protected, deleted or restored to, and names that mean nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.hosts import COMMAND, STRAY, Host, make_host, picture, plant
from tests.cli.nobody import AS_NOBODY, NEEDS_NOBODY
from vault import Vault, errors

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount")


@contextmanager
def mounted(*words: str | Path, at: Path) -> Iterator[Path]:
    """Something mounted here for a while."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", *words, at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=False)


# --- places that lie in one another ---------------------------------------------------------------


@pytest.mark.parametrize("where", ["store", "in-store", "around", "home", "root", "in-volume"])
def test_a_volume_that_overlaps(shared: Host, where: str) -> None:
    """With the store, the home, another volume: by its own path or by a link to it."""
    place = {
        "store": shared.store,
        "in-store": shared.store / "objects",
        "around": shared.home.parent,
        "home": shared.home,
        "root": Path("/"),
        "in-volume": shared.volume / "holidays",
    }[where]
    link = shared.home.parent / f"link-{where}"
    link.symlink_to(place)
    try:
        path = link if where in ("home", "in-store", "in-volume") else place
        error = shared.refused(errors.SourceOverlaps, "volume", "add", "more", path)
        assert str(path) in error["message"]
    finally:
        link.unlink()
    assert [item["name"] for item in shared.ask("volume", "list").items] == ["photos"]


def test_a_volume_that_is_there_already(shared: Host, tmp_path: Path) -> None:
    """The same name, and the same folder under another name."""
    shared.refused(errors.VolumeExists, "volume", "add", "photos", tmp_path, says="photos")
    shared.refused(errors.SourceOverlaps, "volume", "add", "again", shared.volume, says="photos")


@AS_ROOT
def test_a_bind_mount_of_a_volume(shared: Host, tmp_path: Path) -> None:
    """Another way to the same data is seen through, to all of it and to a part."""
    for number, place in enumerate((shared.volume, shared.volume / "holidays", shared.store)):
        with mounted("--bind", place, at=tmp_path / str(number)) as alias:
            shared.refused(errors.SourceOverlaps, "volume", "add", "more", alias)


@pytest.mark.parametrize("where", ["nothing", "file", "missing-parent"])
def test_a_volume_that_is_no_folder(shared: Host, tmp_path: Path, where: str) -> None:
    """Nothing is registered."""
    (tmp_path / "file").write_text("x")
    place = tmp_path / where / ("deep" if where == "missing-parent" else "")
    shared.refused(errors.SourceVanished, "volume", "add", "more", place)


def test_a_volume_whose_path_is_not_text(shared: Host, tmp_path: Path) -> None:
    """It is refused in words that can be printed."""
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/odd-\xff")
    os.mkdir(odd)
    error = shared.refused(errors.UsageError, "volume", "add", "odd", odd)
    assert "odd-" in error["message"]


# --- sources that are not as they were ------------------------------------------------------------


def test_a_volume_that_is_gone(captured: Host) -> None:
    """It is on record, nothing expires, delete does nothing; back again it is captured again."""
    away = captured.volume.rename(captured.volume.with_name("away"))
    for words in (("snapshot", "photos"), ("delete", "photos", "--reason", "x")):
        answer = captured.run(*words, "--json", status=errors.SourceVanished.status)
        error = json.loads(answer.err)
        assert str(captured.volume) in error["message"]
        assert error["safe"]
        assert error["hint"]
    assert captured.ask("tombstones").items == []
    assert any("vanished" in note for note in captured.ask("status").item["notes"])
    checks = {check["name"]: check for check in captured.ask("doctor", status=3).items}
    assert not checks["volume photos"]["ok"]
    away.rename(captured.volume)
    captured.ask("snapshot", "photos")


@AS_ROOT
def test_a_volume_that_is_not_mounted(tmp_path: Path) -> None:
    """The empty mount point is not taken for the volume: neither captured nor deleted."""
    host = make_host(tmp_path / "host", enrolled=False)
    with mounted("-t", "tmpfs", "none", at=tmp_path / "disk") as disk:
        (disk / "letter").write_text("dear\n")
        host.ask("volume", "add", "disk", disk)
        host.ask("snapshot", "disk")
    for words in (("snapshot", "disk"), ("delete", "disk", "--reason", "x")):
        answer = host.run(*words, "--json", status=errors.SourceReplaced.status)
        assert str(disk) in json.loads(answer.err)["message"]
    assert host.ask("tombstones").items == []
    assert len(host.ask("snapshots").items) == 1
    assert host.run("cat", "disk@latest", "letter").out == "dear\n"


@AS_ROOT
def test_a_delete_across_mounts(captured: Host) -> None:
    """What cannot be set aside as one is left as it is."""
    with mounted("-t", "tmpfs", "none", at=captured.volume / "inner") as inner:
        (inner / "x").write_text("x")
        error = captured.refused(
            errors.QuarantineRefused, "delete", "photos", "--reason", "x", says="inner"
        )
        assert "obstacle" in error["hint"]
    assert captured.ask("tombstones").items == []


@NEEDS_NOBODY
def test_files_that_may_not_be_read(public: Path) -> None:
    """As another user: what can be captured is, with status 3 and a finding for the rest."""
    base = public
    os.chown(base, 65534, 65534)
    volume = plant(base / "photos")
    secret = volume / "secret"
    secret.write_text("not yours\n")
    secret.chmod(0o600)
    closed = base / "closed"
    closed.mkdir(mode=0o700)

    def call(*words: str | Path, status: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [*AS_NOBODY, *COMMAND, *words, "--json"],
            env=os.environ | {"VAULT_HOME": str(base / "home"), "HOME": str(base)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return dict(json.loads(done.stdout or done.stderr))

    call("init")
    call("volume", "add", "photos", volume)
    answer = call("snapshot", "photos", status=3)
    (item,) = answer["items"]
    assert [finding["path"] for finding in item["findings"]] == ["secret"]
    assert item["files"] == 4
    assert call("volume", "add", "closed", closed, status=78)["safe"]
    assert call("delete", "photos", "--reason", "x", status=74)["hint"]
    assert call("restore", "photos", "--to", closed / "back", status=78)["hint"]
    assert secret.read_text() == "not yours\n"


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (errors.VolumeUnknown, ("snapshot", "nobody")),
        (errors.VolumeUnknown, ("delete", "nobody", "--reason", "x")),
        (errors.SnapshotUnknown, ("restore", "nobody", "--to", "x")),
        (errors.SnapshotUnknown, ("ls", "snap_01abcdefgh")),
        (errors.UsageError, ("ls", "photos", "no/such/path")),
        (errors.UsageError, ("cat", "photos", "no/such/path")),
        (errors.SnapshotUnknown, ("diff", "photos")),
        (errors.TombstoneUnknown, ("undelete", "tomb_01abcdefgh")),
        (errors.TombstoneUnknown, ("hold", "nobody")),
        (errors.TombstoneUnknown, ("restore", "tomb_01abcdefgh", "--to", "x")),
        (errors.TransitionRefused, ("volume", "pause", "photos", "--resume")),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_names_of_nothing(
    shared: Host, kind: type[errors.VaultError], words: tuple[str, ...]
) -> None:
    """Unknown volumes, snapshots, tombstones, paths."""
    shared.refused(kind, *words, says="nobody" if "nobody" in words else "")


def test_a_prefix_of_several(tmp_path: Path) -> None:
    """It says which there are; more characters mean one."""
    host = make_host(tmp_path)
    with Vault.open(host.home) as vault:
        first, second = (vault.snapshot("photos").id for _ in range(2))
    common = max((first[:n] for n in range(30) if second.startswith(first[:n])), key=len)
    error = host.refused(errors.IdAmbiguous, "ls", common, says=first)
    assert second in error["message"]
    host.ask("ls", first[:-1])


# --- delete and undo ------------------------------------------------------------------------------


def test_deletes_and_undeletes_that_cannot_be(captured: Host, tmp_path: Path) -> None:
    """Without a reason, twice, with the place taken, undone twice: the data are always there."""
    wanted = picture(captured.volume)
    captured.refused(errors.UsageError, "delete", "photos", says="--reason")
    captured.refused(errors.Denied, "delete", "photos", "--reason", " ", says="reason")
    tomb = captured.ask("delete", "photos", "--reason", "moved").item["id"]
    gone = Host(captured.home, captured.url, captured.store)
    gone.refused(errors.VolumeTombstoned, "delete", "photos", "--reason", "again")
    gone.refused(errors.VolumeTombstoned, "snapshot", "photos")
    gone.refused(errors.TransitionRefused, "volume", "pause", "photos")
    captured.volume.mkdir()
    (captured.volume / "squatter").write_text("here\n")
    answer = captured.run("undelete", tomb, "--json", status=errors.PlaceTaken.status)
    error = json.loads(answer.err)
    assert str(captured.volume) in error["message"]
    assert "untouched" in error["safe"]
    assert (captured.volume / "squatter").read_text() == "here\n"
    assert captured.ask("tombstones").item["state"] == "tombstoned"
    shutil.rmtree(captured.volume)
    captured.ask("undelete", tomb)
    assert picture(captured.volume) == wanted
    captured.ask("undelete", tomb)  # done already: the same answer


def test_an_undelete_after_the_data_are_gone(captured: Host, tmp_path: Path) -> None:
    """Somebody destroyed what waited: the way out is the store, and it works."""
    tomb = captured.ask("delete", "photos", "--reason", "moved").item["id"]
    shutil.rmtree(captured.volume.parent / ".vault-trash" / tomb)
    error = json.loads(captured.run("undelete", tomb, "--json", status=71).err)
    assert error["hint"]
    again = json.loads(captured.run("undelete", tomb, "--json", status=51).err)
    assert "vault restore" in again["hint"]
    captured.ask("restore", tomb, "--to", tmp_path / "back")
    assert (tmp_path / "back" / "notes.txt").read_text() == "bread, milk\n"


# --- restores -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["full", "file", "volume", "below-file"])
def test_a_target_that_cannot_be(shared: Host, tmp_path: Path, where: str) -> None:
    """Nothing that stands there is touched."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    (tmp_path / "file").write_text("mine")
    target = {"volume": shared.volume, "below-file": tmp_path / "file" / "x"}.get(
        where, tmp_path / where
    )
    before = picture(tmp_path)
    shared.refused(errors.TargetNotEmpty, "restore", "photos", "--to", target)
    assert picture(tmp_path) == before


def test_a_restore_into_the_store_or_the_home(shared: Host) -> None:
    """A target inside what vault lives in is refused."""
    for folder in (shared.store, shared.home):
        target = folder / "back"
        shared.refused(errors.SourceOverlaps, "restore", "photos", "--to", target)
        assert not target.exists()


def test_in_place_without_a_volume_here(shared: Host, tmp_path: Path) -> None:
    """With --store there is nowhere that things came from but the path on record."""
    words = ("restore", "photos", "--store", shared.url, "--kit", shared.kit, "--in-place")
    before = shared.picture()
    answer = shared.run(*words, "--json", status=2)
    assert json.loads(answer.err)["hint"]
    assert shared.picture() == before


# --- names that are not UTF-8, in every output ----------------------------------------------------


def test_stray_bytes_are_shown_and_never_sent(captured: Host) -> None:
    """ls, diff, findings: escaped for people, valid JSON for programs."""
    stray = captured.volume / os.fsdecode(STRAY)
    stray.write_text("changed\n")
    control = captured.volume / "clear\x1b[2J.txt"
    control.write_text("x")
    captured.ask("snapshot", "photos")
    for words in (("ls", "photos"), ("diff", "photos")):
        shown = captured.run(*words).out
        assert "stray-\\xff.txt" in shown
        assert "\x1b" not in shown
        assert "clear\\x1b[2J.txt" in shown
        paths = {item["path"] for item in captured.ask(*words).items}
        assert {"stray-\\xff.txt", "clear\x1b[2J.txt"} <= paths
    error = captured.refused(errors.UsageError, "cat", "photos", "none-\udcff")
    assert "none-" in error["message"]
