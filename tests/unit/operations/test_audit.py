"""Commit: every entry once, in order, in the store before it is relied on, whatever breaks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from vault.audit.entry import EntryKind, decode_entry, encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.catalog.database import open_catalog
from vault.codec.signing import SigningKey
from vault.errors import StoreUnreachable, Unauthentic
from vault.operations import homes
from vault.operations.amend import admit_member, record_lock, revoke_member
from vault.operations.audit import commit
from vault.operations.ledger import enter
from vault.operations.rebuild import rebuild
from vault.operations.reconcile import reconcile
from vault.operations.unit import RecordUnit, WriteUnit
from vault.repository.audit_log import StoredSegment, put_segment, read_segments, seal_segment
from vault.repository.charter import load_charter
from vault.store.contract import Receipt, WritableStore
from vault.store.memory import MemoryStore
from vault.store.rights import WriterRight


class Breaking(WriterRight):
    """Loses the answer of the next put, or never carries it out."""

    def __init__(self, store: WritableStore, *, before: bool = False) -> None:
        self._beneath = store
        self._store = store  # type: ignore[assignment]
        self._before = before
        self.late: list[tuple[str, bytes, datetime]] = []

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        if self._before:
            self.late.append((key, bytes(data), retain_until))
        else:
            self._beneath.put(key, data, retain_until)
        raise StoreUnreachable("the answer was lost")


def told(unit: RecordUnit, *names: str) -> None:
    """Let an entry wait for each name."""
    for name in names:
        enter(unit, EntryKind.FROZEN, {"name": name, "reasons": []})


def waiting(unit: WriteUnit) -> list[str]:
    """The names in the entries that are not in the store yet."""
    entries = unit.catalog.audit.waiting(1000)
    return [entry.body["name"] for entry in entries if entry.kind is EntryKind.FROZEN]


def segments(unit: WriteUnit) -> list[StoredSegment]:
    """What is in the store, all of it authentic."""
    notes: list[object] = []
    found = list(read_segments(unit.reader, unit.charter, notes))  # type: ignore[arg-type]
    assert not notes
    return found


def names(unit: WriteUnit) -> list[str]:
    """The names in the entries of the store, in order; the segments follow each other."""
    tree, found = Frontier(), []
    for stored in segments(unit):
        assert stored.segment.first == tree.size
        tree = tree.grown(stored.segment.hashes())
        assert (tree.size, tree.root()) == (
            stored.segment.checkpoint.size,
            stored.segment.checkpoint.root,
        )
        entries = map(decode_entry, stored.segment.leaves)
        found += [entry.body["name"] for entry in entries if entry.kind is EntryKind.FROZEN]
    return found


def test_what_waits_is_in_the_store_in_one_segment(site: Site) -> None:
    """Under a lock as long as that of other records, and waits no more."""
    former = segments(site.write)  # those of the volume's enrolment
    told(site.write, "a", "b", "c")
    commit(site.write)
    assert names(site.write) == ["a", "b", "c"]
    (stored,) = segments(site.write)[len(former) :]
    first = former[-1].segment.end
    assert stored.key.startswith(f"audit/{site.write.signer.key_id}/{first:012d}-")
    lock = site.memory.retention(stored.key, version=stored.version)
    assert lock.until is not None
    assert lock.until >= record_lock(site.clock.now()) - timedelta(days=1)
    assert not site.write.catalog.audit.waiting(1)
    assert site.write.catalog.audit.size(stored.log) == stored.segment.end


def test_logs_grow_by_segments(site: Site) -> None:
    """Each with a checkpoint over all that came before; nothing to do makes none."""
    former = segments(site.write)
    for name in "abcde":
        told(site.write, name)
        commit(site.write)
        commit(site.write)
    assert names(site.write) == list("abcde")
    assert len(segments(site.write)) == len(former) + 5


def test_many_entries_make_several_segments(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """None above its bounds."""
    monkeypatch.setattr("vault.operations.audit.ENTRIES_MAX", 3)
    monkeypatch.setattr("vault.operations.audit.BYTES_TARGET", 600)
    wanted = [f"{number:03d}" for number in range(8)]
    told(site.write, *wanted)
    commit(site.write)
    assert names(site.write) == wanted
    assert len(segments(site.write)) >= 4


@pytest.mark.parametrize("before", [True, False], ids=["never-stored", "stored"])
def test_a_lost_answer_loses_and_doubles_nothing(site: Site, *, before: bool) -> None:
    """Entries still wait; the next commit brings them, and what was entered meanwhile."""
    broken = Breaking(site.write.store, before=before)
    told(site.write, "a", "b")
    with pytest.raises(StoreUnreachable):
        commit(replace(site.write, store=broken))
    assert waiting(site.write) == ["a", "b"]
    told(site.write, "c")
    commit(site.write)
    assert names(site.write) == ["a", "b", "c"]


def test_a_put_that_arrives_late_forks_nothing(site: Site) -> None:
    """The segment that may be on its way was stored again, byte for byte, before any other."""
    broken = Breaking(site.write.store, before=True)
    told(site.write, "a")
    with pytest.raises(StoreUnreachable):
        commit(replace(site.write, store=broken))
    told(site.write, "b")
    commit(site.write)
    for key, data, until in broken.late:
        site.write.store.put(key, data, until)
    assert names(site.write) == ["a", "b"]


def test_out_of_reach_nothing_is_lost(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit raises, and the entries wait."""
    told(site.write, "a")

    def gone(self: MemoryStore, prefix: str) -> Iterator[None]:
        raise StoreUnreachable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "list", gone)
        with pytest.raises(StoreUnreachable):
            commit(site.write)
    assert waiting(site.write) == ["a"]
    commit(site.write)
    assert names(site.write) == ["a"]


def test_a_catalog_that_was_lost_takes_up_the_log(site: Site) -> None:
    """What the store holds of this key is taken in before anything follows it."""
    for name in "abc":
        told(site.write, name)
        commit(site.write)
    with closing(open_catalog(None)) as catalog:
        other = replace(site.write, catalog=catalog)
        told(other, "d")
        commit(other)
        assert catalog.audit.placed().keys() > site.write.catalog.audit.placed().keys()
    assert names(site.write) == list("abcd")


def test_an_older_copy_of_the_catalog_takes_up_the_log(site: Site) -> None:
    """Restored from before the last commits, it goes on behind them."""
    told(site.write, "a")
    commit(site.write)
    copy = site.home / "copy.db"
    with site.write.catalog.connection.reading() as handle:
        handle.execute("VACUUM INTO ?", (str(copy),))
    told(site.write, "b")
    commit(site.write)
    with closing(open_catalog(copy)) as catalog:
        older = replace(site.write, catalog=catalog)
        told(older, "c")
        commit(older)
    assert names(site.write) == ["a", "b", "c"]


def test_what_strangers_lay_in_the_way_stops_nothing(site: Site) -> None:
    """Bytes and delete markers where the next segment belongs."""
    told(site.write, "a")
    commit(site.write)
    log, until = site.write.signer.key_id, site.clock.now() + timedelta(days=40)
    former = segments(site.write)
    end = former[-1].segment.end
    site.write.store.put(f"audit/{log}/{end:012d}-{'0' * 64}", b"junk", until)
    told(site.write, "b")
    commit(site.write)
    found = list(read_segments(site.write.reader, site.write.charter, []))
    assert [stored.segment.first for stored in found[len(former) :]] == [end]


def test_a_revoked_key_enters_nothing(site: Site, tmp_path: Path) -> None:
    """The entries wait for a key that counts."""
    kit = homes.read_kit(site.home / homes.KIT)
    signer, home = SigningKey(b"o" * 32), tmp_path / "other"
    home.mkdir()
    admit_member(site.write, kit, signer, role="writer", name="other")
    with closing(open_catalog(home / "catalog.db")) as catalog:
        other = replace(site.write, home=home, catalog=catalog, signer=signer)
        charter = load_charter(site.write.reader, kit.root_public)
        site.clock.advance(timedelta(seconds=2))
        revoke_member(replace(other, charter=charter), kit, "host")
    unit = replace(site.write, charter=load_charter(site.write.reader, kit.root_public))
    former = segments(unit)
    told(unit, "a")
    site.clock.advance(timedelta(seconds=2))
    with pytest.raises(Unauthentic):
        commit(unit)
    assert waiting(unit) == ["a"]
    assert segments(unit) == former


def test_writers_and_purgers_have_their_own_logs(site: Site) -> None:
    """What one leaves waiting in a home, the next that commits brings in."""
    told(site.write, "a")
    commit(site.write)
    purger = site.purger
    enter(purger, EntryKind.FROZEN, {"name": "b", "reasons": []})
    commit(purger)
    logs = {stored.log for stored in segments(site.write)}
    assert logs == {site.write.signer.key_id, purger.signer.key_id}


def test_many_at_once_neither_fork_nor_lose(site: Site) -> None:
    """Eight threads, each with a connection of its own as a process has; all entries, once."""

    def work(number: int) -> None:
        with closing(open_catalog(site.home / "catalog.db")) as catalog:
            unit = replace(site.write, catalog=catalog)
            for step in range(5):
                told(unit, f"{number}-{step}")
                commit(unit)
                assert f"{number}-{step}" not in waiting(unit)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [None] * 8
    found = names(site.write)
    assert len(found) == 40
    assert len(set(found)) == 40


@pytest.mark.parametrize("odd", ["aud_7zzzzzzzzzzzzzzzzzzzzzzzzz", "zzz", "aud_"])
@pytest.mark.parametrize("anew", [False, True])
def test_no_other_member_keeps_a_host_from_entering(site: Site, odd: str, *, anew: bool) -> None:
    """The purger's log has one behind whose id nothing sorts; here it goes on all the same."""
    purger = site.purger
    told(purger, "purger")
    template = site.write.catalog.audit.waiting(1000)[-1]
    commit(site.write)
    leaf = encode_entry(msgspec.structs.replace(template, id=odd, body={"name": "odd"}))
    body = write_segment(purger.charter.vault, Frontier(), [leaf], purger.signer)
    record = seal_segment(purger.charter.vault, body, purger.signer)
    put_segment(purger.store, purger.signer.key_id, 0, record, record_lock(site.clock.now()))
    if anew:
        rebuild(site.write)
    reconcile(site.write)
    told(site.write, "a")
    commit(site.write)
    assert site.write.catalog.audit.books().freezes.frozen("a")
