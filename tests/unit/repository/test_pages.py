"""Manifest pages and the page table."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.codec.damage import damaged
from tests.unit.repository.scene import entry
from tests.unit.repository.test_manifest import ref
from vault import limits
from vault.errors import Corrupt
from vault.repository.cutter import CutPage, PageCutter, TableCutter
from vault.repository.manifest import Extent, StoredEntry, join_rows
from vault.repository.pack import PackHead
from vault.repository.pages import read_page, read_table

KEY = b"k" * 32
OTHER = PackHead(b"e" * 32, f"sess_{1:026}", b"t" * 32)


def cut(stored: Iterable[StoredEntry]) -> list[CutPage]:
    """All pages of a manifest."""
    cutter = PageCutter(KEY)
    pages = [page for item in stored for page in cutter.add(item)]
    return pages if cutter.empty else [*pages, cutter.finish()]


def files(count: int) -> list[StoredEntry]:
    """Many small files, a few in each chunk."""
    return [
        StoredEntry(entry(b"%06d" % n, size=9), (Extent(ref(n // 7 % 200), n % 7 * 9, 9),))
        for n in range(count)
    ]


def test_pages_give_back_what_was_cut() -> None:
    """In order, with all chunks and places."""
    stored = files(3000)
    pages = cut(stored)
    assert 2 < len(pages) < 30
    assert list(join_rows(row for page in pages for row in read_page(page.body))) == stored
    assert [page.first for page in pages] == [next(read_page(page.body)).path for page in pages]


def test_unchanged_stretches_keep_their_pages() -> None:
    """A file more in one place changes the page that it falls into, and the cuts hold."""
    stored = files(4000)
    before = {page.body for page in cut(stored)}
    stored.insert(2000, StoredEntry(entry(b"001999+", size=0)))
    after = {page.body for page in cut(stored)}
    assert len(after - before) == 1


def test_a_page_names_the_packs_that_it_refers_to() -> None:
    """Each once, in the order of first use."""
    stored = [
        StoredEntry(entry(b"a"), (Extent(ref(1, OTHER), 0, 1), Extent(ref(1), 0, 1))),
        StoredEntry(entry(b"b"), (Extent(ref(2, OTHER), 0, 1),)),
    ]
    (page,) = cut(stored)
    assert page.packs == (OTHER, ref(1).head)
    assert list(read_page(page.body)) == stored


def test_pages_are_bounded_by_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where no path asks for a cut."""
    monkeypatch.setattr(limits, "PAGE_ENTRIES", 1 << 60)
    monkeypatch.setattr(limits, "PAGE_ENTRIES_MAX", 100)
    assert [len(list(read_page(page.body))) for page in cut(files(250))] == [100, 100, 50]


def test_pages_are_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long names and attributes count."""
    monkeypatch.setattr(limits, "PAGE_BYTES_MAX", 100_000)
    stored = [
        StoredEntry(entry(b"%04d" % n, xattrs=((b"user.x", b"v" * 30_000),))) for n in range(10)
    ]
    pages = cut(stored)
    assert max(len(page.body) for page in pages) <= 100_000
    assert sum(len(list(read_page(page.body))) for page in pages) == 10


def test_a_very_long_extent_list_spans_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is one entry again when read."""
    monkeypatch.setattr(limits, "PAGE_BYTES_MAX", 200_000)
    extents = tuple(Extent(ref(n % 250, OTHER), n, 1) for n in range(40_000))
    stored = [StoredEntry(entry(b"a")), StoredEntry(entry(b"long"), extents)]
    pages = cut(stored)
    assert len(pages) > 1
    assert max(len(page.body) for page in pages) < 200_000
    assert list(join_rows(row for page in pages for row in read_page(page.body))) == stored


def test_the_page_table_gives_back_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """First paths and pages, in order, in parts."""
    monkeypatch.setattr(limits, "PAGE_ENTRIES", 16)
    rows = [(b"%04d" % n, ref(n % 250)) for n in range(500)]
    cutter = TableCutter(KEY)
    parts = [part for first, page in rows if (part := cutter.add(first, page))]
    parts.append(cutter.finish())
    assert cutter.empty
    assert len(parts) > 5
    assert [row for part in parts for row in read_table(part.body)] == rows
    assert {head for part in parts for head in part.packs} == {ref(0).head}


@given(st.data())
def test_damaged_pages_are_refused_or_read(data: st.DataObject) -> None:
    """No damage raises anything but Corrupt (seals keep damage away from here)."""
    (page,) = cut(files(20))
    cutter = TableCutter(KEY)
    cutter.add(b"a", ref(1))
    for body, read in ((page.body, read_page), (cutter.finish().body, read_table)):
        with suppress(Corrupt):
            list(read(data.draw(damaged(body))))


def test_a_chunk_number_outside_the_table_is_refused() -> None:
    """An extent cannot point past its page."""
    (page,) = cut(files(1))
    raw = msgspec.msgpack.decode(page.body)
    raw[2][0][1] = [[5, 0, 1]]
    with pytest.raises(Corrupt):
        list(read_page(msgspec.msgpack.encode(raw)))
