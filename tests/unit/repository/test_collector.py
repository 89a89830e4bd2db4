"""What may be collected: lapsed and unneeded, or lapsed and laid over; nothing else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.repository.founding import LOCK, VAULT, event, lay_over
from tests.unit.repository.scene import Scene
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.repository.audit_log import put_segment, seal_segment
from vault.repository.collector import CollectionPlan, plan_collection
from vault.repository.journal import append_event
from vault.repository.snapshot import SnapshotRecord, list_snapshots

TREE = {b"a": b"alpha" * 1000}
OTHER = {b"b": b"beta" * 1000}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A fresh vault."""
    return Scene(tmp_path)


def plan(scene: Scene, *wanted: SnapshotRecord) -> CollectionPlan:
    """Plan with everything that is stored."""
    records = list(list_snapshots(scene.store, scene.site.charter, scene.site.tampering))
    return plan_collection(
        scene.store,
        scene.site.charter,
        records,
        wanted=frozenset(record.header.id for record in wanted),
        now=scene.site.clock.now(),
    )


def carry_out(scene: Scene, plan: CollectionPlan) -> None:
    """Delete as the collector does."""
    for version in plan.versions:
        scene.site.store.delete(version.key, version=version.version)


def kinds(plan: CollectionPlan) -> Collection[str]:
    """The first parts of the keys that would go."""
    return {version.key.partition("/")[0] for version in plan.versions}


def test_nothing_goes_while_it_is_locked(scene: Scene) -> None:
    """Wanted or not."""
    scene.record(TREE)
    scene.site.pass_time(days=39)
    assert plan(scene).versions == ()


def test_everything_of_an_unwanted_snapshot_goes_once_lapsed(scene: Scene) -> None:
    """The snapshot first; charter, events and audit log stay."""
    scene.record(TREE)
    signer = scene.site.keys.signing
    append_event(scene.store, signer, event(), LOCK)
    body = write_segment(VAULT, Frontier(), [b"{}"], signer)
    put_segment(scene.store, signer.key_id, 0, seal_segment(VAULT, body, signer), LOCK)
    scene.site.pass_time(days=60)
    made = plan(scene)
    assert kinds(made) == {"snapshots", "packs", "keys", "index"}
    assert made.versions[0].key.startswith("snapshots/")
    assert made.kept == 3
    carry_out(scene, made)
    assert [key.partition("/")[0] for key in scene.keys("")] == ["audit", "charter", "events"]


def test_what_a_wanted_snapshot_needs_stays(scene: Scene) -> None:
    """Its packs and keys from earlier sessions, too; it can be restored afterwards."""
    first = scene.record({**TREE, **OTHER})
    scene.site.pass_time(hours=1)
    second = scene.record(TREE, first)
    scene.site.pass_time(days=60)
    made = plan(scene, second)
    assert any(first.header.id in version.key for version in made.versions)
    carry_out(scene, made)
    assert scene.read(second) == TREE
    assert plan(scene, second).versions == ()


def test_a_locked_snapshot_keeps_what_it_needs(scene: Scene) -> None:
    """What is listed can be restored, also where a pack's lock had lapsed before its own."""
    first = scene.record(TREE)
    scene.store.extend(first.key, LOCK + timedelta(days=50), version=first.version)
    scene.site.pass_time(days=60)
    made = plan(scene)
    assert made.versions == ()
    assert scene.read(first) == TREE


def test_what_was_laid_over_goes_and_the_object_stays(scene: Scene) -> None:
    """Markers at once, foreign versions once their locks have lapsed, events' and charters' too."""
    record = scene.record(TREE)
    append_event(scene.store, scene.site.keys.signing, event(), LOCK)
    held = {key: scene.site.store.get(key) for key in scene.keys("")}
    for key in held:
        lay_over(scene.site.store, key)
        scene.site.store.lay_version(key, b"locked", scene.site.clock.now() + timedelta(days=90))
    scene.site.pass_time(days=60)
    carry_out(scene, plan(scene, record))
    for key, data in held.items():
        left = [v for v in scene.store.list(key) if v.key == key]
        assert [scene.store.get(key, version=v.version) for v in left] == [b"locked", data]
    scene.site.pass_time(days=60)
    carry_out(scene, plan(scene, record))
    assert {key: scene.site.store.get(key) for key in scene.keys("")} == held


def test_forged_objects_go_once_lapsed(scene: Scene) -> None:
    """A snapshot by nobody, a pack that nobody refers to."""
    record = scene.record(TREE)
    kept = scene.keys("")
    scene.site.store.lay_version(f"snapshots/{record.header.volume}/x-{'0' * 64}", b"forged")
    scene.site.store.lay_version(f"packs/00/{'0' * 64}", b"forged")
    carry_out(scene, plan(scene, record))
    assert scene.keys("") == kept


def test_damaged_and_foreign_objects_are_left_alone(scene: Scene) -> None:
    """Where no version verifies there is no telling which one to keep."""
    record = scene.record(TREE)
    key = scene.keys("packs/")[0]
    scene.site.store.rot(key, b"rotten")
    scene.site.store.lay_version(key, b"also rotten")
    scene.site.store.lay_version("packs/readme", b"whose is this")
    scene.site.pass_time(days=60)
    made = plan(scene, record)
    assert made.versions == ()
    assert any(reason.startswith("2 objects are damaged") for reason in made.reasons)


def test_the_digest_names_the_plan(scene: Scene) -> None:
    """The same deletions have the same digest, others another."""
    scene.record(TREE)
    scene.site.pass_time(days=60)
    empty = plan(scene, *list_snapshots(scene.store, scene.site.charter, []))
    assert plan(scene).digest == plan(scene).digest
    assert plan(scene).digest != empty.digest
