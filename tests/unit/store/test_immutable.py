"""The directory store's immutable files: who gets the flag, who gets it back, who is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.crash.sealed import can_seal
from vault.errors import StoreError
from vault.store.directory import DirectoryStore
from vault.store.durable import is_sealed, unseal
from vault.store.opening import establish_store
from vault.testing.clock import ManualClock

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    """A clock to move."""
    return ManualClock()


@pytest.fixture
def root(tmp_path: Path, clock: ManualClock) -> Iterator[Path]:
    """A new store whose files are immutable, until the test is over."""
    if not can_seal(tmp_path):
        pytest.skip(
            "the immutable flag cannot be set here: it takes root and a file system with it"
        )
    place = tmp_path / "store"
    establish_store(f"file://{place}", clock=clock)
    yield place
    for path in files(place):
        unseal(path)


def files(root: Path) -> list[Path]:
    """All files of a store."""
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def bare(root: Path) -> list[str]:
    """Those that lack the flag."""
    return [str(path.relative_to(root)) for path in files(root) if not is_sealed(path)]


def test_files_are_immutable_where_they_can_be_until_collected(
    root: Path, clock: ManualClock
) -> None:
    store = DirectoryStore(root, clock)
    receipt = store.put("a", b"data", clock.now() + DAY)
    assert len(files(root)) == 3
    assert not bare(root)
    for file in files(root):
        with pytest.raises(PermissionError):
            file.unlink()
    clock.advance(2 * DAY)
    store.delete("a", version=receipt.version)
    assert [path.name for path in files(root)] == ["vault-store"]


def test_what_is_put_again_or_extended_is_immutable_again(root: Path, clock: ManualClock) -> None:
    store = DirectoryStore(root, clock)
    until = clock.now() + DAY
    receipt = store.put("a", b"data", until)
    for again in (
        lambda: store.put("a", b"data", until),
        lambda: store.extend("a", until, version=receipt.version),
        lambda: store.extend("a", until + DAY, version=receipt.version),
    ):
        for path in files(root / "objects") + files(root / "locks"):
            unseal(path)
        again()
        assert not bare(root)


@pytest.mark.parametrize("missing", ["object", "lock"])
def test_what_a_crash_kept_off_the_next_process_that_stores_gives_back(
    root: Path, clock: ManualClock, missing: str
) -> None:
    DirectoryStore(root, clock).put("a", b"data", clock.now() + DAY)
    (path,) = files(root / ("objects" if missing == "object" else "locks"))
    unseal(path)
    (root / "incoming" / "sealing-0123").touch()
    DirectoryStore(root, clock).get("a")
    assert sorted(bare(root)) == sorted([str(path.relative_to(root)), "incoming/sealing-0123"])
    DirectoryStore(root, clock).put("b", b"other", clock.now() + DAY)
    assert not bare(root)
    assert not os.listdir(root / "incoming")


def test_an_undisturbed_process_leaves_no_word(root: Path, clock: ManualClock) -> None:
    store = DirectoryStore(root, clock)
    os.rmdir(root / "incoming")  # emptied by hand, and more than that
    receipt = store.put("a", b"data", clock.now() + DAY)
    store.extend("a", clock.now() + 2 * DAY, version=receipt.version)
    with pytest.raises(StoreError):
        store.put("a/b", b"below an object", clock.now() + DAY)
    assert not os.listdir(root / "incoming")


def test_who_may_not_set_it_leaves_the_word_to_who_may(
    root: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    DirectoryStore(root, clock).put("a", b"data", clock.now() + DAY)
    unseal(root / "objects" / "a")
    (root / "incoming" / "sealing-0123").touch()
    with monkeypatch.context() as patch:
        patch.setattr("vault.store.durable.seal", lambda _handle: False)
        DirectoryStore(root, clock).put("b", b"other", clock.now() + DAY)
    assert os.listdir(root / "incoming") == ["sealing-0123"]


def test_the_lock_of_what_lacks_the_flag_is_not_firm(root: Path, clock: ManualClock) -> None:
    store = DirectoryStore(root, clock)
    store.put("a", b"data", clock.now() + DAY)
    assert store.retention("a").firm
    unseal(root / "objects" / "a")
    told = store.retention("a")
    assert not told.firm
    assert told.until is not None
    assert DirectoryStore(root, clock, immutable=False).retention("a").firm
    unseal(root / "vault-store")
    assert store.retention("a").firm  # nobody could set it when this store was made


def test_the_marker_gets_the_flag_back_by_establishing(root: Path, clock: ManualClock) -> None:
    unseal(root / "vault-store")
    establish_store(f"file://{root}?immutable=no", clock=clock)
    assert bare(root) == ["vault-store"]
    establish_store(f"file://{root}", clock=clock)
    assert not bare(root)
