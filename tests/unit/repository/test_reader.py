"""Reading snapshots: every byte proven, damage named, the rest unharmed."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.repository.founding import IDENTITY, lay_over
from tests.unit.repository.scene import Scene, blocks, entry
from vault import limits
from vault.codec.keyring import new_identity
from vault.errors import Corrupt, KitMissing, KitWrong, StoreUnreachable, UsageError, VaultError
from vault.provider import Kind, order_key
from vault.repository.manifest import StoredEntry
from vault.repository.pack import ChunkRef
from vault.repository.reader import SnapshotReader
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord
from vault.store.memory import MemoryStore


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A vault whose packs close at 1 MiB and whose pages hold about eight entries."""
    monkeypatch.setattr(limits, "PACK_TARGET", limits.MIB)
    monkeypatch.setattr(limits, "PAGE_ENTRIES", 8)
    return Scene(tmp_path)


def noise(size: int, seed: int) -> bytes:
    """Bytes that do not shrink."""
    return random.Random(seed).randbytes(size)


@pytest.fixture
def tree() -> dict[bytes, bytes]:
    """Small files and large ones, in several packs."""
    made = {b"%03d" % n: noise(3000, n) for n in range(300)}
    return {**made, b"100x": noise(3 << 20, 1), b"200x": noise(2 << 20, 2)}


class Counting:
    """A reader that counts what is asked of the store, and may be told to fail."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.gets: list[tuple[str, int]] = []
        self.before: Callable[[str], None] = lambda key: None

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """Get, unless `before` raises."""
        self.before(key)
        data = self._store.get(key, start, length, version=version)
        self.gets.append((key, len(data)))
        return data


def counted(scene: Scene, record: SnapshotRecord) -> tuple[SnapshotReader, Counting]:
    """A reader and what it asks the store for."""
    counting = Counting(scene.site.store)
    ring = SessionRing(scene.site.store, scene.site.charter, (IDENTITY,))
    return SnapshotReader(counting, ring, record, scene.site.tampering), counting  # type: ignore[arg-type]


def survey(scene: Scene, record: SnapshotRecord) -> tuple[dict[bytes, bytes], dict[bytes, str]]:
    """What can be read of each file, and the errors of the others."""
    whole: dict[bytes, bytes] = {}
    lost: dict[bytes, str] = {}
    gather(scene, record, whole, lost)
    return whole, lost


def gather(
    scene: Scene, record: SnapshotRecord, whole: dict[bytes, bytes], lost: dict[bytes, str]
) -> None:
    """The same, as far as it comes."""
    with scene.reader(record) as reader:
        for stored, content in reader.contents(reader.entries()):
            if stored.entry.kind == Kind.FILE:
                try:
                    whole[stored.path] = b"".join(content)
                except Corrupt as error:
                    lost[stored.path] = error.message


def data_packs(scene: Scene, record: SnapshotRecord) -> list[str]:
    """Keys of the packs that hold contents, in order of first use."""
    keys: dict[str, None] = {}
    with scene.reader(record) as reader:
        for stored in reader.entries():
            for extent in stored.extents:
                digest = extent.chunk.head.digest.hex()
                keys[f"packs/{digest[:2]}/{digest}"] = None
    return list(keys)


def test_entries_come_in_order_by_component(scene: Scene) -> None:
    """Directories before what is in them, and a subtree in one piece."""
    paths = [b"a", b"a/b", b"a/b/c", b"a/z", b"a!", b"a.d", b"ab"]
    record = scene.record(dict.fromkeys(paths, b"x"))
    with scene.reader(record) as reader:
        assert [stored.path for stored in reader.entries()] == [b"", *paths]
        assert [stored.path for stored in reader.entries(b"a")] == [b"a", b"a/b", b"a/b/c", b"a/z"]
        assert [stored.path for stored in reader.entries(b"a/b")] == [b"a/b", b"a/b/c"]
        assert [stored.path for stored in reader.entries(b"aa")] == []


def test_every_subtree_is_found_whatever_the_pages(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeking by the page table agrees with reading all, also across parts of the table."""
    monkeypatch.setattr(limits, "PAGE_ENTRIES", 4)
    paths = sorted(
        {p for a in b"abc" for b in b"!./xyz" for n in range(9)
         for p in (b"%c" % a, b"%c/%c" % (a, b), b"%c/%c/%d" % (a, b, n)) if b"//" not in p},
        key=order_key,
    )  # fmt: skip
    record = scene.record(dict.fromkeys(paths, b""))
    with scene.reader(record) as reader:
        for under in [*paths, b"a/0", b"zz", b"c/zz/9"]:
            expected = [p for p in paths if p == under or p.startswith(under + b"/")]
            assert [stored.path for stored in reader.entries(under)] == expected


def test_one_file_costs_little(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """A page, its table and a chunk or two; not the snapshot."""
    record = scene.record(tree)
    reader, counting = counted(scene, record)
    with reader:
        stored = reader.find(b"150")
        assert b"".join(reader.blocks(stored)) == tree[b"150"]
    packs = [size for key, size in counting.gets if key.startswith("packs/")]
    assert sum(packs) < 3 << 20
    assert len(packs) < 12


def test_small_files_share_the_fetch_of_their_chunk(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """Hundreds of files, a few calls; every stored byte is fetched about once."""
    record = scene.record(tree)
    reader, counting = counted(scene, record)
    with reader:
        assert sum(len(b) for _, bs in reader.contents(reader.entries()) for b in bs) > 5 << 20
    packs = [size for key, size in counting.gets if key.startswith("packs/")]
    assert len(packs) < 40
    assert sum(packs) < 1.1 * record.header.bytes_added


def test_a_path_that_is_not_there(scene: Scene) -> None:
    """Is named."""
    record = scene.record({b"a/b": b""})
    with scene.reader(record) as reader, pytest.raises(UsageError, match="nothing"):
        reader.find(b"nothing")


def test_contents_may_be_left_untouched_or_half_read(
    scene: Scene, tree: dict[bytes, bytes]
) -> None:
    """The next entry's bytes are its own."""
    record = scene.record(tree)
    with scene.reader(record) as reader:
        for number, (stored, content) in enumerate(reader.contents(reader.entries())):
            if number % 3 == 0 or stored.entry.kind != Kind.FILE:
                continue
            if number % 3 == 1:
                next(iter(content), None)
            else:
                assert b"".join(content) == tree[stored.path]


def test_blocks_are_void_once_the_next_entry_was_taken(scene: Scene) -> None:
    """Rather than another file's bytes."""
    record = scene.record({b"a": b"a", b"b": b"b"})
    with scene.reader(record) as reader:
        taken = list(reader.contents(reader.entries()))
        with pytest.raises(RuntimeError, match="void"):
            list(taken[1][1])


def test_an_errors_place_among_the_entries_is_kept(scene: Scene) -> None:
    """What lies before a failing iterator is delivered first."""
    record = scene.record({b"a": b"alpha"})
    with scene.reader(record) as reader:
        stored = reader.find(b"a")

        def failing() -> Iterator[StoredEntry]:
            yield stored
            raise VaultError("no further")

        contents = iter(reader.contents(failing()))
        assert b"".join(next(contents)[1]) == b"alpha"
        with pytest.raises(VaultError, match="no further"):
            next(contents)


# --- tampering and damage ------------------------------------------------------------------------


def test_markers_and_overwrites_hide_nothing(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """Laid over every object; the same bytes come back, and the tampering is known."""
    record = scene.record(tree)
    for key in scene.keys(""):
        lay_over(scene.site.store, key)
    whole, lost = survey(scene, record)
    assert (whole, lost) == (tree, {})
    assert {"marker", "overwritten"} <= scene.site.words()


@pytest.mark.parametrize("on_top", ["forgery", "marker"])
def test_the_newest_version_alone_is_not_trusted(scene: Scene, on_top: str) -> None:
    """A forgery of the same size, or a marker."""
    record = scene.record({b"a": b"alpha"})
    for key in scene.keys("packs/"):
        size = len(scene.site.store.get(key))
        if on_top == "marker":
            scene.site.store.lay_marker(key)
        else:
            scene.site.store.lay_version(key, bytes(size))
    assert scene.read(record) == {b"a": b"alpha"}


def test_a_flipped_bit_costs_the_files_of_its_chunk(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """Their errors name path and pack; all others are whole."""
    record = scene.record(tree)
    key = data_packs(scene, record)[1]
    data = bytearray(scene.site.store.get(key))
    data[len(data) // 2] ^= 1
    scene.site.store.rot(key, bytes(data))
    whole, lost = survey(scene, record)
    assert lost
    assert len(lost) < 150
    assert whole == {path: data for path, data in tree.items() if path not in lost}
    assert all(path.decode() in text and key in text for path, text in lost.items())


def test_a_lost_pack_costs_its_files(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """And no others."""
    record = scene.record(tree)
    scene.site.store.lose(data_packs(scene, record)[0])
    whole, lost = survey(scene, record)
    assert lost
    assert whole
    assert whole == {path: data for path, data in tree.items() if path not in lost}


def test_swapped_packs_are_found(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """Each opens under its own salt only."""
    record = scene.record(tree)
    one, two = data_packs(scene, record)[:2]
    first, second = scene.site.store.get(one), scene.site.store.get(two)
    scene.site.store.rot(one, second)
    scene.site.store.rot(two, first)
    whole, lost = survey(scene, record)
    assert lost
    assert whole == {path: data for path, data in tree.items() if path not in lost}


def test_truncated_packs_are_found(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """What lies before the cut is still read."""
    record = scene.record(tree)
    key = data_packs(scene, record)[0]
    data = scene.site.store.get(key)
    scene.site.store.rot(key, data[: len(data) // 2])
    whole, lost = survey(scene, record)
    assert lost
    assert whole == {path: data for path, data in tree.items() if path not in lost}


def test_a_damaged_page_is_reported_after_all_else_was_read(scene: Scene) -> None:
    """Entries of other pages come first, then the error: nothing is left out in silence."""
    tree = {b"%03d" % n: b"%d" % n for n in range(200)}
    record = scene.record(tree)
    keys = set(scene.keys("packs/")) - set(data_packs(scene, record))
    key = max(keys, key=lambda key: len(scene.site.store.get(key)))  # pages, not the table
    data = bytearray(scene.site.store.get(key))
    data[len(data) // 2] ^= 1
    scene.site.store.rot(key, bytes(data))
    whole: dict[bytes, bytes] = {}
    with pytest.raises(Corrupt, match="1 page") as caught:
        gather(scene, record, whole, {})
    assert 150 < len(whole) < 200
    assert whole.items() < tree.items()
    gap = re.search(r"all entries (?:after “(\d+)” and )?before “(\d+)”", caught.value.message)
    assert gap is not None
    start, end = (gap[1] or "").encode(), gap[2].encode()
    assert tree.keys() - whole.keys() == {path for path in tree if start < path < end}


def test_a_lost_part_of_the_table_is_a_gap_where_its_pages_were(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies on both sides of it is read."""
    monkeypatch.setattr(limits, "PAGE_ENTRIES", 4)
    tree = {b"%03d" % n: b"" for n in range(400)}
    record = scene.record(tree)
    with scene.reader(record) as reader:
        parts = reader._table_refs()
        assert len(parts) > 4
        reader._table = (parts[0], replaced(parts[1]), *parts[2:4], replaced(parts[4]), *parts[5:])
        seen: list[bytes] = []
        with pytest.raises(Corrupt, match=r"^2 page\(s\)") as caught:
            seen.extend(stored.path for stored in reader.entries())
    missing = sorted(tree.keys() - set(seen))
    gaps = re.findall("after “(.*?)” and before “(.*?)”", caught.value.message)
    spans = [(start.encode(), end.encode()) for start, end in gaps]
    assert len(spans) == 2
    assert missing == [p for p in tree if any(start < p < end for start, end in spans)]


def replaced(ref: ChunkRef) -> ChunkRef:
    """One that opens nothing."""
    return ChunkRef(bytes(32), ref.head, ref.place)


def test_lost_keys_cost_what_their_session_stored(scene: Scene, tree: dict[bytes, bytes]) -> None:
    """Pages and contents of others are read; the session is named."""
    former = scene.record(tree)
    fresh = {b"150": b"new", b"200": noise(500_000, 7)}
    record = scene.record({**tree, **fresh}, former)
    (keys,) = (key for key in scene.keys("keys/") if former.header.session in key)
    scene.site.store.lose(keys)
    whole: dict[bytes, bytes] = {}
    lost: dict[bytes, str] = {}
    with pytest.raises(Corrupt, match=former.header.session):
        gather(scene, record, whole, lost)
    assert whole == fresh
    assert {b"149", b"151"} & lost.keys()
    assert all(former.header.session in text for text in lost.values())


def test_a_store_out_of_reach_is_not_damage(
    scene: Scene, tree: dict[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is raised as it is, and threads end."""
    monkeypatch.setattr("vault.repository.fetching._AHEAD", 1 << 20)
    record = scene.record(tree)
    threads = threading.active_count()
    reader, counting = counted(scene, record)

    def read() -> None:
        with reader:
            for number, (_, content) in enumerate(reader.contents(reader.entries())):
                b"".join(content)
                if number == 5:
                    counting.before = refuse

    def refuse(key: str) -> None:
        raise StoreUnreachable("gone")

    with pytest.raises(StoreUnreachable):
        read()
    assert threading.active_count() <= threads


def test_without_or_with_a_foreign_kit_nothing_is_read(scene: Scene) -> None:
    """Neither names nor contents."""
    record = scene.record({b"a": b"alpha"})
    for identities, error in (((), KitMissing), ((new_identity()[0],), KitWrong)):
        ring = SessionRing(scene.store, scene.site.charter, identities)
        with SnapshotReader(scene.store, ring, record, []) as reader, pytest.raises(error):
            list(reader.entries())


def test_the_writers_keys_open_nothing_that_is_stored(scene: Scene) -> None:
    """No content, no name: the data key went with the session (P8)."""
    scene.record({b"secret-name": b"secret content " * 100})
    held = b"".join(path.read_bytes() for path in scene.home.rglob("*") if path.is_file())
    stored = b"".join(scene.site.store.get(key) for key in scene.keys(""))
    for text in (b"secret-name", b"secret content"):
        assert text not in held
        assert text not in stored


def test_memory_stays_bounded_in_a_large_file(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more is fetched ahead than the bound."""
    monkeypatch.setattr("vault.repository.fetching._AHEAD", 4 << 20)
    data = noise(24 << 20, 5)
    with scene.recording() as recording:
        recording.add(entry(b"big", size=len(data)), recording.write(blocks(data)))
        record = recording.commit([])
    reader, counting = counted(scene, record)
    with reader:
        stored = reader.find(b"big")
        content = reader.blocks(stored)
        before = sum(size for _, size in counting.gets)
        first = next(content)
        assert sum(size for _, size in counting.gets) - before < 12 << 20
        assert first + b"".join(content) == data
