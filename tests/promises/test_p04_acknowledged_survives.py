"""P4: what was acknowledged survives kill -9 at any step, and a full disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.crash.steps import arm
from tests.promises.crashes import OPERATIONS, Crashes, fill, of_embedded
from tests.promises.embedded import embed
from vault.errors import AlreadyInitialised, DiskFull, StoreFull
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest
from vault.testing.crash import CrashPoint, killed_at
from vault.testing.trees import read_tree

can_mount = os.geteuid() == 0
MIB = 1 << 20


@pytest.fixture
def crashes(tmp_path: Path, many_deletes: None) -> Crashes:
    """An embedded vault with a small volume, where so many deletes are no accident."""
    del many_deletes
    return of_embedded(embed(tmp_path, tree=False))


@OPERATIONS
def test_killed_at_every_eighth_step(crashes: Crashes, operation: Callable[..., int]) -> None:
    assert operation(crashes, iter(range(1, 1000, 8))) > 3


@pytest.mark.long
@OPERATIONS
def test_killed_at_every_step(crashes: Crashes, operation: Callable[..., int]) -> None:
    assert operation(crashes, iter(range(1000))) > 20


def test_a_set_up_that_was_killed_is_repeated(tmp_path: Path) -> None:
    """At every step: the second attempt makes the vault, or says that it is made; its kit opens."""
    for number in range(1000):
        root = tmp_path / str(number)
        home, url = root / "home", f"file://{root}/store?immutable=no"

        def found(point: CrashPoint, home: Path = home, url: str = url) -> str:
            arm(point)
            return Vault.init(home, store=url).vault

        died, told = killed_at(number, found)
        assert not told.startswith("error:"), told
        try:
            made = Vault.init(home, store=url).vault
        except AlreadyInitialised:
            made = (home / "vault.id").read_text("ascii").strip()
        assert told in ("", made)
        with Vault.open(home) as vault:
            assert vault.key_check(None).opens
        if not died:
            break
    assert number > 30
    (root / "db").mkdir()
    (root / "db" / "file").write_bytes(b"of the vault that took so long")
    with Vault.open(home) as vault:
        vault.add_volume(Enrolment(name="db", path=str(root / "db")))
        assert b"".join(vault.cat(vault.snapshot("db").id, "file")).startswith(b"of the vault")


# --- a full disk ---------------------------------------------------------------------------------


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Callable[[int], None]]:
    """A disk that holds no more; yields what makes it larger."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)], check=True
    )

    def grow(to: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={to}m", str(place)], check=True)

    try:
        yield grow
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.skipif(not can_mount, reason="mounting needs root")
def test_a_full_store_takes_no_snapshot_and_loses_none(tmp_path: Path) -> None:
    with small_disk(tmp_path / "store", 8) as grow:
        site = embed(tmp_path, tree=False)
        fill(site.source)
        with site.vault() as vault:
            first, kept = vault.snapshot("db"), read_tree(site.source)
            (site.source / "large").write_bytes(os.urandom(20 * MIB))
            with pytest.raises(StoreFull) as refusal:
                vault.snapshot("db")
            assert refusal.value.hint
            assert [item.id for item in vault.snapshots("db")] == [first.id]
            assert vault.verify(deep=True).findings == ()
        site.restore(first.id, tmp_path / "back")
        assert read_tree(tmp_path / "back") == kept
        grow(64)
        with site.vault() as vault:
            second = vault.snapshot("db")
        site.restore(second.id, tmp_path / "again")
        assert read_tree(tmp_path / "again") == read_tree(site.source)


@pytest.mark.skipif(not can_mount, reason="mounting needs root")
def test_a_full_store_refuses_a_delete_and_nothing_has_moved(tmp_path: Path) -> None:
    with small_disk(tmp_path / "store", 8):
        site = embed(tmp_path, tree=False)
        fill(site.source)
        kept = read_tree(site.source)
        with site.vault() as vault:
            vault.volumes()
            vault.snapshot("db")
            filler = tmp_path / "store" / "incoming" / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            with pytest.raises(StoreFull):
                vault.delete("db", reason="test")
            assert read_tree(site.source) == kept
            filler.unlink()
            vault.resume()
            assert vault.volume("db").state == "active"
            tombstone = vault.delete("db", reason="test")
            vault.undelete([tombstone.id])
        assert read_tree(site.source) == kept


@pytest.mark.skipif(not can_mount, reason="mounting needs root")
def test_a_full_disk_on_the_way_out_is_said_and_the_snapshot_stays(tmp_path: Path) -> None:
    site = embed(tmp_path, tree=False)
    fill(site.source)
    (site.source / "large").write_bytes(os.urandom(12 * MIB))
    with site.vault() as vault, small_disk(tmp_path / "target", 4) as grow:
        item = vault.snapshot("db")
        request = RestoreRequest(what=item.id, to=tmp_path / "target" / "db")
        with pytest.raises(DiskFull) as refusal:
            vault.restore(request)
        assert refusal.value.safe
        assert vault.verify(deep=True).findings == ()
        grow(64)
        vault.restore(RestoreRequest(what=item.id, to=tmp_path / "target" / "again"))
        assert read_tree(tmp_path / "target" / "again") == read_tree(site.source)
