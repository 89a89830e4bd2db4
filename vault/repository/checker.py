"""Checking snapshots without the kit: what they need is there, authentic, locked long enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from vault.errors import Corrupt, FeatureUnknown, ObjectMissing, Unauthentic
from vault.progress import Progress
from vault.repository.authentic import Listed, TamperingLog, Verified, list_keys, read_listed
from vault.repository.charter import KIND as CHARTER
from vault.repository.charter import PREFIX as CHARTERS
from vault.repository.charter import Charter, signed_number
from vault.repository.records import open_record
from vault.repository.sessions import KIND as SESSION
from vault.repository.sessions import lies_in_place
from vault.repository.snapshot import SnapshotRecord
from vault.store.contract import LockMode, Reader
from vault.store.names import content_digest, digest_of, pack_key

_THREADS: Final = 8
_THREADS_DEEP: Final = 3  # each holds a whole pack
_AHEAD: Final = 32
_UNLOCKED: Final = datetime.min.replace(tzinfo=UTC)
_UNSEALED: Final = (
    "it is whole and locked, but lacks the immutable flag that the files of this store carry; "
    "the writer sets it again when it verifies, where it may"
)


@dataclass(frozen=True, slots=True)
class CheckTerms:
    """How to check: `deep` reads and hashes every byte; `executor` is any, threads by default."""

    deep: bool
    tampering: TamperingLog
    progress: Progress
    executor: Executor | None = None


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """What is wrong with an object: missing, damaged, unlocked, unsealed."""

    what: str
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at, and until when all of it is locked at least; sizes in bytes."""

    findings: tuple[CheckFinding, ...]
    objects: int
    packs: int
    bytes: int
    locked_until: datetime


@dataclass(frozen=True, slots=True)
class _Task:
    """One object to look at; `kind` where only a record of that kind, properly signed, counts."""

    listed: Listed
    needed: datetime
    deep: bool
    charter: Charter
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Result:
    key: str
    size: int
    locked_until: datetime
    finding: CheckFinding | None
    notes: TamperingLog = field(default_factory=list)


def check(
    reader: Reader, charter: Charter, records: Sequence[SnapshotRecord], *, terms: CheckTerms
) -> CheckReport:
    """Check all that restoring `records` takes: charters, keys, packs, the snapshots themselves.

    Every pack is there, every session's keys are signed by a chartered writer, and each is locked
    until the `retain_until` of every snapshot that needs it. Raises StoreError.
    """
    needs = _needs(records)
    missing = set(needs)
    findings: list[CheckFinding] = []
    objects = packs = size = 0
    locked_until = datetime.max.replace(tzinfo=UTC)
    terms.progress.begin("verify")
    try:
        for result in _run(reader, _tasks(reader, charter, needs, terms), terms):
            missing.discard(_need(result.key))
            terms.tampering.extend(result.notes)
            if result.finding is not None:
                findings.append(result.finding)
            objects += 1
            packs += result.key.startswith("packs/")
            size += result.size
            locked_until = min(locked_until, result.locked_until)
            terms.progress.advance(size=result.size)
    finally:
        terms.progress.end()
    for name in sorted(missing):
        findings.append(CheckFinding("missing", name, "a snapshot needs it; the store has none"))
        locked_until = _UNLOCKED
    return CheckReport(tuple(findings), objects, packs, size, locked_until)


def _needs(records: Iterable[SnapshotRecord]) -> dict[str, datetime]:
    """What the snapshots need, as `_need` names it, and until when."""
    needs: dict[str, datetime] = {}
    for record in records:
        header = record.header
        names = [pack_key(digest) for digest in header.packs]
        names += [f"keys/{session}" for session in header.sessions]
        for name in (*names, record.key):
            needs[name] = max(needs.get(name, header.retain_until), header.retain_until)
    return needs


def _need(key: str) -> str:
    """The name under which an object is needed: a session's keys go by their session."""
    return key.rpartition("-")[0] if key.startswith("keys/") else key


def _tasks(
    reader: Reader, charter: Charter, needs: dict[str, datetime], terms: CheckTerms
) -> Iterator[_Task]:
    if not needs:
        return
    for listed in list_keys(reader, CHARTERS, terms.tampering):
        yield _Task(listed, max(needs.values()), terms.deep, charter, CHARTER)
    for prefix, kind in (("keys/", SESSION), ("packs/", ""), ("snapshots/", "")):
        for listed in list_keys(reader, prefix, terms.tampering):
            needed = needs.get(_need(listed.key))
            if needed is not None:
                yield _Task(listed, needed, terms.deep, charter, kind)


def _run(reader: Reader, tasks: Iterator[_Task], terms: CheckTerms) -> Iterator[_Result]:
    """Do the tasks on the executor, some ahead."""
    if terms.executor is not None:
        yield from _ahead(reader, tasks, terms.executor)
        return
    with ThreadPoolExecutor(_THREADS_DEEP if terms.deep else _THREADS, "vault-check") as threads:
        try:
            yield from _ahead(reader, tasks, threads)
        finally:
            threads.shutdown(cancel_futures=True)


def _ahead(reader: Reader, tasks: Iterator[_Task], executor: Executor) -> Iterator[_Result]:
    waiting: deque[Future[_Result | None]] = deque()
    for task in tasks:
        waiting.append(executor.submit(_look, reader, task))
        if len(waiting) >= _AHEAD:
            yield from _present(waiting.popleft())
    while waiting:
        yield from _present(waiting.popleft())


def _present(future: Future[_Result | None]) -> Iterator[_Result]:
    result = future.result()
    if result is not None:
        yield result


def _look(reader: Reader, task: _Task) -> _Result | None:
    """Look at one object; None where it is a stranger's record or gone, which counts as nothing."""
    listed, version = task.listed, task.listed.version
    notes: TamperingLog = []
    if task.kind or task.deep or listed.versions > 1 or not listed.size:
        try:
            verified = read_listed(reader, listed, notes)
        except ObjectMissing:
            return None
        except Corrupt as error:
            damage = CheckFinding("damaged", listed.key, error.message)
            return _Result(listed.key, listed.size, _UNLOCKED, damage, notes)
        if task.kind and not _is_signed(task, verified):
            return None
        version = verified.version
    until, firm = _lock_of(reader, listed, version)
    finding: CheckFinding | None = None
    if until < task.needed:
        detail = f"locked until {until:%Y-%m-%d}, needed until {task.needed:%Y-%m-%d}"
        finding = CheckFinding("unlocked", listed.key, detail)
    elif not firm:
        finding = CheckFinding("unsealed", listed.key, _UNSEALED)
    return _Result(listed.key, listed.size, until, finding, notes)


def _is_signed(task: _Task, verified: Verified) -> bool:
    try:
        if task.kind == CHARTER:
            return signed_number(verified, task.charter.root, []) is not None
        record = open_record(task.charter, verified, task.kind)
    except (Corrupt, Unauthentic, FeatureUnknown):
        return False
    return lies_in_place(record.key, record.body)


def _lock_of(reader: Reader, listed: Listed, version: str) -> tuple[datetime, bool]:
    """The lock of the authentic version, or of a twin with the same bytes that is locked longer.

    A put that was tried twice leaves twins, and either may be the one that was extended. Also
    whether what else guards that version in this store stands.
    """
    held = _lock(reader, listed.key, version)
    for twin in listed.oldest:
        later = _lock(reader, listed.key, twin.version) if twin.version != version else held
        if later[0] > held[0]:
            data = reader.get(listed.key, version=twin.version)
            held = later if content_digest(data) == digest_of(listed.key) else held
    return held


def _lock(reader: Reader, key: str, version: str) -> tuple[datetime, bool]:
    """Until when nobody can delete a version; a lock that a right could bypass is none."""
    try:
        lock = reader.retention(key, version=version)
    except ObjectMissing:
        return _UNLOCKED, True
    until = lock.until or _UNLOCKED if lock.mode is LockMode.COMPLIANCE else _UNLOCKED
    return until, lock.firm
