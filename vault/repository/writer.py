"""Recording a snapshot: contents and entries go in, in order; `commit` makes it true.

Order: session keys → packs, read back → locks → index → the snapshot object. What fails on the way
leaves packs that nothing refers to, and no snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from vault.clock import Clock
from vault.codec.chunker import PARAMETERS
from vault.codec.keyring import WriterKeys
from vault.errors import LockRefused, RepositoryError
from vault.ids import new_id, next_id
from vault.lifecycle.attack import Change
from vault.lifecycle.retention import Keep, lock_target
from vault.limits import CTIME_MARGIN
from vault.progress import Progress
from vault.provider import Entry, Finding, Kind, order_key
from vault.repository.assembly import Assembly, Span
from vault.repository.baseline import BaselineWriter, baseline_path, read_baseline
from vault.repository.charter import Charter
from vault.repository.content import ContentStream
from vault.repository.former import Former, Run
from vault.repository.index import LocalIndex
from vault.repository.index_objects import IndexWriter
from vault.repository.locks import Locks, LockTerms
from vault.repository.manifests import ManifestWriter
from vault.repository.pack import PackHead
from vault.repository.pipeline import Workshop
from vault.repository.sessions import new_session_keys, store_session
from vault.repository.snapshot import (
    SnapshotBody,
    SnapshotHeader,
    SnapshotRecord,
    read_snapshot,
    store_snapshot,
)
from vault.repository.uploads import PackStore
from vault.store.contract import WritableStore

_NOTHING: Final = Span(0, 0)
_FILE: Final = Kind.FILE.value
_EXTENDERS: Final = 8
_WAITING_STEP: Final = 1024  # entries that come together before they are looked at
_WAITING_MAX: Final = 65_536  # entries that wait for a pack; then it is closed as it is


class WriterParts(msgspec.Struct, frozen=True):
    """What recordings of one vault share. `home` is $VAULT_HOME: baselines lie below it."""

    store: WritableStore
    charter: Charter
    keys: WriterKeys
    index: LocalIndex
    clock: Clock
    home: Path
    progress: Progress


class VolumeFacts(msgspec.Struct, frozen=True):
    """What a snapshot's header says of its volume; `final_for`, `saved_for`: see there."""

    volume: str
    volume_name: str
    environment: str
    adapter: str
    source: dict[str, str]
    keep: Keep
    final_for: str = ""
    saved_for: str = ""


class Recording:
    """One snapshot in the making; a context manager, for one thread.

    Entries come in order of path, each by `keep` (content unchanged) or by `write` and `add`.
    Left without `commit`, it leaves no snapshot. Several may run at once.
    """

    def __init__(
        self,
        parts: WriterParts,
        facts: VolumeFacts,
        *,
        parent: SnapshotRecord | None,
        retain_until: datetime,
    ) -> None:
        self._parts = parts
        self._facts = facts
        self._parent = parent
        self._started_at = parts.clock.now()
        now = parts.store.now()
        self.id = next_id("snap", now, after=parent.header.id if parent else "")
        self._terms = _lock_terms(parts, now, retain_until)
        self._locks = Locks(self._terms)
        self._keys = new_session_keys(new_id("sess", now), parts.keys)
        until = self._terms.target
        self._index = IndexWriter(parts.store, parts.keys, self._keys.session, retain_until=until)
        self._shop = Workshop(self._pack_store())
        self._baseline_path = baseline_path(parts.home, facts.volume)
        self._baseline = BaselineWriter(self._baseline_path, parts.keys, self.id)
        self._manifest = ManifestWriter(self._shop, self._baseline)
        self._assembly = Assembly(self._manifest.add)
        self._content = ContentStream(self._shop, self._assembly.chunk)
        self._former = Former((), self._locks.holds, self._keep, 0)
        self._open = ExitStack()
        self._last: bytes | None = None
        self._unseen = 0
        self._files = 0
        self._bytes = 0
        self._holes = 0
        self._remembers = parent is None
        self._reported = (0, 0)

    def __enter__(self) -> Self:
        receipt = store_session(
            self._parts.store,
            self._parts.keys,
            self._keys,
            recipients=self._parts.charter.recipients,
            retain_until=self._terms.target,
        )
        self._locks.remember_session(self._keys.session, receipt)
        if self._parent is not None:
            self._former = self._remembered(self._parent)
        self._parts.progress.begin("snapshot")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._open:
            try:
                self._shop.close()
            finally:
                self._baseline.discard()
                self._parts.progress.end()

    def _remembered(self, parent: SnapshotRecord) -> Former:
        """The parent's entries as this host remembers them; none where it does not.

        The packs of the parent are made sure of first, so that `keep` asks the store for nothing.
        """
        frames = read_baseline(self._baseline_path, self._parts.keys, parent.header.id)
        if frames is None:
            return self._former
        self._remembers = True
        with ExitStack() as opened:
            opened.callback(frames.close)
            with ThreadPoolExecutor(_EXTENDERS, "vault-extend") as threads:
                self._locks.secure_all(parent.header.packs, parent.header.sessions, threads)
            self._open = opened.pop_all()
        racy_after = int((parent.header.started_at - CTIME_MARGIN).timestamp() * 1_000_000) * 1000
        return Former(frames, self._locks.holds, self._keep, racy_after)

    def keep(self, entry: Entry) -> bool:
        """Add an entry as the parent has it, whose content is not read again.

        False where it is not unchanged, or a pack that it needs is gone or cannot be locked: write
        it anew then.
        """
        return self._former.keep(entry)

    def _keep(self, run: Run) -> None:
        rows = run.former.page.rows[run.start : run.stop]
        for entry in [row.entry for row in rows]:
            self._count(entry)
        self._last = order_key(rows[-1].entry.path)
        self._assembly.then(partial(self._manifest.keep, run), len(rows))
        self._look(len(rows))

    def write(self, blocks: Iterable[bytes]) -> Span:
        """Store a content; returns where it is, for `add`. Raises what `blocks` and stores raise.

        Contents that no entry is added for (torn ones, read again) only take room.
        """
        return self._content.write(blocks)

    def add(self, entry: Entry, span: Span | None) -> None:
        """Add an entry with the content that was written last for it; None for none.

        Raises RepositoryError where entries do not come in order.
        """
        self._former.flush()
        place = order_key(entry.path)
        if self._last is not None and place <= self._last:
            raise RepositoryError(f"entries out of order: {entry.path!r} came late or twice")
        self._last = place
        self._count(entry)
        self._assembly.add(entry, _NOTHING if span is None else span)
        self._look(1)

    def _count(self, entry: Entry) -> None:
        if entry.kind == _FILE:
            self._files += 1
            if entry.link is None:
                self._bytes += entry.size
                if entry.segments is not None:
                    self._holes += entry.size - sum(length for _, length in entry.segments)

    def _look(self, entries: int) -> None:
        """Pass on what is complete; where too much waits, close the pack that it waits for."""
        self._unseen += entries
        if self._unseen < _WAITING_STEP:
            return
        self._unseen = 0
        self._assembly.advance()
        if len(self._assembly) >= _WAITING_MAX:
            self._content.finish()
            self._assembly.advance()
        self._report()

    def _report(self) -> None:
        files, size = self._files - self._reported[0], self._bytes - self._reported[1]
        self._reported = (self._files, self._bytes)
        self._parts.progress.advance(files=files, size=size)

    def commit(self, findings: Sequence[Finding]) -> SnapshotRecord:
        """Make the snapshot true: on return it is stored, locked, and was read back.

        Raises the first error that any part of the work met; then there is no snapshot.
        """
        self._former.finish()
        self._content.finish()
        self._assembly.advance()
        table = self._manifest.finish()
        self._shop.settle()
        packs = self._manifest.packs
        if len(self._assembly) or not all(map(self._locks.holds, packs.values())):
            raise LockRefused(
                "a pack that the snapshot needs is not locked for long enough",
                safe="Nothing was acknowledged; former snapshots stay as they are.",
                hint="Take the snapshot again: what cannot be relied on is stored anew.",
            )
        self._locks.secure_charters()
        self._index.finish()
        body = SnapshotBody(table, tuple((f.what, f.path, f.detail) for f in findings))
        header = self._header(packs.values(), len(findings))
        signer = self._parts.keys.signing
        receipt = store_snapshot(self._parts.store, header, body, keys=self._keys, signer=signer)
        record = read_snapshot(self._parts.store, self._parts.charter, receipt.key, [])
        self._baseline.commit()
        self._report()
        return record

    def _header(self, packs: Iterable[PackHead], findings: int) -> SnapshotHeader:
        facts, heads = self._facts, list(packs)
        return SnapshotHeader(
            vault=self._parts.charter.vault,
            id=self.id,
            volume=facts.volume,
            volume_name=facts.volume_name,
            environment=facts.environment,
            adapter=facts.adapter,
            source=facts.source,
            parent=self._parent.header.id if self._parent else "",
            session=self._keys.session,
            started_at=self._started_at,
            finished_at=self._parts.clock.now(),
            files=self._files,
            bytes=self._bytes,
            bytes_added=self._shop.stored_bytes,
            findings=findings,
            final_for=facts.final_for,
            saved_for=facts.saved_for,
            keep=facts.keep,
            packs=tuple(sorted(head.digest.hex() for head in heads)),
            sessions=tuple(sorted({self._keys.session, *(head.session for head in heads)})),
            retain_until=self._terms.needed,
            chunker=PARAMETERS,
            change=self._change(),
        )

    def _change(self) -> Change | None:
        """What became of the parent's contents; None where this host does not remember them.

        All is read anew then, and cut in other places: what was stored before looks new.
        """
        if not self._remembers:
            return None
        (written, packed), parent = self._content.new, self._parent
        data = self._bytes - self._holes
        new = min(written, data)  # what was read again and again is there once
        had = 0
        if parent is not None:
            told = parent.header.change
            had = told.kept + told.new if told else parent.header.bytes
        return Change(
            kept=data - new,
            new=new,
            packed=packed * new // max(written, 1),
            replaced=max(had - (data - new), 0),
        )

    def _pack_store(self) -> PackStore:
        parts = self._parts
        return PackStore(
            store=parts.store,
            index=parts.index,
            locks=self._locks,
            vault=parts.charter.vault,
            keys=self._keys,
            until=self._terms.target,
            stored=self._index.add,
        )


def _lock_terms(parts: WriterParts, now: datetime, retain_until: datetime) -> LockTerms:
    """Until when everything must be locked: never less than the charter's minimum."""
    charter = parts.charter
    least = now + timedelta(seconds=charter.min_lock_seconds)
    needed = max(retain_until, least).replace(microsecond=0)
    ceiling = timedelta(seconds=charter.max_lock_seconds)
    target = lock_target(now, minimum=needed - now, ceiling=ceiling)
    return LockTerms(
        store=parts.store,
        index=parts.index,
        charter=charter,
        writer=parts.keys.signing.public_hex,
        needed=needed,
        target=max(needed, target.replace(microsecond=0)),
    )
