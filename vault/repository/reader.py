"""Reading a snapshot: entries by path, and their contents, proven before they are handed out."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, NamedTuple, Self

from vault import limits
from vault.errors import Corrupt, UsageError
from vault.provider import LostFolder, order_key
from vault.repository.authentic import TamperingLog
from vault.repository.contents import Contents, read_extent
from vault.repository.fetching import ChunkSource, Readahead, Wanted
from vault.repository.manifest import Extent, StoredEntry, join_rows
from vault.repository.pack import ChunkKind, ChunkRef
from vault.repository.pages import read_page, read_table
from vault.repository.sessions import SessionRing
from vault.repository.snapshot import SnapshotRecord, read_body
from vault.store.contract import Reader

_FETCHERS: Final = 4
_GAPS: Final = 8  # told of one by one, where pages are lost


class Gap(NamedTuple):
    """A place where entries are lost: after and before which path."""

    after: bytes | None
    before: bytes | None

    def __str__(self) -> str:
        told = [f"after “{_shown(self.after)}”"] if self.after is not None else []
        told += [f"before “{_shown(self.before)}”"] if self.before is not None else []
        return " and ".join(told or ["everywhere"])


def lies_in(path: bytes, gaps: Sequence[Gap]) -> bool:
    """Whether an entry of this path may be among those that are lost; `gaps` are in order."""
    key = order_key(path)
    place = bisect_left(gaps, key, key=lambda gap: order_key(gap.after or b""))
    end = gaps[place - 1].before if place else b""
    return end is None or key < order_key(end)


class SnapshotReader:
    """One snapshot, opened with the recovery kit's ring. Iterators of it are for one thread each.

    Raises what `read_body` does when something is first read. `close` ends its threads.
    """

    def __init__(
        self, reader: Reader, ring: SessionRing, record: SnapshotRecord, tampering: TamperingLog
    ) -> None:
        self._reader = reader
        self._ring = ring
        self.record = record
        self._tampering = tampering
        self._source = ChunkSource(reader, ring, record, tampering)
        self._threads = ThreadPoolExecutor(_FETCHERS, "vault-fetch")
        self._table: tuple[ChunkRef, ...] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading ahead; harmless when repeated."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def entries(self, under: bytes = b"") -> Iterator[StoredEntry]:
        """The entry of a path and all below it, in order; reads only the pages that it needs.

        Raises Corrupt at the end, after all that can be read, where pages are damaged.
        """
        for stored in self.walk(under, []):
            if not isinstance(stored.entry, LostFolder):
                yield stored

    def walk(self, under: bytes, gaps: list[Gap]) -> Iterator[StoredEntry]:
        """The same, and in their places the LostFolders above them.

        `gaps` takes, in order, where entries are lost.
        """
        damage: list[Corrupt] = []
        last, met = None, 0
        for stored in join_rows(self._rows(under, damage)):
            if len(damage) > met:
                gaps.append(Gap(last, stored.path))
                for path in _lost_folders(gaps[-1], stored.path):
                    if _lies_under(path, under):
                        yield StoredEntry(LostFolder.at(path))
            last, met = stored.path, len(damage)
            if _lies_under(stored.path, under):
                yield stored
            elif order_key(stored.path) > order_key(under):
                break
        if len(damage) > met:
            gaps.append(Gap(last, None))
        if damage:
            raise _lost(damage, gaps)

    def find(self, path: bytes) -> StoredEntry:
        """One entry, be it a LostFolder. Raises UsageError where the snapshot has no such path."""
        for stored in self.walk(path, []):
            if stored.path == path:
                return stored
        raise UsageError(
            f"“{path.decode('utf-8', 'backslashreplace')}” is not in snapshot "
            f"{self.record.header.id}",
            hint="See what is there with: vault ls",
        )

    def blocks(self, stored: StoredEntry) -> Iterator[bytes]:
        """The content of one entry, in order. Raises Corrupt naming its path."""
        ahead = self._ahead(ChunkKind.DATA)
        coming = iter(stored.extents)
        window: deque[tuple[Extent, Wanted]] = deque()
        while True:
            while ahead.room and (extent := next(coming, None)) is not None:
                window.append((extent, ahead.want(extent.chunk)))
            ahead.flush()
            if not window:
                return
            yield bytes(read_extent(ahead, stored, *window.popleft()))

    def contents(
        self, entries: Iterable[StoredEntry]
    ) -> Iterator[tuple[StoredEntry, Iterable[bytes | memoryview]]]:
        """Many entries with their contents, read ahead; each content before the next entry.

        Taking blocks raises Corrupt naming the path; the entries after it are not concerned.
        """
        return iter(Contents(entries, self._ahead(ChunkKind.DATA)))

    def _ahead(self, kind: ChunkKind) -> Readahead:
        return Readahead(self._source, kind, self._threads)

    def _rows(self, under: bytes, damage: list[Corrupt]) -> Iterator[StoredEntry]:
        """The rows of all pages, in order; one that cannot be read costs its own."""
        for body in self._ahead(ChunkKind.PAGE).all(self._page_refs(under)):
            try:
                yield from read_page(_insist_whole(body))
            except Corrupt as error:
                damage.append(error)

    def _page_refs(self, under: bytes) -> Iterator[ChunkRef | Corrupt]:
        """The pages that may hold `under` and what is below it."""
        target = order_key(under)
        former: ChunkRef | None = None
        for row in _ordered(self._ahead(ChunkKind.TABLE).all(self._table_refs())):
            if isinstance(row, Corrupt):
                yield row
                continue
            first, page = row
            if order_key(first) < target:
                former = page
                continue
            if former is not None:
                yield former
                former = None
            if not _lies_under(first, under):
                return
            yield page
        if former is not None:
            yield former

    def _table_refs(self) -> tuple[ChunkRef, ...]:
        if self._table is None:
            body = read_body(self._reader, self.record, self._ring, self._tampering)
            self._table = body.table
        return self._table


def _insist_whole(body: bytes | Corrupt) -> bytes:
    if isinstance(body, Corrupt):
        raise body
    return body


def _lost_folders(gap: Gap, path: bytes) -> Iterator[bytes]:
    """The folders above the path that follows a gap whose entries can only have stood in it."""
    if not path or len(path) > limits.LOST_PATH_MAX:
        return
    parts = path.split(b"/")
    for above in (b"/".join(parts[:count]) for count in range(len(parts))):
        if gap.after is None or order_key(above) > order_key(gap.after):
            yield above


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace") or "."


def _lost(damage: list[Corrupt], gaps: list[Gap]) -> Corrupt:
    """What the pages that cannot be read have cost."""
    more = [f"in {len(gaps) - _GAPS} more places"] if len(gaps) > _GAPS else []
    return Corrupt(
        f"{len(damage)} page(s) of the manifest are lost, and all entries "
        f"{'; '.join([*map(str, gaps[:_GAPS]), *more])}: {damage[0].message}",
        safe="All other entries can be read.",
        hint="Take what is missing from another snapshot of the volume.",
    )


def _ordered(bodies: Iterable[bytes | Corrupt]) -> Iterator[tuple[bytes, ChunkRef] | Corrupt]:
    """The rows of a page table, up to the first that is out of order; of lost parts, why.

    So no page is met twice: a table that repeats them would never come to an end.
    """
    last, met = b"", set[tuple[bytes, int]]()  # pages with the same first path, by their places
    for body in bodies:
        try:
            rows = read_table(_insist_whole(body))
        except Corrupt as error:
            yield error
            continue
        for first, page in rows:
            key, place = order_key(first), (page.place.pack, page.place.number)
            if key > last:
                last, met = key, set()
            if key < last or place in met:
                yield Corrupt("the page table is out of order")
                return
            met.add(place)
            yield first, page


def _lies_under(path: bytes, under: bytes) -> bool:
    return not under or path == under or path.startswith(under + b"/")
