"""Checking without the kit: each thing that is missing, damaged or short is found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.repository.founding import LOCK, ROOT, STRANGER, charter, lay_over
from tests.unit.repository.scene import Scene
from vault.codec.keyring import WriterKeys
from vault.progress import Silent
from vault.repository.charter import store_charter
from vault.repository.checker import CheckReport, CheckTerms, check
from vault.repository.sessions import new_session_keys, store_session
from vault.repository.snapshot import SnapshotRecord
from vault.store.contract import Lock, LockMode

TREE = {b"a": b"alpha", b"b": b"beta" * 1000}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A fresh vault."""
    return Scene(tmp_path)


def look(scene: Scene, *records: SnapshotRecord, deep: bool = False) -> CheckReport:
    """Check."""
    terms = CheckTerms(deep, scene.site.tampering, Silent())
    return check(scene.store, scene.site.charter, records, terms=terms)


def found(report: CheckReport) -> set[tuple[str, str]]:
    """Findings as (word, the first part of the key)."""
    return {(finding.what, finding.key.partition("/")[0]) for finding in report.findings}


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_snapshot_has_no_findings(scene: Scene, deep: bool) -> None:
    """Everything is counted, and the least lock is told."""
    record = scene.record(TREE)
    report = look(scene, record, deep=deep)
    assert report.findings == ()
    assert report.packs == len(record.header.packs)
    assert report.objects == report.packs + 3  # charter, session keys, snapshot
    assert report.locked_until == LOCK


def test_nothing_to_check_is_no_finding(scene: Scene) -> None:
    """An empty vault."""
    assert look(scene).findings == ()


@pytest.mark.parametrize("prefix", ["packs/", "keys/", "snapshots/"])
def test_what_is_gone_is_missing(scene: Scene, prefix: str) -> None:
    """And nothing is told to be locked then."""
    record = scene.record(TREE)
    scene.site.store.lose(scene.keys(prefix)[0])
    report = look(scene, record)
    assert found(report) == {("missing", prefix[:-1])}
    assert report.locked_until < scene.site.clock.now()


@pytest.mark.parametrize("prefix", ["packs/", "keys/", "snapshots/", "charter/"])
def test_a_flipped_bit_is_found_by_reading_deep(scene: Scene, prefix: str) -> None:
    """Records are always read."""
    record = scene.record(TREE)
    key = scene.keys(prefix)[0]
    data = bytearray(scene.site.store.get(key))
    data[len(data) // 2] ^= 1
    scene.site.store.rot(key, bytes(data))
    assert found(look(scene, record, deep=True)) == {("damaged", prefix[:-1])}


def test_an_empty_pack_is_found_without_reading(scene: Scene) -> None:
    """Its listing says enough."""
    record = scene.record(TREE)
    scene.site.store.rot(scene.keys("packs/")[0], b"")
    assert found(look(scene, record)) == {("damaged", "packs")}


def test_what_lies_over_objects_is_tampering_and_no_finding(scene: Scene) -> None:
    """The authentic versions are there, and it is their locks that count."""
    record = scene.record(TREE)
    for key in scene.keys(""):
        lay_over(scene.site.store, key)
    for deep in (False, True):
        report = look(scene, record, deep=deep)
        assert report.findings == ()
        assert report.locked_until == LOCK
    assert scene.site.words() == {"marker", "overwritten"}


def test_a_short_lock_is_found(scene: Scene) -> None:
    """What a later snapshot refers to must be locked as long as that one."""
    first = scene.record(TREE)
    scene.site.pass_time(hours=1)
    second = scene.record({**TREE, b"c": b"c"}, first, days=90)
    assert look(scene, first, second).findings == ()
    report = look(scene, first)
    assert report.locked_until == LOCK  # of the first snapshot's own object
    store_charter(scene.store, charter(2, "0" * 64), ROOT, LOCK)
    assert found(look(scene, second)) == {("unlocked", "charter")}


def test_session_keys_by_a_stranger_do_not_count(scene: Scene) -> None:
    """They are there, and open nothing that the charter trusts."""
    record = scene.record(TREE)
    (key,) = scene.keys("keys/")
    scene.site.store.lose(key)
    foreign = WriterKeys(scene.site.charter.vault, "x", STRANGER, b"k" * 32, b"i" * 32)
    keys = new_session_keys(record.header.session, foreign)
    recipients = scene.site.charter.recipients
    store_session(scene.store, foreign, keys, recipients=recipients, retain_until=LOCK)
    assert found(look(scene, record)) == {("missing", "keys")}


def test_twins_count_by_the_longest_lock(scene: Scene) -> None:
    """A put that was tried twice: either may be the one that is extended later."""
    record = scene.record(TREE)
    scene.site.pass_time(days=1)
    for key in scene.keys("packs/"):
        scene.store.put(key, scene.store.get(key), LOCK + timedelta(days=9))
    report = look(scene, record)
    assert report.findings == ()
    assert report.locked_until == LOCK


def test_any_executor_will_do(scene: Scene) -> None:
    """It is the caller's, and stays open."""
    record = scene.record(TREE)
    with ThreadPoolExecutor(1) as threads:
        terms = CheckTerms(True, [], Silent(), threads)
        assert check(scene.store, scene.site.charter, [record], terms=terms).findings == ()
        assert threads.submit(int).result() == 0


def test_a_lock_that_a_right_could_bypass_is_none(scene: Scene) -> None:
    """A bad server has let somebody make it weaker."""

    class Weakened:
        """A store that tells of every lock as GOVERNANCE."""

        def __getattr__(self, name: str) -> Any:
            return getattr(scene.store, name)

        def retention(self, key: str, *, version: str | None = None) -> Lock:
            return Lock(LockMode.GOVERNANCE, scene.store.retention(key, version=version).until)

    record = scene.record(TREE)
    terms = CheckTerms(deep=False, tampering=[], progress=Silent())
    report = check(Weakened(), scene.site.charter, [record], terms=terms)
    assert {finding.what for finding in report.findings} == {"unlocked"}
    assert report.locked_until < scene.site.clock.now()
