"""Refused: stores and keys that cannot be, and what is damaged; nothing is lost and what to do."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from tests.cli.hosts import Host, make_host, picture, same_content
from vault import errors
from vault.clock import SystemClock
from vault.operations.amend import record_lock
from vault.operations.homes import read_kit
from vault.repository.charter import load_latest, store_charter
from vault.store.names import digest_of
from vault.store.opening import open_store

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount")


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        ("gopher://hole/x", errors.StoreAddressInvalid, "gopher"),
        ("", errors.StoreAddressInvalid, "address"),
        ("/var/backups", errors.StoreAddressInvalid, "/var/backups"),
        ("http://[::1", errors.StoreAddressInvalid, "http://[::1"),
        ("s3://", errors.StoreAddressInvalid, "s3://"),
        ("s3://bucket?endpoint=nonsense", errors.StoreAddressInvalid, "nonsense"),
        ("s3://bucket?colour=red", errors.StoreAddressInvalid, "colour"),
        ("s3://me:secret@bucket/x", errors.StoreAddressInvalid, "credential"),
        ("file://host/x", errors.StoreAddressInvalid, "host"),
        ("file:///dev/null/x", errors.StoreUnreachable, "/dev/null"),
        ("file:///proc/x", errors.StoreUnreachable, "/proc"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_url_that_is_wrong(
    tmp_path: Path, url: str, kind: type[errors.VaultError], says: str
) -> None:
    """`init` refuses it, quotes it without its secret, and makes nothing."""
    host = Host(tmp_path / "home", "s3://none", tmp_path / "photos")
    host.volume.mkdir()
    error = host.refused(kind, "init", "--store", url, says=says)
    assert "me:secret" not in json.dumps(error)
    assert not host.kit.exists()
    assert not (host.home / "vault.toml").exists()


def test_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    """A store is not made among strangers' files."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    host = Host(tmp_path / "home", f"file://{tmp_path / 'mine'}", tmp_path / "photos")
    host.volume.mkdir()
    host.refused(errors.StoreAddressInvalid, "init", "--store", host.url, says="letter")


def test_a_store_that_is_gone(captured: Host, tmp_path: Path) -> None:
    """An unmounted disk is not an empty store; once it is back all works as before."""
    away = captured.store.rename(tmp_path / "away")
    for words in (
        *(("snapshot", "photos"), ("verify",), ("delete", "photos", "--reason", "x")),
        ("restore", "photos", "--to", "back"),
    ):
        before = picture(captured.volume)
        answer = captured.run(*words, "--json", status=errors.StoreUnreachable.status)
        error = json.loads(answer.err)
        assert error["retryable"] is True
        assert str(captured.store) in error["message"]
        assert error["safe"]
        assert error["hint"]
        assert picture(captured.volume) == before
    assert not captured.store.exists()
    assert captured.ask("status").item["recent"] == []
    away.rename(captured.store)
    captured.ask("snapshot", "photos")


def test_no_answer_from_a_server(tmp_path: Path) -> None:
    """Connection refused: the words name the endpoint, and no home is half made."""
    host = Host(tmp_path / "home", "s3://none", tmp_path / "photos").under(
        AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_EC2_METADATA_DISABLED="true"
    )
    host.volume.mkdir()
    url = "s3://bucket/x?endpoint=http://127.0.0.1:9&region=default"
    error = host.refused(errors.StoreUnreachable, "init", "--store", url, says="127.0.0.1:9")
    assert "network" in error["hint"]
    assert not (host.home / "vault.toml").exists()


def test_no_credential(tmp_path: Path) -> None:
    """A profile that is not there is named."""
    host = Host(tmp_path / "home", "s3://none", tmp_path / "photos").under(
        AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_CONFIG_FILE=os.devnull
    )
    host.volume.mkdir()
    words = ("init", "--store", "s3://bucket/x", "--profile", "nobody")
    host.refused(errors.StoreDenied, *words, says="nobody")


# --- kits ----------------------------------------------------------------------------------------


def test_no_kit(captured: Host, tmp_path: Path) -> None:
    """What needs it says so; undelete and verify do not need it."""
    captured.kit.rename(tmp_path / "offline.kit")
    for words in (
        *(("cat", "photos", "notes.txt"), ("key", "export")),
        ("restore", "photos", "--to", str(tmp_path / "back")),
    ):
        error = captured.refused(errors.KitMissing, *words)
        assert "--kit" in error["hint"]
    assert not (tmp_path / "back").exists()
    missing = tmp_path / "none.kit"
    captured.refused(errors.KitMissing, "ls", "photos", "--kit", missing, says="none.kit")
    captured.ask("verify")
    captured.ask("ls", "photos", "--kit", tmp_path / "offline.kit")


@pytest.mark.parametrize("case", ["other", "truncated", "noise", "binary", "folder", "swapped"])
def test_a_kit_that_is_wrong(
    shared: Host, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, case: str
) -> None:
    """Another vault's, half a file, none at all: nothing is read, and the kit is not quoted."""
    kit = tmp_path / "wrong.kit"
    text = shared.kit.read_text()
    if case == "folder":
        kit.mkdir()
    elif case in ("other", "swapped"):
        other = make_host(tmp_path_factory.mktemp("other"), enrolled=False).kit.read_text()
        lines = text.splitlines()[:-1] + other.splitlines()[-1:]
        kit.write_text(other if case == "other" else "\n".join(lines) + "\n")
    elif case == "binary":
        kit.write_bytes(os.urandom(300))
    else:
        kit.write_text({"truncated": text[: len(text) * 2 // 3], "noise": "hello\n"}[case])
    words = ("restore", "photos", "--kit", kit, "--to", tmp_path / "back")
    error = shared.refused(errors.KitWrong, *words)
    assert "AGE-SECRET" not in json.dumps(error)
    assert not (tmp_path / "back").exists()
    if case in ("other", "swapped"):
        assert shared.run("key", "check", "--kit", kit, "--json", status=3).item["opens"] is False


def test_a_kit_for_another_store(shared: Host, tmp_path: Path) -> None:
    """With --store and somebody else's kit there is no vault that it signed."""
    other = make_host(tmp_path / "other", enrolled=False)
    away = Host(tmp_path / "away" / "home", shared.url, shared.volume)
    away.home.parent.mkdir()
    words = ("ls", "photos", "--store", shared.url, "--kit", other.kit)
    away.refused(errors.VaultMissing, *words)
    empty = f"file://{tmp_path / 'none'}"
    away.refused(errors.StoreUnreachable, "ls", "photos", "--store", empty, "--kit", shared.kit)
    rebuild = ("rebuild", "--store", shared.url, "--kit", other.kit)
    away.refused(errors.VaultMissing, *rebuild)
    assert not (away.home / "vault.toml").exists()


# --- full disks ----------------------------------------------------------------------------------


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of this size."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def stored_on(disk: Path, tmp_path: Path) -> Host:
    """A vault with one snapshot, whose store is on this disk."""
    host = make_host(tmp_path / "host", enrolled=False)
    made = Host(tmp_path / "second", f"file://{disk}/store?immutable=no", host.volume)
    made.ask("init", "--store", made.url)
    made.ask("volume", "add", "photos", made.volume)
    made.ask("snapshot", "photos")
    return made


def fill(path: Path) -> None:
    """Leave no room on a file's disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@AS_ROOT
def test_no_room_in_the_store(tmp_path: Path) -> None:
    """Nothing is acknowledged, the former snapshot stays whole, with room it goes on."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        other = stored_on(disk, tmp_path)
        (other.volume / "film").write_bytes(os.urandom(4 << 20))
        before = picture(other.volume)
        error = json.loads(other.run("snapshot", "photos", "--json", status=24).err)
        assert error["code"] == "store_full"
        assert error["retryable"] is True
        assert error["hint"]
        assert picture(other.volume) == before
        assert len(other.ask("snapshots").items) == 1
        other.ask("verify", "--deep")
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        other.ask("snapshot", "photos")


@AS_ROOT
def test_no_room_for_the_entry_of_a_reading(tmp_path: Path) -> None:
    """What was asked for comes, with one line about the entry, which is brought in later."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        full = stored_on(disk, tmp_path)
        fill(disk / "ballast")
        shown = full.run("cat", "photos@latest", "notes.txt")
        assert shown.out == "bread, milk\n"
        (line,) = shown.err.splitlines()
        assert line.startswith("This read (“notes.txt” of snap_")
        assert "waits here" in line
        answer = full.run("restore", "photos", "--to", tmp_path / "back", "--json")
        assert answer.item["findings"] == []
        (told,) = map(json.loads, answer.err.splitlines())
        assert (told["version"], told["kind"]) == (1, "warning")
        assert told["message"].startswith("This restore (snap_")
        (disk / "ballast").unlink()
        assert not full.run("cat", "photos@latest", "notes.txt").err
        entries = full.ask("audit", "show", "--kind", "request").items
        assert [e["body"]["verb"] for e in entries[-3:]] == ["read", "restore", "read"]


@AS_ROOT
def test_no_room_for_a_restore(fresh: Host, tmp_path: Path) -> None:
    """It stops, leaves whole files only, and says how to go on."""
    (fresh.volume / "z-film").write_bytes(os.urandom(4 << 20))
    fresh.ask("snapshot", "photos")
    with small_disk(tmp_path / "disk", "1m") as disk:
        target = disk / "back"
        error = fresh.refused(errors.DiskFull, "restore", "photos", "--to", target)
        assert (target / "notes.txt").read_text() == "bread, milk\n"
        assert not list(target.glob(".vault*"))
        assert "room" in error["hint"]
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        for path in sorted(target.rglob("*"), reverse=True):
            path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
        fresh.ask("restore", "photos", "--to", target)
        assert same_content(target, fresh.volume)


@AS_ROOT
def test_no_room_in_the_home(tmp_path: Path) -> None:
    """A full home stops a snapshot or a delete cleanly; with room both work."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        host = make_host(tmp_path / "host", enrolled=False)
        full = Host(disk / "home", f"file://{tmp_path}/store?immutable=no", host.volume)
        full.ask("init", "--store", full.url)
        full.ask("volume", "add", "photos", full.volume)
        fill(disk / "ballast")
        for words in (("snapshot", "photos"), ("delete", "photos", "--reason", "x")):
            before = picture(full.volume)
            process = full.start(*words, "--json")
            _, err = process.communicate(timeout=60)
            assert b"Traceback" not in err
            assert process.returncode == errors.DiskFull.status, err
            assert picture(full.volume) == before
        (disk / "ballast").unlink()
        assert full.ask("status").item["recent"] == []
        full.ask("snapshot", "photos")
        full.ask("delete", "photos", "--reason", "x")


# --- what lies here and there, damaged ------------------------------------------------------------


@pytest.mark.parametrize("damage", ["noise", "middle", "empty", "short"])
def test_a_damaged_catalog(captured: Host, damage: str) -> None:
    """`rebuild` mends it, and everything is as before."""
    wanted = captured.ask("snapshots").items, captured.ask("volume", "list").items
    path = captured.home / "catalog.db"
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    data = path.read_bytes()
    path.write_bytes(
        {
            "noise": os.urandom(len(data)),
            "middle": data[:4096] + os.urandom(len(data) - 4096),
            "empty": b"",
            "short": data[: len(data) // 2],
        }[damage]
    )
    if damage != "empty":  # that is a new catalog, which knows nothing yet
        error = captured.refused(errors.CatalogCorrupt, "snapshots")
        assert "vault rebuild" in error["hint"]
    captured.run("rebuild")
    assert (captured.ask("snapshots").items, captured.ask("volume", "list").items) == wanted


def test_a_catalog_of_a_newer_version(captured: Host) -> None:
    """It is not touched."""
    path = captured.home / "catalog.db"
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO migrations VALUES (999, 'later')")
    database.close()
    before = path.read_bytes()
    captured.refused(errors.CatalogTooNew, "status", says="999")
    captured.refused(errors.CatalogTooNew, "rebuild", says="999")
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["index.db", "baselines"])
@pytest.mark.parametrize("damage", ["noise", "gone", "empty"])
def test_caches_that_are_damaged(captured: Host, tmp_path: Path, what: str, damage: str) -> None:
    """Index and baseline are made anew without a word, and the next snapshot has the same bytes."""
    place = captured.home / what
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    assert files
    for path in files:
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(os.urandom(path.stat().st_size) if damage == "noise" else b"")
    (captured.volume / "new").write_text("new\n")
    answer = captured.ask("snapshot", "photos")
    assert answer.item["files"] == 5
    captured.ask("restore", answer.item["id"], "--to", tmp_path / "back")
    assert same_content(tmp_path / "back", captured.volume)


def test_a_format_that_only_a_newer_vault_reads(captured: Host, tmp_path: Path) -> None:
    """A signed charter asks for what this version does not know: all that needs it is refused."""
    kit, clock = read_kit(captured.kit), SystemClock()
    assert kit.root is not None
    store = open_store(captured.url, right="writer", clock=clock)
    latest = load_latest(store, kit.root_public)
    later = msgspec.structs.replace(
        latest.charter,
        number=latest.charter.number + 1,
        previous=str(digest_of(latest.key)),
        features=("later",),
    )
    store_charter(store, later, kit.root, record_lock(clock.now()))
    for words in (
        *(("snapshot", "photos"), ("delete", "photos", "--reason", "x"), ("verify",)),
        *(("restore", "photos", "--to", str(tmp_path / "back")), ("collector", "--once")),
    ):
        error = captured.refused(errors.FeatureUnknown, *words, says="later")
        assert "newer vault" in error["hint"]
    assert not (tmp_path / "back").exists()
    captured.ask("status")
