"""Recording snapshots: what is acknowledged is there, and nothing else looks as if it were."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.repository.founding import IDENTITY, LOCK, VOLUME
from tests.unit.repository.scene import Scene, blocks, entry
from vault import limits
from vault.errors import LockRefused, RepositoryError, SourceError, StoreUnreachable
from vault.lifecycle.retention import Keep
from vault.progress import Silent
from vault.provider import Finding, Kind
from vault.repository.baseline import baseline_path
from vault.repository.checker import CheckTerms, check
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord, list_snapshots, read_body
from vault.store.contract import Receipt
from vault.store.memory import MemoryStore

MIB = limits.MIB


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not shrink."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A fresh vault."""
    return Scene(tmp_path)


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs are closed at 2 MiB, so that a little data makes several."""
    monkeypatch.setattr(limits, "PACK_TARGET", 2 * MIB)


TREE = {
    b"a": b"alpha",
    b"a!": b"",
    b"d/x": b"x" * 100_000,
    b"d/\xff": b"not utf-8",
    b"e": b"alpha",
}


class Watched(MemoryStore):
    """A memory store that tells of each put first, and may refuse or falsify."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.site.clock)
        self.__dict__.update(scene.site.store.__dict__)
        self.puts: list[str] = []
        self.before: Callable[[str], None] = lambda key: None
        self.after: Callable[[str], None] = lambda key: None
        scene.store = self

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """Put, unless `before` raises."""
        self.before(key)
        receipt = super().put(key, data, retain_until)
        self.puts.append(key)
        self.after(key)
        return receipt


def snapshots(scene: Scene) -> list[SnapshotRecord]:
    """What is committed."""
    return list(list_snapshots(scene.store, scene.site.charter, scene.site.tampering))


def test_what_is_recorded_is_read_back(scene: Scene) -> None:
    """Names of any bytes, empty files, equal files."""
    record = scene.record(TREE)
    assert scene.read(record) == TREE
    assert snapshots(scene) == [record]
    assert scene.site.tampering == []


def test_the_header_counts_and_names(scene: Scene) -> None:
    """Files, bytes, packs, sessions, times."""
    header = scene.record(TREE).header
    assert (header.files, header.bytes) == (5, sum(map(len, TREE.values())))
    assert (header.volume, header.volume_name, header.keep) == (VOLUME, "data", Keep())
    assert sorted(f"packs/{d[:2]}/{d}" for d in header.packs) == scene.keys("packs/")
    assert header.sessions == (header.session,)
    assert header.retain_until == LOCK
    assert 0 < header.bytes_added < 10_000


def test_findings_are_stored_in_the_sealed_body(scene: Scene) -> None:
    """The header says how many."""
    with scene.recording() as recording:
        recording.add(entry(b"", Kind.DIRECTORY), None)
        record = recording.commit([Finding("vanished", b"gone", "between list and open")])
    ring = SessionRing(scene.store, scene.site.charter, (IDENTITY,))
    body = read_body(scene.store, record, ring, [])
    assert record.header.findings == 1
    assert body.findings == (("vanished", b"gone", "between list and open"),)


@pytest.mark.usefixtures("small_packs")
def test_large_files_span_chunks_and_packs(scene: Scene) -> None:
    """And small ones around them keep their bytes."""
    tree = {b"a": b"small", b"b": noise(13 * MIB), b"c": b"tiny", b"d": noise(3 * MIB, 1)}
    record = scene.record(tree)
    assert len(record.header.packs) > 6
    assert scene.read(record) == tree


def test_an_unchanged_volume_stores_no_pack_again(scene: Scene) -> None:
    """Neither contents nor pages; files are kept, not read."""
    first = scene.record(TREE)
    scene.site.pass_time(hours=1)
    second = scene.record(TREE, first)
    assert scene.kept == len(TREE)
    assert second.header.packs == first.header.packs
    assert second.header.bytes_added == 0
    assert set(second.header.sessions) == {first.header.session, second.header.session}
    assert scene.read(second) == TREE


def test_a_change_stores_what_changed(scene: Scene) -> None:
    """The rest points at the parent's packs."""
    tree = {b"%03d" % n: noise(20_000, n) for n in range(100)}
    first = scene.record(tree)
    changed = {**tree, b"050": b"new"}
    second = scene.record(changed, first)
    assert second.header.bytes_added < 100_000
    assert set(first.header.packs) & set(second.header.packs)
    assert scene.read(second) == changed
    assert scene.read(first) == tree


def test_a_lost_baseline_reads_all_and_stores_nothing_twice(scene: Scene) -> None:
    """Chunks are found by their ids."""
    tree = {b"big": noise(5 * MIB)}
    first = scene.record(tree)
    baseline_path(scene.home, VOLUME).unlink()
    second = scene.record(tree, first)
    assert scene.kept == 0
    assert second.header.bytes_added == 0
    assert scene.read(second) == tree


def test_equal_chunks_within_one_session_are_stored_once(scene: Scene) -> None:
    """Whichever worker meets them first."""
    data = noise(6 * MIB)
    record = scene.record({b"a": data, b"b": data, b"c": data})
    assert record.header.bytes_added < 7 * MIB
    assert scene.read(record) == {b"a": data, b"b": data, b"c": data}


def test_packs_of_another_sessions_are_locked_before_they_are_referred_to(scene: Scene) -> None:
    """Extend, then refer: packs, session keys and the charter reach as far as the snapshot."""
    first = scene.record(TREE)
    scene.site.pass_time(days=35)
    second = scene.record(TREE, first, days=60)
    terms = CheckTerms(False, scene.site.tampering, Silent())
    report = check(scene.store, scene.site.charter, [second], terms=terms)
    assert report.findings == ()
    assert report.locked_until >= second.header.retain_until
    assert report.packs == len(second.header.packs)


def test_extending_is_amortised_by_epochs(scene: Scene) -> None:
    """A snapshot a day extends a pack about once in ten days."""
    parent = scene.record(TREE)
    watched, extended = Watched(scene), []
    plain = watched.extend

    def extend(key: str, until: datetime, *, version: str) -> datetime:
        extended.append(key)
        return plain(key, until, version=version)

    watched.extend = extend  # type: ignore[method-assign]
    for _ in range(20):
        scene.site.pass_time(days=1)
        parent = scene.record(TREE, parent)
    packs = [key for key in extended if key.startswith("packs/")]
    assert 2 * 2 <= len(packs) <= 3 * 2  # data and pages each have a pack, the table another


def test_a_pack_that_is_gone_is_stored_anew(scene: Scene) -> None:
    """It counts as absent: the file is read again."""
    first = scene.record({b"a": b"alpha"})
    for key in scene.keys("packs/"):
        scene.site.store.lose(key)
    scene.site.pass_time(days=20)
    second = scene.record({b"a": b"alpha"}, first)
    assert scene.kept == 0
    assert scene.read(second) == {b"a": b"alpha"}


def test_a_session_whose_keys_are_gone_is_not_relied_on(scene: Scene) -> None:
    """Packs that nobody could open count as absent."""
    first = scene.record({b"a": b"alpha"})
    for key in scene.keys("keys/"):
        scene.site.store.lose(key)
    scene.site.pass_time(days=20)
    second = scene.record({b"a": b"alpha"}, first)
    assert second.header.sessions == (second.header.session,)
    assert scene.read(second) == {b"a": b"alpha"}


def test_the_commit_is_the_last_put(scene: Scene) -> None:
    """Session keys → packs → index → snapshot."""
    watched = Watched(scene)
    scene.record(TREE)
    kinds = [key.partition("/")[0] for key in watched.puts]
    assert kinds[0] == "keys"
    assert kinds[1:-2] == ["packs"] * (len(kinds) - 3)
    assert kinds[-2:] == ["index", "snapshots"]


@pytest.mark.usefixtures("small_packs")
@pytest.mark.parametrize("fails", ["keys/", "packs/", "index/", "snapshots/"])
def test_a_failing_store_is_raised_as_it_is_and_commits_nothing(scene: Scene, fails: str) -> None:
    """The first error of whichever thread; no thread and no snapshot stay behind."""
    watched = Watched(scene)
    threads = threading.active_count()
    refusal = StoreUnreachable("gone")

    def refuse(key: str) -> None:
        if key.startswith(fails):
            raise refusal

    watched.before = refuse
    with pytest.raises(StoreUnreachable) as caught:
        scene.record({b"a": noise(20 * MIB)})
    assert caught.value is refusal
    assert threading.active_count() <= threads
    assert snapshots(scene) == []
    assert not baseline_path(scene.home, VOLUME).exists()
    watched.before = lambda key: None
    assert scene.read(scene.record(TREE)) == TREE


@pytest.mark.usefixtures("small_packs")
def test_an_interrupt_leaves_nothing_behind(scene: Scene) -> None:
    """KeyboardInterrupt while reading: threads end, nothing is committed, the draft is gone."""
    threads = threading.active_count()

    def interrupted() -> Iterator[bytes]:
        yield noise(4 * MIB)
        yield noise(4 * MIB, 1)
        raise KeyboardInterrupt

    def record() -> None:
        with scene.recording() as recording:
            for number in range(3000):
                recording.add(entry(b"%05d" % number), None)
            recording.write(interrupted())

    with pytest.raises(KeyboardInterrupt):
        record()
    assert threading.active_count() <= threads
    assert snapshots(scene) == []
    assert list((scene.home / "baselines").glob("*")) == []


def test_a_failed_session_leaves_packs_that_the_next_one_uses(scene: Scene) -> None:
    """What was stored and proven is not stored again."""
    watched = Watched(scene)
    tree = {b"a": noise(5 * MIB)}

    def refuse(key: str) -> None:
        if key.startswith("snapshots/"):
            raise StoreUnreachable("gone")

    watched.before = refuse
    with pytest.raises(StoreUnreachable):
        scene.record(tree)
    watched.before = lambda key: None
    record = scene.record(tree)
    assert record.header.bytes_added == 0
    assert scene.read(record) == tree


def test_content_that_fails_while_it_is_read_is_left_out(scene: Scene) -> None:
    """The error is the caller's; the next entries are not shifted by the bytes before it."""

    def torn() -> Iterator[bytes]:
        yield b"half"
        raise SourceError("unreadable")

    with scene.recording() as recording:
        recording.add(entry(b"", Kind.DIRECTORY), None)
        with pytest.raises(SourceError):
            recording.write(torn())
        recording.write(iter([b"torn once"]))
        recording.add(entry(b"b", size=3), recording.write(iter([b"bbb"])))
        record = recording.commit([])
    assert scene.read(record) == {b"b": b"bbb"}


@pytest.mark.parametrize(("first", "second"), [(b"b", b"a"), (b"a", b"a"), (b"a!", b"a/b")])
def test_entries_must_come_in_order(scene: Scene, first: bytes, second: bytes) -> None:
    """By path component, each once."""
    with scene.recording() as recording:
        recording.add(entry(first), None)
        with pytest.raises(RepositoryError, match="order"):
            recording.add(entry(second), None)


def test_many_waiting_entries_close_a_pack(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded even where a pack would not fill for long."""
    monkeypatch.setattr("vault.repository.writer._WAITING_STEP", 10)
    monkeypatch.setattr("vault.repository.writer._WAITING_MAX", 100)
    tree = {b"%04d" % n: b"%d" % n for n in range(1000)}
    most = 0
    with scene.recording() as recording:
        for path, data in tree.items():
            recording.add(entry(path, size=len(data)), recording.write(blocks(data)))
            most = max(most, len(recording._assembly))
        record = recording.commit([])
    assert most <= 110
    assert scene.read(record) == tree


@pytest.mark.usefixtures("small_packs")
def test_bytes_in_flight_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the store is, reading waits."""
    monkeypatch.setattr(limits, "BYTES_IN_FLIGHT", 16 * MIB)
    watched, most = Watched(scene), []
    with scene.recording() as recording:
        watched.before = lambda key: most.append(recording._shop.in_flight)
        recording.add(entry(b"a", size=60 * MIB), recording.write(blocks(noise(60 * MIB))))
        recording.commit([])
    assert max(most) <= 16 * MIB


def test_two_recordings_at_once(scene: Scene) -> None:
    """In one process, over one index."""
    trees = [{b"%d" % n: noise(300_000, seed * n) for n in range(20)} for seed in (1, 2)]
    with ThreadPoolExecutor(2) as threads:
        records = list(threads.map(scene.record, trees))
    assert [scene.read(record) for record in records] == trees


def test_locks_never_fall_short_of_the_charters_minimum(scene: Scene) -> None:
    """Whatever was asked for."""
    record = scene.record(TREE, days=1)
    least = scene.site.clock.now() + timedelta(seconds=scene.site.charter.min_lock_seconds)
    assert record.header.retain_until >= least


def test_a_lock_beyond_the_charters_ceiling_is_refused(scene: Scene) -> None:
    """Before anything is stored."""
    with pytest.raises(LockRefused):
        scene.record(TREE, days=500)
    assert scene.keys("keys/") == []


def test_all_kinds_of_entries_survive(scene: Scene) -> None:
    """With every field."""
    entries = [
        entry(b"", Kind.DIRECTORY, mode=0o1777, xattrs=((b"user.a", b"\0\1"),)),
        entry(b"block", Kind.BLOCK_DEVICE, rdev=2049),
        entry(b"fifo", Kind.FIFO),
        entry(b"first", nlink=2),
        entry(b"link", Kind.SYMLINK, target=b"../\xff"),
        entry(b"second", nlink=2, link=b"first"),
        entry(b"sparse", size=1 << 40, segments=((4096, 3), (1 << 39, 2)), torn=True),
    ]
    with scene.recording() as recording:
        for item in entries:
            span = recording.write(iter([b"abcde"])) if item.segments else None
            recording.add(item, span)
        record = recording.commit([])
    with scene.reader(record) as reader:
        stored = list(reader.entries())
        assert [item.entry for item in stored] == entries
        assert b"".join(reader.blocks(stored[-1])) == b"abcde"
