"""Rebuild: make the catalog anew from the store's signed records; join from another machine."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vault.audit.entry import Entry
from vault.audit.merkle import Frontier
from vault.catalog.rebuild import ReadLog, refill
from vault.codec.keyring import RecoveryKit, SigningKey, WriterKeys
from vault.operations import homes
from vault.operations.amend import admit_member
from vault.operations.items import RebuildReport
from vault.operations.repeat import recall
from vault.operations.unit import ReadUnit, RecordUnit
from vault.operations.verify import tampering_items
from vault.repository.audit_log import read_segments
from vault.repository.journal import read_events
from vault.repository.snapshot import list_snapshots
from vault.settings import default_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """A home that is to work on a vault which exists already."""

    home: Path
    store_url: str
    writer_name: str
    profile: str = ""


def rebuild(unit: ReadUnit) -> RebuildReport:
    """Fill the catalog from the store's events, snapshots and audit logs; it is only read.

    Who deletes knows again, too, which requests its deletes came with.
    """
    refill(
        unit.catalog,
        read_events(unit.reader, unit.charter, unit.tampering),
        list_snapshots(unit.reader, unit.charter, unit.tampering),
        read_logs(unit),
    )
    if isinstance(unit, RecordUnit) and unit.role == "writer":
        recall(unit)
    return RebuildReport(
        volumes=len(unit.catalog.volumes.all()),
        snapshots=len(unit.catalog.snapshots.all()),
        tombstones=len(unit.catalog.tombstones.all()),
        findings=tampering_items(unit),
    )


def read_logs(unit: ReadUnit) -> Iterator[ReadLog]:
    """Every audit log in the store, as far as it has no gap."""
    entries: list[tuple[int, Entry]] = []
    head, name = Frontier(), ""
    for stored in read_segments(unit.reader, unit.charter, unit.tampering):
        if stored.log != name:
            if name:
                yield ReadLog(name, entries, head)
            entries, head, name = [], Frontier(), stored.log
        if stored.segment.first == head.size:
            entries += stored.entries()
            head = head.grown(stored.segment.hashes())
    if name:
        yield ReadLog(name, entries, head)


def prepare(kit: RecoveryKit, wish: Joining) -> None:
    """Begin a home for a vault that is in the store: its writer's key, and whom it trusts.

    Until it has joined there is no vault.toml, and so no vault in it.
    """
    path = wish.home / homes.WRITER_KEY
    if not path.exists():
        signing, chunk_ids, index = (secrets.token_bytes(32) for _ in range(3))
        keys = WriterKeys(kit.vault, wish.writer_name, SigningKey(signing), chunk_ids, index)
        homes.write_private(path, keys.text())
    homes.write_private(wish.home / homes.ROOT, kit.root_public + "\n")
    homes.write_private(wish.home / homes.VAULT, kit.vault + "\n")


def join(unit: RecordUnit, kit: RecoveryKit, wish: Joining) -> None:
    """Let a prepared home write: its key is admitted by the root key, which it enters itself.

    Order: what others have entered is known here → judged → charter, entry → vault.toml, the
    commit. Raises as every amendment does; repeated, it goes on from there.
    """
    rebuild(unit)
    name = homes.read_writer_keys(wish.home).name
    admit_member(unit, kit, unit.signer, role="writer", name=name)
    text = default_text(wish.store_url, unit.store.now(), profile=wish.profile)
    homes.write_private(wish.home / homes.SETTINGS, text)
