"""The directory store against real file systems: crashes, full disks, missing mounts, rights."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from vault.clock import SystemClock
from vault.errors import (
    LockRefused,
    StoreAddressInvalid,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnreachable,
)
from vault.store.directory import DirectoryStore
from vault.store.durable import unseal
from vault.store.names import content_digest, digest_of, pack_key
from vault.store.opening import establish_store, open_store
from vault.testing.clock import ManualClock

DAY = timedelta(days=1)
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and make immutable")


@pytest.fixture
def clock() -> ManualClock:
    """A clock to move."""
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> DirectoryStore:
    """A new store whose files can be removed after the test."""
    return new_store(tmp_path / "store", clock)


def new_store(root: Path, clock: ManualClock) -> DirectoryStore:
    """Establish a store at a place."""
    establish_store(f"file://{root}?immutable=no", clock=clock)
    return DirectoryStore(root, clock, immutable=False)


@pytest.mark.parametrize("place", ["mountpoint", "nowhere"])
def test_a_missing_or_unmounted_directory_is_not_an_empty_store(
    tmp_path: Path, clock: ManualClock, place: str
) -> None:
    (tmp_path / "mountpoint").mkdir()
    store = DirectoryStore(tmp_path / place, clock)
    for call in (
        lambda: store.get("a"),
        lambda: list(store.list("")),
        lambda: store.put("a", b"", clock.now() + DAY),
        lambda: store.extend("a", clock.now() + DAY, version="0"),
        lambda: store.delete("a", version="0"),
    ):
        with pytest.raises(StoreUnreachable) as caught:
            call()
        assert "vault init" in caught.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ["mountpoint"]


def test_establishing_again_changes_nothing(store: DirectoryStore, clock: ManualClock) -> None:
    store.put("a", b"data", clock.now() + DAY)
    establish_store(f"{store.address}?immutable=no", clock=clock)
    assert store.get("a") == b"data"


def test_a_directory_with_something_else_in_it_is_refused(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(StoreAddressInvalid, match="photos"):
        establish_store(f"file://{tmp_path}", clock=clock)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_lost_marker_is_put_back_by_establishing(
    store: DirectoryStore, clock: ManualClock
) -> None:
    store.put("a", b"data", clock.now() + DAY)
    (store.root / "vault-store").unlink()
    with pytest.raises(StoreUnreachable):
        store.get("a")
    establish_store(f"{store.address}?immutable=no", clock=clock)
    assert store.get("a") == b"data"


def test_files_are_read_only_and_dated_by_the_clock(
    store: DirectoryStore, clock: ManualClock
) -> None:
    store.put("a/b", b"data", clock.now() + DAY)
    status = (store.root / "objects/a/b").stat()
    assert status.st_mode & 0o777 == 0o444
    assert status.st_mtime == clock.now().timestamp()
    (found,) = store.list("")
    assert found.modified == clock.now()


def test_a_damaged_object_is_not_taken_for_the_same(
    store: DirectoryStore, clock: ManualClock
) -> None:
    """Bytes that rotted under a key are not idempotence: the good ones become one more version."""
    key = pack_key(content_digest(b"good"))
    store.put(key, b"good", clock.now() + DAY)
    path = store.root / "objects" / key
    path.chmod(0o644)
    path.write_bytes(b"baad")
    again = store.put(key, b"good", clock.now() + DAY)
    assert again.version == "1"
    assert store.get(key) == b"good"
    assert store.put(key, b"good", clock.now() + DAY).version == "1"


def test_a_lock_taken_away_by_hand_does_not_shorten_the_others(
    store: DirectoryStore, clock: ManualClock
) -> None:
    first = store.put("a", b"1", clock.now() + DAY)
    store.extend("a", clock.now() + 3 * DAY, version=first.version)
    (store.root / "locks/a" / f"{int((clock.now() + DAY).timestamp())}~0").unlink()
    clock.advance(2 * DAY)
    with pytest.raises(LockRefused):
        store.delete("a", version=first.version)


def test_strange_files_are_not_listed(store: DirectoryStore, clock: ManualClock) -> None:
    store.put("a/b", b"1", clock.now() + DAY)
    for name in ("a/b~x", "a/~1~2"):
        (store.root / "objects" / name).write_bytes(b"")
    assert [found.key for found in store.list("")] == ["a/b"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=False, timeout=20
    )
    if made.returncode:
        pytest.skip("no right to mount here")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=20)


@root_only
@pytest.mark.parametrize("seconds", [10**13, -(10**13)])
def test_a_file_from_beyond_the_calendar_hides_no_others(
    small_disk: Path, clock: ManualClock, seconds: int
) -> None:
    store = new_store(small_disk / "store", clock)
    store.put("a/kept", b"1", clock.now() + DAY)
    os.utime(store.root / "objects" / "a" / "kept", (0, seconds))
    (store.root / "objects" / "a" / "laid").write_bytes(b"")
    os.utime(store.root / "objects" / "a" / "laid", (0, seconds))
    assert [found.key for found in store.list("a/")] == ["a/kept", "a/laid"]


@root_only
@pytest.mark.parametrize("nameless", [True, False])
def test_a_full_disk_leaves_nothing_half_there(
    small_disk: Path, clock: ManualClock, nameless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        monkeypatch.setattr("vault.store.durable._UNNAMED", 0)
    store = new_store(small_disk / "store", clock)
    store.put("kept", b"k" * 100_000, clock.now() + DAY)
    before = sorted(path for path in store.root.rglob("*") if path.is_file())
    with pytest.raises(StoreFull) as caught:
        store.put("big/one", b"b" * (4 << 20), clock.now() + DAY)
    assert caught.value.hint
    assert caught.value.retryable
    assert sorted(path for path in store.root.rglob("*") if path.is_file()) == before
    assert [found.key for found in store.list("")] == ["kept"]
    assert store.get("kept") == b"k" * 100_000
    store.put("small", b"fits", clock.now() + DAY)


@root_only
def test_a_read_only_disk_is_named(small_disk: Path, clock: ManualClock) -> None:
    store = new_store(small_disk / "store", clock)
    store.put("kept", b"k", clock.now() + DAY)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=20)
    with pytest.raises(StoreDenied, match="Read-only"):
        store.put("a", b"", clock.now() + DAY)
    assert store.get("kept") == b"k"


def test_a_key_below_an_object_is_an_error_of_the_store(
    store: DirectoryStore, clock: ManualClock
) -> None:
    """Digests in names keep this from happening; it must not be silent all the same."""
    store.put("a", b"", clock.now() + DAY)
    with pytest.raises(StoreError):
        store.put("a/b", b"", clock.now() + DAY)
    assert [found.key for found in store.list("")] == ["a"]


def test_processes_that_put_the_same_at_once_make_one_object(tmp_path: Path) -> None:
    new_store(tmp_path / "store", ManualClock())
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        receipts = list(pool.map(put_shared, [str(tmp_path / "store")] * 8))
    store = DirectoryStore(tmp_path / "store", ManualClock())
    for found in store.list(""):
        assert store.get(found.key, version=found.version) == b"shared" * 1000
    assert set(receipts) <= {found.version for found in store.list("")}


def put_shared(root: str) -> str:
    """Put the one object that all processes put."""
    store = DirectoryStore(Path(root), SystemClock(), immutable=False)
    return store.put("packs/a", b"shared" * 1000, SystemClock().now() + DAY).version


WRITER = """
import os, sys
from datetime import timedelta
from pathlib import Path
from vault.clock import SystemClock
from vault.store.directory import DirectoryStore
from vault.store.names import content_digest, pack_key
clock = SystemClock()
store = DirectoryStore(Path(sys.argv[1]), clock, immutable=False)
number = 0
while True:
    data = b"%d-%d" % (os.getpid(), number) * 5000
    key = pack_key(content_digest(data))
    receipt = store.put(key, data, clock.now() + timedelta(days=1))
    print(key, receipt.version, flush=True)
    number += 1
"""


@pytest.mark.parametrize("nameless", [True, False])
def test_whatever_was_acknowledged_survives_a_kill(tmp_path: Path, nameless: bool) -> None:
    root = tmp_path / "store"
    new_store(root, ManualClock())
    script = WRITER if nameless else f"import vault.store.durable as d\nd._UNNAMED = 0\n{WRITER}"
    told = tmp_path / "told"
    for pause in (0.25, 0.4):
        with told.open("a") as out:
            process = subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=out)
            wait_until(lambda: told.stat().st_size > 500, process)
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)
    store = DirectoryStore(root, SystemClock(), immutable=False)
    lines = [line.split() for line in told.read_text("utf-8").splitlines() if " " in line]
    assert len(lines) > 5
    for key, version in lines:
        assert content_digest(store.get(key, version=version)) == digest_of(key)
        assert store.retention(key, version=version).until is not None
    for found in store.list(""):  # what was not acknowledged is whole or absent, and locked
        assert content_digest(store.get(found.key)) == digest_of(found.key)
        assert store.retention(found.key).until is not None


def wait_until(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for a process to have come so far."""
    end = time.monotonic() + 20
    while not done():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)


def test_opened_by_url_it_is_the_embedded_store(tmp_path: Path, clock: ManualClock) -> None:
    url = f"file://{tmp_path}/store?immutable=no"
    establish_store(url, clock=clock)
    writer = open_store(url, right="writer", clock=clock)
    receipt = writer.put("a", b"data", clock.now() + 40 * DAY)
    assert open_store(url, right="reader", clock=clock).get("a") == b"data"
    assert not writer.clocked
    assert writer.address == f"file://{tmp_path}/store"
    assert receipt.locked_until == clock.now() + 40 * DAY
    unseal(tmp_path / "store/objects/a")


def test_a_disk_that_goes_away_while_it_is_listed_is_no_end_of_the_list(
    store: DirectoryStore, clock: ManualClock
) -> None:
    for content in (b"one", b"two"):
        store.put(pack_key(content_digest(content)), content, clock.now() + DAY)
    listing = store.list("packs/")
    next(listing)
    store.root.rename(store.root.with_name("unmounted"))
    with pytest.raises(StoreUnreachable):
        list(listing)


def test_what_cannot_be_listed_is_an_error_of_the_store(
    store: DirectoryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(pack_key(content_digest(b"one")), b"one", clock.now() + DAY)

    def failing(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(StoreError):
        list(store.list("packs/"))
