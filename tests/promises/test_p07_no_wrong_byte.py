"""P7: damaged, cut, swapped, replayed and forged objects never become a wrong byte.

A vault is made once, in a directory. Its objects are then laid down anew with one damage, as the
only version of what they are, in a directory and in a bucket, and everything is restored from
there. What no damaged byte is needed for comes back as it was, all else is named, and whoever
verifies is told of the damaged object.

The damage is drawn: VAULT_TEST_SEED repeats a run, and every failure names its seed.
"""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.damage.homes import SEED, stamp_with
from tests.damage.judging import Folder, Origin, Place, check, run
from tests.damage.kinds import KINDS
from tests.damage.matrix import Objects, damages, of_kinds, one_of_each, some
from tests.damage.reach import survey
from tests.rgw import fresh_bucket
from vault import limits
from vault.clock import SystemClock
from vault.codec.keyring import new_identity
from vault.library import Vault
from vault.operations import auditing
from vault.operations.enroll import Enrolment
from vault.store.address import parse_address
from vault.store.s3_bucket import Bucket
from vault.testing.rgw import Server
from vault.testing.trees import Tree, read_tree


class Cloud:
    """A bucket, written by its owner, without locks."""

    profile: str | None = "reader"

    def __init__(self, server: Server, objects: Objects) -> None:
        bucket = fresh_bucket(server)
        self.url, self._name = bucket.url, bucket.name
        self._client: Any = Bucket(parse_address(bucket.url), "provisioner", SystemClock()).client
        self._versions: dict[str, str] = {}
        for key, data in sorted(objects.items()):
            self.put(key, data)

    def put(self, key: str, data: bytes | None) -> None:
        """See Place."""
        where = {"Bucket": self._name, "Key": f"main/{key}"}
        if key in self._versions:
            self._client.delete_object(**where, VersionId=self._versions.pop(key))
        if data is not None:
            self._versions[key] = self._client.put_object(**where, Body=data)["VersionId"]


@pytest.fixture(autouse=True)
def _no_event_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """For its entry: what was stored here a moment ago is judged like anything else."""
    monkeypatch.setattr(auditing, "_SETTLING", timedelta(0))


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """A small volume with two snapshots, in a directory; a page of a manifest has few entries."""
    root = tmp_path_factory.mktemp("origin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PAGE_ENTRIES", 5)
        trees = _recorded(root)
    objects, home = root / "store" / "objects", root / "home"
    stored = {
        str(p.relative_to(objects)): p.read_bytes() for p in objects.rglob("*") if p.is_file()
    }
    by_kind = of_kinds(stored)
    assert tuple(by_kind) == KINDS
    assert all(len(keys) >= 2 for keys in by_kind.values())
    kit, name = home / "recovery.kit", (home / "vault.id").read_text().strip()
    return Origin(stored, trees, survey(f"file://{root}/store", kit), kit, name)


def _recorded(root: Path) -> dict[str, Tree]:
    """Two of everything that a vault stores; what each snapshot holds."""
    source, home, trees = root / "srv" / "db", root / "home", dict[str, Tree]()
    (source / "folder").mkdir(parents=True)
    (source / "nested" / "inner").mkdir(parents=True)
    for number in range(8):
        (source / "nested" / f"{number}").write_text(f"{number}")
        (source / "nested" / "inner" / f"{number}").write_text(f"inner {number}")
    for number in range(12):
        (source / f"small-{number:02}").write_bytes(secrets.token_bytes(100 * number))
    (source / "large").write_bytes(secrets.token_bytes(3_000_000))
    (source / "text").write_bytes(b"compressible, line by line\n" * 40_000)
    (source / "link").symlink_to("large")
    os.link(source / "small-05", source / "folder" / "linked")
    os.truncate(source / "small-03", 1 << 20)
    Vault.init(home, store=f"file://{root}/store?immutable=no")
    with Vault.open(home) as vault:
        vault.add_volume(Enrolment(name="db", path=str(source)))
        trees[vault.snapshot("db").id] = read_tree(source)
        stamp_with(vault, b"the first reply")
        vault.key_add(new_identity()[1], kit=home / "recovery.kit")
        vault.pause("db")
        vault.pause("db", resume=True)
        (source / "text").write_bytes(b"other lines, of the same length...\n" * 31_000)
        (source / "small-07").unlink()
        trees[vault.snapshot("db").id] = read_tree(source)
        stamp_with(vault, b"the second reply")
    return trees


def insist(origin: Origin, place: Place, most: int | None, folder: Path) -> None:
    """Try so many kinds of damage on kinds of objects, or all that there is."""
    cases = list(damages(origin.objects, origin.vault, SEED))
    if most:
        cases = some(one_of_each(cases, SEED), SEED, most)
    wrong = run(origin, place, cases, lambda damage: check(origin, place, damage, folder))
    assert not wrong, "\n".join([f"VAULT_TEST_SEED={SEED}", *wrong])


@pytest.mark.parametrize("most", [60, pytest.param(None, marks=pytest.mark.long)])
def test_in_a_directory(origin: Origin, tmp_path: Path, most: int | None) -> None:
    insist(origin, Folder(tmp_path / "store", origin.objects), most, tmp_path / "back")


@pytest.mark.rgw
@pytest.mark.parametrize("most", [16, pytest.param(None, marks=pytest.mark.long)])
def test_in_a_bucket(origin: Origin, rgw: Server, tmp_path: Path, most: int | None) -> None:
    insist(origin, Cloud(rgw, origin.objects), most, tmp_path / "back")
