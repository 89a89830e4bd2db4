"""Extending the locks of snapshots and of everything that restoring them takes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from vault.repository.audit_log import StoredSegment
from vault.repository.journal import StoredEvent
from vault.repository.locks import Locks, LockTerms
from vault.repository.snapshot import SnapshotRecord

_THREADS: Final = 8


def extend_records(terms: LockTerms, records: Iterable[StoredEvent | StoredSegment]) -> None:
    """Keep records locked as long as they are of interest; each costs a call once a year."""
    locks = Locks(terms)
    with ThreadPoolExecutor(_THREADS, "vault-extend") as threads:
        for _ in threads.map(
            lambda stored: locks.secure_object(stored.key, stored.version), records
        ):
            pass


def extend_snapshots(
    terms: LockTerms, records: Iterable[SnapshotRecord]
) -> tuple[SnapshotRecord, ...]:
    """Lock packs, session keys, charters and snapshot objects; returns those that are short.

    A snapshot is short where something it needs is gone or cannot be locked. What is locked for
    long enough costs no call. `terms.writer` does not matter: each snapshot's own signer counts.
    Raises StoreUnreachable and the like: then nothing is known of the rest.
    """
    short: list[SnapshotRecord] = []
    ordered = sorted(records, key=attrgetter("signer_hex"))
    with ThreadPoolExecutor(_THREADS, "vault-extend") as threads:
        for signer, group in groupby(ordered, key=attrgetter("signer_hex")):
            locks = Locks(replace(terms, writer=signer))
            locks.secure_charters()
            for record in group:
                header = record.header
                locks.secure_all(header.packs, header.sessions, threads)
                whole = locks.all_secure(header.packs, header.sessions)
                if not (locks.secure_object(record.key, record.version) and whole):
                    short.append(record)
    return tuple(short)
