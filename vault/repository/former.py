"""A volume's last manifest, walked beside the volume: what did not change is kept as it stands.

What is kept is handed on by runs of rows, and where nothing of a page changed by the page itself,
which is then neither encoded nor cut anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from vault.errors import Corrupt
from vault.provider import Entry, order_key
from vault.repository.baseline import Frame
from vault.repository.pack import PackHead
from vault.repository.pages import Page, Row, decode_page


class FormerPage:
    """A page and its bytes; without them it is only rows, and cannot be taken over as a whole."""

    __slots__ = ("_page", "frame")

    def __init__(self, page: Page, frame: Frame | None) -> None:
        self._page: Page | None = page
        self.frame = frame

    @property
    def page(self) -> Page:
        """What it says. Raises Corrupt."""
        if self._page is None:
            self._page = decode_page(self.frame.body if self.frame else b"")
        return self._page

    def fold(self) -> None:
        """Keep only its bytes, a quarter of the memory: it may have to wait for a pack."""
        if self.frame is not None:
            self._page = None


class Run(NamedTuple):
    """Unchanged rows of a page, in order; `whole` where the page can be taken over."""

    former: FormerPage
    start: int
    stop: int
    whole: bool


class Former:
    """Asked for each entry of the walk in order; `take` gets the runs of what was kept, in order.

    A run is handed on when it ends: before something else is added, `flush` has to be called.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        holds: Callable[[PackHead], bool],
        take: Callable[[Run], None],
        racy_after_ns: int,
    ) -> None:
        self._pages = read_pages(frames)
        self._holds = holds
        self._take = take
        self._racy_after_ns = racy_after_ns
        self._former = FormerPage(Page([], [], []), None)
        self._rows: list[Row] = []
        self._start = self._at = 0  # rows of the run that has not ended; the next one to be met
        self._held = True

    def keep(self, entry: Entry) -> bool:
        """Whether an entry is unchanged and its content still stored; then it is kept."""
        rows, at = self._rows, self._at
        if (
            at < len(rows)
            and entry == rows[at].entry  # by far the most frequent, and one call
            and entry.ctime_ns < self._racy_after_ns
            and self._held
        ):
            self._at = at + 1
            return True
        row = self._find(entry.path)
        if row is None:
            return False
        if unchanged(entry, row.entry, self._racy_after_ns) and self._is_held(row):
            self._at += 1
            return True
        self._pass_over()
        return False

    def flush(self) -> None:
        """Hand on what was kept and not handed on yet."""
        self._hand_on(whole=False)

    def finish(self) -> None:
        """Hand on the rest: no entry follows."""
        self._hand_on(whole=True)

    def _find(self, path: bytes) -> Row | None:
        """Go to the row of this path; None where there is none."""
        place = order_key(path)
        while True:
            if self._at == len(self._rows) and not self._turn(path):
                return None
            row = self._rows[self._at]
            if row.entry.path == path:
                return row
            if order_key(row.entry.path) > place:
                return None
            self._pass_over()

    def _pass_over(self) -> None:
        """The next row is not kept."""
        self._hand_on(whole=False)
        self._at += 1
        self._start = self._at

    def _turn(self, path: bytes) -> bool:
        """Go to the next page, before which the walk has come to `path`; False after the last.

        A page is taken over where the cut behind it stays: otherwise it would have to be longer.
        """
        following = next(self._pages, None) or FormerPage(Page([], [], []), None)
        rows = following.page.rows
        self._hand_on(whole=bool(rows) and rows[0].entry.path == path)
        self._former.fold()
        self._former, self._rows, self._start, self._at = following, rows, 0, 0
        self._held = all(map(self._holds, following.page.packs))
        return bool(rows)

    def _hand_on(self, *, whole: bool) -> None:
        start, stop = self._start, self._at
        if start == stop:
            return
        whole = whole and start == 0 and stop == len(self._rows) and self._held
        self._start = stop
        self._take(Run(self._former, start, stop, whole and self._former.frame is not None))

    def _is_held(self, row: Row) -> bool:
        page = self._former.page
        return self._held or all(
            self._holds(page.packs[page.chunks[chunk][1]]) for chunk, _, _ in row.extents
        )


def unchanged(entry: Entry, stored: Entry, racy_after_ns: int) -> bool:
    """Whether what `lstat` tells now is what the last snapshot saw, with no room for a race.

    A ctime near the former walk's start proves nothing: the content may have moved since within
    one tick of the file system's clock. Device numbers are not compared, they change at mounts.
    """
    return (
        entry.ctime_ns == stored.ctime_ns
        and entry.ctime_ns < racy_after_ns
        and entry.mtime_ns == stored.mtime_ns
        and entry.size == stored.size
        and entry.inode == stored.inode
        and entry.kind == stored.kind
        and entry.mode == stored.mode
        and entry.uid == stored.uid
        and entry.gid == stored.gid
        and entry.nlink == stored.nlink
        and entry.link == stored.link
        and entry.rdev == stored.rdev
        and not stored.torn
    )


def read_pages(frames: Iterable[Frame]) -> Iterator[FormerPage]:
    """The pages of a baseline. What stands in several rows is put together, as a page of its own.

    Ends early where a page cannot be read.
    """
    pieces: list[tuple[Page, Row]] = []
    for frame in frames:
        try:
            page = decode_page(frame.body)
        except Corrupt:
            return
        if all(row.parts == 1 for row in page.rows):
            yield FormerPage(page, frame)
            continue
        for row in page.rows:
            if row.parts == 1:
                yield FormerPage(Page(page.packs, page.chunks, [row]), None)
                continue
            if row.part != len(pieces) or (pieces and pieces[0][1].entry.path != row.entry.path):
                pieces = []
            if row.part == len(pieces):
                pieces.append((page, row))
            if pieces and len(pieces) == row.parts:
                yield FormerPage(_joined(pieces), None)
                pieces = []


def _joined(pieces: list[tuple[Page, Row]]) -> Page:
    whole = Page([], [], [])
    entry, extents = pieces[0][1].entry, []
    segments: list[tuple[int, int]] = []
    for page, row in pieces:
        packs, chunks = len(whole.packs), len(whole.chunks)
        whole.packs += page.packs
        whole.chunks += [(c[0], c[1] + packs, *c[2:]) for c in page.chunks]
        extents += [(chunk + chunks, offset, length) for chunk, offset, length in row.extents]
        segments += row.entry.segments or ()
    if entry.segments is not None:
        entry = msgspec.structs.replace(entry, segments=tuple(segments))
    whole.rows.append(Row(entry, extents))
    return whole
