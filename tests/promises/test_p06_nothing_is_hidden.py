"""P6: what is laid over stored objects hides nothing, and is reported.

The attacker has the credential of the bucket's owner, who may put anything over anything.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from msgspec.structs import replace

from tests.damage.homes import stamp_with
from tests.damage.kinds import KINDS
from tests.damage.matrix import of_kinds
from tests.promises.clocks import wait_for_the_hour
from tests.promises.forgeries import laid_over, newcomers
from tests.promises.rescuing import rescue, unlike
from tests.promises.scenes import Scene, answer, make_scene
from tests.rgw import RgwBucket
from vault.library import Vault
from vault.lifecycle.due import Task
from vault.operations.enroll import Enrolment
from vault.operations.extend import extend
from vault.operations.items import RestoreRequest
from vault.repository.snapshot import list_snapshots
from vault.store.names import pack_key
from vault.testing.trees import Tree, read_tree

pytestmark = pytest.mark.rgw
_LISTING = "ListObjectVersions"
_PASSES = 12  # over one listing, by one verb, however many versions there are
_READS = 20  # of the oldest versions, of which a listing remembers 16
_LISTINGS = (("volume", "list"), ("snapshots",), ("tombstones",))


@dataclass
class Attacked:
    """A vault whose every object lies under markers and other versions."""

    scene: Scene
    authentic: dict[str, str]  # key → the version that vault wrote
    trees: dict[str, Tree]  # snapshot → what it holds
    listed: list[Any]
    beside: dict[str, bool] = field(default_factory=dict)  # made-up keys: with bytes of ours?

    def locks(self) -> dict[tuple[str, str], datetime]:
        """The lock of every version in the bucket that has one."""
        reader, found = self.scene.client("reader"), {}
        for version in self.scene.versions():
            if not version["Marker"]:
                where = {"Bucket": self.scene.bucket.name, "Key": version["Key"]}
                head = reader.head_object(**where, VersionId=version["VersionId"])
                if "ObjectLockRetainUntilDate" in head:
                    key = version["Key"].removeprefix("main/")
                    found[key, version["VersionId"]] = head["ObjectLockRetainUntilDate"]
        return found


@pytest.fixture
def attacked(rgw_bucket: RgwBucket, tmp_path: Path) -> Attacked:
    """Two snapshots of `db` and a deleted, finally captured volume `gone`; then the attack."""
    scene = make_scene(rgw_bucket, tmp_path)
    gone = tmp_path / "other" / "gone"
    gone.mkdir(parents=True)
    (gone / "file").write_bytes(b"of the second volume")
    trees = {}
    wait_for_the_hour()
    with scene.vault() as vault:
        vault.add_volume(Enrolment(name="gone", path=str(gone)))
        trees[vault.snapshot("db").id] = read_tree(scene.source)
        (scene.source / "added").write_bytes(secrets.token_bytes(300_000))
        trees[vault.snapshot("db").id] = read_tree(scene.source)
        stamp_with(vault, b"what a service answered")
        before = read_tree(gone)
        vault.delete("gone", reason="to be listed as a tombstone")
        for duty in vault.due():
            if duty.task is Task.FINALIZE:
                vault.perform(duty)
    (final,) = (i["id"] for i in answer(scene.run("snapshots", "gone", "--json")))
    trees[final] = before
    listed = _listed(scene)
    assert [len(items) for items in listed] == [2, 3, 1]
    found = {v["Key"].removeprefix("main/"): v["VersionId"] for v in scene.versions()}
    assert of_kinds(found).keys() == {*KINDS}
    attack = Attacked(scene, found, trees, listed)
    attack.beside.update(_lay(scene, found))
    return attack


def _lay(scene: Scene, authentic: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """Lay everything over everything, half of it with a marker on top; gives the new keys."""
    owner, where = scene.client("provisioner"), {"Bucket": scene.bucket.name}
    reader, vault = scene.client("reader"), (scene.home() / "vault.id").read_text().strip()
    stored = {k: reader.get_object(**where, Key=f"main/{k}")["Body"].read() for k in authentic}

    def over(item: tuple[int, str]) -> None:
        number, key = item
        place = {**where, "Key": f"main/{key}"}
        owner.delete_object(**place)
        versions = [data for _, data in laid_over(vault, stored[key])]
        turn = number % len(versions)  # each kind of forgery is the newest of some object
        for data in (*versions[turn:], *versions[:turn]):
            owner.put_object(**place, Body=data)
        if number % 2:
            owner.delete_object(**place)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(over, enumerate(sorted(stored))))
    for key, data in newcomers(vault, stored):
        owner.put_object(**where, Key=f"main/{key}", Body=data)
        yield key, data in stored.values()


def test_lists_restores_and_reports_as_before(attacked: Attacked, tmp_path: Path) -> None:
    scene = attacked.scene
    for number, (snapshot, tree) in enumerate(attacked.trees.items()):
        scene.restore(tmp_path / f"back-{number}", snapshot)
        assert read_tree(tmp_path / f"back-{number}") == tree
    with Vault.from_store(scene.url, scene.kit, profile="reader") as vault:
        assert {item.id for item in vault.snapshots()} == set(attacked.trees)
        report = vault.restore(RestoreRequest(what="db", to=tmp_path / "away", kit=scene.kit))
        assert not report.findings
        assert read_tree(tmp_path / "away") == list(attacked.trees.values())[1]

    rescue(scene, tmp_path, "--volume", "db", "--to", str(tmp_path / "rescued"))
    assert unlike(scene.source, tmp_path / "rescued") == []

    for words in ((), ("--deep",)):
        done = scene.run("verify", *words, "--json")
        assert done.returncode == 3, done.stderr
        (told,) = answer(done)
        assert told["snapshots"] == 3
        found = {finding["path"] for finding in told["findings"]}
        what = {finding["what"] for finding in told["findings"]}
        assert not what & {"missing", "damaged", "unlocked", "gap", "fork"}
        assert attacked.authentic.keys() - found == set()
        assert _to_be_noticed(attacked, deep=bool(words)) - found == set()
    done = scene.run("audit", "verify", "--json")
    assert done.returncode == 3, done.stderr
    found = {finding["path"] for finding in answer(done)[0]["findings"]}
    laid = {*attacked.authentic, *attacked.beside}
    assert {key for key in laid if key.startswith(("audit/", "stamps/"))} <= found


def _to_be_noticed(attacked: Attacked, *, deep: bool) -> set[str]:
    """What stands beside the objects and is believed by nobody.

    Keys and indexes that no snapshot needs, and the audit log, are read by --deep alone; packs
    cannot be judged without their keys; true records under another name are not looked at there.
    """
    found = set()
    for key, ours in attacked.beside.items():
        kind = key.partition("/")[0]
        if kind in ("charter", "snapshots", "events"):
            found.add(key)
        if kind in ("keys", "index", "audit", "stamps") and deep and not ours:
            found.add(key)
    return found


def test_a_new_host_finds_everything_and_goes_on(attacked: Attacked, tmp_path: Path) -> None:
    scene = attacked.scene
    (scene.home()).rename(tmp_path / "former")
    place = ("--store", scene.url, "--kit", str(scene.kit), "--profile", "writer")
    done = scene.run("rebuild", *place, "--json")
    assert done.returncode == 3, done.stderr  # what was laid there is reported
    assert _listed(scene) == attacked.listed
    assert {f["path"] for f in answer(done)[0]["findings"]} >= {
        key for key in attacked.authentic if key.startswith(("charter/", "events/", "snapshots/"))
    }
    _extends_the_authentic(attacked)
    assert scene.run("volume", "acknowledge", "db").returncode == 0  # it is looked after here now
    scene.snapshot()
    scene.restore(tmp_path / "back")
    assert read_tree(tmp_path / "back") == list(attacked.trees.values())[1]


def test_the_host_that_wrote_extends_the_authentic(attacked: Attacked, tmp_path: Path) -> None:
    _extends_the_authentic(attacked)
    attacked.scene.snapshot()
    done = attacked.scene.run("undelete", "--all", "--since", "1h")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "other" / "gone" / "file").read_bytes() == b"of the second volume"


def _extends_the_authentic(attacked: Attacked) -> None:
    """What wanted snapshots need moves, by the version that vault wrote; no forgery gets a lock."""
    before = attacked.locks()
    with attacked.scene.vault() as vault:
        unit = vault._writing
        # On some days a new lock, cut to whole epochs, is longer than the usual terms ask for.
        longer = replace(unit.charter, final_lock_seconds=90 * 86400)
        report = extend(replace(unit, charter=longer))
        records = {r.header.id: r for r in list_snapshots(unit.reader, unit.charter, [])}
    assert report.short == ()
    needed = set()
    for snapshot in list(attacked.trees)[1:]:  # the first gives way to the second, of the same hour
        record = records[snapshot]
        needed |= {record.key, *map(pack_key, record.header.packs)}
        needed |= {k for k in attacked.authentic for s in record.header.sessions if s in k[5:]}
    needed = {key for key in needed if not key.startswith("index/")}
    assert report.extended == 2
    after = attacked.locks()
    moved = {at for at, until in after.items() if until != before.get(at)}
    assert {(key, attacked.authentic[key]) for key in needed} <= moved
    assert moved <= set(attacked.authentic.items())
    assert all(after[at] > before[at] for at in moved)


@pytest.mark.parametrize(
    ("versions", "markers"),
    [
        (550, 550),  # more than a page
        pytest.param(10_000, 10_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
        pytest.param(100_000, 1, marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
)
def test_many_versions_and_markers_over_one_key(
    rgw_bucket: RgwBucket, tmp_path: Path, versions: int, markers: int
) -> None:
    """They cost a few passes over the pages of their listing, and no more reads than one would."""
    scene = make_scene(rgw_bucket, tmp_path)
    scene.snapshot()
    tree = read_tree(scene.source)
    key = next(v["Key"] for v in scene.versions() if "/snapshots/" in v["Key"])
    found: list[tuple[str, str]] = []
    plain = _calls(lambda: scene.restore(tmp_path / "before")), _calls(lambda: _verify(scene))
    _bury(scene, key, versions, markers)
    pages = _calls(lambda: deque(scene.versions(), maxlen=0))[_LISTING]

    buried = (
        _calls(lambda: scene.restore(tmp_path / "back")),
        _calls(lambda: found.extend(_verify(scene))),
    )
    assert read_tree(tmp_path / "back") == tree
    name = key.removeprefix("main/")
    assert set(found) == {("marker", name), ("overwritten", name)}
    print(f"{pages} pages: {plain} before, {buried} after")
    for before, after in zip(plain, buried, strict=True):
        assert after.pop(_LISTING) <= before.pop(_LISTING) + _PASSES * pages
        assert after.total() <= before.total() + _READS


def _bury(scene: Scene, key: str, versions: int, markers: int) -> None:
    """Lay versions over a key, with markers between them and on top.

    One after the other where markers are many: the server makes no marker over a marker.
    """
    owner, where = scene.client("provisioner"), {"Bucket": scene.bucket.name, "Key": key}
    began = time.monotonic()

    def lay(number: int) -> None:
        owner.put_object(**where, Body=secrets.token_bytes(64))
        if number < markers:
            owner.delete_object(**where)

    with ThreadPoolExecutor(16 if markers == 1 else 1) as threads:
        deque(threads.map(lay, range(1, versions)), maxlen=0)
    lay(0)
    seconds = time.monotonic() - began
    laid = Counter(version["Marker"] for version in scene.versions() if version["Key"] == key)
    print(f"{laid[False]} versions, {laid[True]} markers in {seconds:.0f} s")
    assert laid == {False: versions + 1, True: markers}


def _verify(scene: Scene) -> list[tuple[str, str]]:
    with scene.vault() as vault:
        return [(finding.what, finding.path) for finding in vault.verify().findings]


def _calls(work: Callable[[], object]) -> Counter[str]:
    """How often which call is made to the server."""
    made: list[str] = []
    client: Any = BaseClient
    call = client._make_api_call

    def counted(self: Any, name: str, terms: Any) -> Any:
        made.append(name)
        return call(self, name, terms)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", counted)
        work()
    return Counter(made)


def _listed(scene: Scene) -> list[Any]:
    found = []
    for name in _LISTINGS:
        done = scene.run(*name, "--json")
        assert done.returncode == 0, done.stderr
        items = [{k: v for k, v in i.items() if k != "next_snapshot_at"} for i in answer(done)]
        found.append(sorted(items, key=lambda item: str(item["id"])))
    return found
