"""Makes a manifest while its entries arrive: pages, the baseline, and at the end the page table."""

from __future__ import annotations

from collections import deque
from typing import Final

from vault.codec.digest import derive_key
from vault.errors import RepositoryError
from vault.repository.baseline import BaselineWriter, Frame, compressed
from vault.repository.cutter import CutPage, PageCutter, TableCutter
from vault.repository.former import Run
from vault.repository.manifest import StoredEntry
from vault.repository.pack import ChunkKind, ChunkRef, PackHead
from vault.repository.pipeline import Slot, Workshop

_CUTS: Final = "vault 2026-11 page cuts"


class ManifestWriter:
    """Takes entries in order; `finish` gives the chunks of the page table."""

    def __init__(self, shop: Workshop, baseline: BaselineWriter) -> None:
        key = derive_key(_CUTS, shop.keys.chunk_id_key)
        self._baseline = baseline
        self._pages = PageCutter(key)
        self._table = TableCutter(key)
        self._firsts: deque[bytes] = deque()
        self._stored: list[tuple[bytes, Slot]] = []
        self._parts: list[Slot] = []
        self._page_lane = shop.lane(ChunkKind.PAGE, self._page_built)
        self._table_lane = shop.lane(ChunkKind.TABLE, lambda slot, _: self._parts.append(slot))
        self.packs: dict[bytes, PackHead] = {}

    def add(self, stored: StoredEntry) -> None:
        """Take the next entry."""
        for page in self._pages.add(stored):
            self._store_page(page, None)

    def keep(self, run: Run) -> None:
        """Take the next entries from a former page, or that page as it is."""
        page, frame = run.former.page, run.former.frame
        first = page.rows[run.start].entry.path
        if run.whole and frame and (self._pages.empty or self._pages.begins_page(first)):
            if not self._pages.empty:
                self._store_page(self._pages.finish(), None)
            self._store_page(CutPage(first, frame.body, tuple(page.packs)), frame)
            return
        for cut in self._pages.keep(page, run.start, run.stop):
            self._store_page(cut, None)

    def _store_page(self, page: CutPage, frame: Frame | None) -> None:
        self._use(page.packs)
        self._baseline.append(frame or compressed(page.body))
        self._firsts.append(page.first)
        self._page_lane.submit(page.body, [len(page.body)])

    def _page_built(self, slot: Slot, _: int) -> None:
        self._stored.append((self._firsts.popleft(), slot))

    def finish(self) -> tuple[ChunkRef, ...]:
        """Close the last page and make the page table; all of it is with the uploaders then."""
        if not self._pages.empty:
            self._store_page(self._pages.finish(), None)
        self._page_lane.finish()
        for first, slot in self._stored:
            part = self._table.add(first, placed(slot))
            if part is not None:
                self._store_part(part)
        if not self._table.empty:
            self._store_part(self._table.finish())
        self._table_lane.finish()
        refs = tuple(placed(slot) for slot in self._parts)
        self._use(tuple(ref.head for ref in refs))
        return refs

    def _store_part(self, part: CutPage) -> None:
        self._use(part.packs)
        self._table_lane.submit(part.body, [len(part.body)])

    def _use(self, packs: tuple[PackHead, ...]) -> None:
        self.packs.update((head.digest, head) for head in packs)


def placed(slot: Slot) -> ChunkRef:
    """Where a chunk is, once its lane is finished."""
    if slot.ref is None:
        raise RepositoryError("a chunk was lost on its way to the store")
    return slot.ref
