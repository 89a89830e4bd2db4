"""The last manifest beside the walk: what is kept, in pages as if all were cut anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.repository.scene import Scene, entry
from tests.unit.repository.test_manifest import HEAD, ref
from tests.unit.repository.test_pages import KEY, OTHER, cut, files
from vault import limits
from vault.codec.digest import chunk_id, derive_key
from vault.provider import Entry
from vault.repository import cutter, manifest
from vault.repository.baseline import Frame, compressed
from vault.repository.cutter import PageCutter
from vault.repository.former import Former, Run, read_pages
from vault.repository.manifest import Extent, StoredEntry
from vault.repository.pack import ChunkKind, PackHead
from vault.repository.pages import stored_row
from vault.repository.snapshot import SnapshotRecord

LATE = 1 << 62
CUTS = "vault 2026-11 page cuts"  # docs/format.md, section 8


def frames(stored: Sequence[StoredEntry]) -> list[Frame]:
    """A baseline."""
    return [compressed(page.body) for page in cut(stored)]


def walked(
    stored: Sequence[StoredEntry],
    walk: Sequence[Entry],
    *,
    holds: Callable[[PackHead], bool] = lambda _: True,
    racy_after: int = LATE,
) -> tuple[list[bytes], list[Run]]:
    """The paths that are kept, and the runs that they are handed on in."""
    runs: list[Run] = []
    former = Former(frames(stored), holds, runs.append, racy_after)
    kept = [item.path for item in walk if former.keep(item)]
    former.finish()
    handed = [row.entry.path for run in runs for row in run.former.page.rows[run.start : run.stop]]
    assert handed == kept
    return kept, runs


def test_what_did_not_change_is_taken_over_by_pages() -> None:
    """All of them, when nothing did."""
    stored = files(3000)
    kept, runs = walked(stored, [item.entry for item in stored])
    assert len(kept) == 3000
    assert all(run.whole for run in runs)
    assert [run.former.frame for run in runs] == frames(stored)


@pytest.mark.parametrize(
    "change",
    [
        {"ctime_ns": 7}, {"mtime_ns": 6}, {"size": 8}, {"inode": 8}, {"mode": 0o600}, {"uid": 2},
        {"gid": 2}, {"nlink": 2}, {"link": b"0"}, {"rdev": 1}, {"kind": 2},
    ],
)  # fmt: skip
def test_whatever_changes_is_not_kept(change: dict[str, object]) -> None:
    """Each of the fields that lstat tells of."""
    stored = files(9)
    walk = [item.entry for item in stored]
    walk[4] = msgspec.structs.replace(walk[4], **change)
    kept, runs = walked(stored, walk)
    assert kept == [item.path for item in stored if item is not stored[4]]
    assert not any(run.whole for run in runs)


def test_what_lstat_does_not_tell_of_is_taken_from_before() -> None:
    """Attributes, targets, holes; and a disk may have another number than last time."""
    plain = entry(b"f", size=9)
    rich = msgspec.structs.replace(
        plain, xattrs=((b"user.a", b"1"),), target=b"x", segments=((0, 9),), device=3
    )
    _, runs = walked([StoredEntry(rich)], [plain])
    assert runs[0].former.page.rows[0].entry == rich
    assert runs[0].whole


def test_a_change_near_the_former_walk_may_have_been_missed() -> None:
    """Nor does a torn file count as known."""
    stored = [StoredEntry(entry(b"a")), StoredEntry(entry(b"b", torn=True))]
    plain = [entry(b"a"), entry(b"b")]
    assert walked(stored, plain, racy_after=7)[0] == [b"a"]
    assert walked(stored, plain, racy_after=6)[0] == []


def test_a_pack_that_cannot_be_held_counts_as_absent() -> None:
    """What lies in others is kept, by rows."""
    stored = [
        StoredEntry(entry(b"a"), (Extent(ref(1), 0, 1),)),
        StoredEntry(entry(b"b"), (Extent(ref(1, OTHER), 0, 1),)),
        StoredEntry(entry(b"c"), (Extent(ref(1), 1, 1), Extent(ref(2, OTHER), 0, 1))),
        StoredEntry(entry(b"d")),
    ]
    walk = [item.entry for item in stored]
    kept, runs = walked(stored, walk, holds=lambda head: head == HEAD)
    assert kept == [b"a", b"d"]
    assert not any(run.whole for run in runs)


def test_a_page_whose_end_moves_is_not_taken_over() -> None:
    """What is new behind its last row belongs into it."""
    stored = files(3000)
    last = frames(stored)[0]
    (first, *_) = read_pages([last])
    end = first.page.rows[-1].entry.path
    walk = [item.entry for item in stored]
    walk.insert([e.path for e in walk].index(end) + 1, entry(end + b"+"))
    _, runs = walked(stored, walk)
    assert [run.whole for run in runs] == [False, *[True] * (len(runs) - 1)]


def test_long_entries_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over the cut of a page; one that lacks a part is unknown."""
    monkeypatch.setattr(manifest, "EXTENTS_PER_ROW", 4)
    monkeypatch.setattr(cutter, "EXTENTS_PER_ROW", 4)
    monkeypatch.setattr(limits, "PAGE_ENTRIES_MAX", 3)
    extents = tuple(Extent(ref(n, HEAD if n % 2 else OTHER), n, 1) for n in range(18))
    holes = entry(b"b", segments=tuple((n * 10, 5) for n in range(18)))
    stored = [StoredEntry(entry(b"a")), StoredEntry(holes, extents), StoredEntry(entry(b"c"))]
    pages = frames(stored)
    assert len(pages) == 3
    rows = [stored_row(f.page, row) for f in read_pages(pages) for row in f.page.rows]
    assert rows == stored
    cutter_now = PageCutter(KEY)
    again = [
        body.body
        for f in read_pages(pages)
        for body in cutter_now.keep(f.page, 0, len(f.page.rows))
    ]
    assert [*again, cutter_now.finish().body] == [page.body for page in pages]
    broken = [pages[0], pages[2]]
    assert [row.entry.path for f in read_pages(broken) for row in f.page.rows] == [b"a", b"c"]


def test_a_page_that_cannot_be_read_ends_it() -> None:
    """What follows is read anew."""
    good, bad = frames(files(5))[0], compressed(b"no page")
    assert len(list(read_pages([good, bad, good]))) == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_pages_are_as_if_they_were_cut_anew(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """However names come, go and change between two snapshots: the same bytes in each page."""
    names = st.sets(st.integers(0, 400).map(b"%03d".__mod__), max_size=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PAGE_ENTRIES", 8)
        patch.setattr(limits, "PAGE_ENTRIES_MAX", data.draw(st.sampled_from([9, 4096])))
        scene = Scene(tmp_path_factory.mktemp("pages"))
        before, gone, new, changed = (data.draw(names) for _ in range(4))
        tree = {name: name * 3 for name in before}
        parent = scene.record(tree)
        tree = {name: content for name, content in tree.items() if name not in gone}
        tree |= {name: b"new" + name for name in new}
        tree |= {name: b"changed" + name for name in changed & tree.keys()}
        record = scene.record(tree, parent)
        assert scene.read(record) == tree
        assert_canonical(scene, record)


def assert_canonical(scene: Scene, record: SnapshotRecord) -> None:
    """Every page that cutting this manifest gives is stored."""
    with scene.reader(record) as reader:
        stored = list(reader.entries())
    key = scene.site.keys.chunk_id_key
    pages = PageCutter(derive_key(CUTS, key))
    bodies = [page.body for item in stored for page in pages.add(item)]
    bodies += [] if pages.empty else [pages.finish().body]
    assert all(scene.index.find(chunk_id(key, body), ChunkKind.PAGE) for body in bodies)


def test_what_waits_for_a_pack_keeps_its_place(tmp_path: Path) -> None:
    """Unchanged pages between changed files whose pack is still open."""
    scene = Scene(tmp_path)
    tree = {b"%04d" % n: b"%04d" % n for n in range(2000)}
    parent = scene.record(tree)
    tree |= {b"0001": b"changed", b"1999": b"changed, too"}
    record = scene.record(tree, parent)
    assert scene.kept == 1998
    assert scene.read(record) == tree
    assert_canonical(scene, record)
