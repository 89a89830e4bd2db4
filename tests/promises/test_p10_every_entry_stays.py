"""P10: whatever of the audit log is removed, changed, reordered or forked is found from the store.

By another machine, which has the store and the kit and nothing else. Here no lock holds: the
attacker edits the store's own files, and has the key of the host where a test says so.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from tests.promises.forgeries import flipped
from vault.audit.entry import Entry, encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.catalog.database import open_catalog
from vault.library import Vault
from vault.operations import homes
from vault.operations.audit_items import AuditReport
from vault.operations.enroll import Enrolment
from vault.repository.audit_log import seal_segment, stem, unseal_segment
from vault.store.names import named


@pytest.fixture(autouse=True)
def _nothing_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lacks its entry is not given the minute that a host may take to commit it."""
    monkeypatch.setattr("vault.operations.auditing._SETTLING", timedelta(days=-1))


class Trial:
    """A vault in plain files, and an attacker who may do anything to them."""

    def __init__(self, root: Path) -> None:
        self.home, self.url = root / "home", f"file://{root}/store?immutable=no"
        (root / "db").mkdir()
        Vault.init(self.home, store=self.url)
        with Vault.open(self.home) as vault:
            vault.add_volume(Enrolment(name="db", path=str(root / "db")))
            for _ in range(3):
                vault.pause("db")
                vault.pause("db", resume=True)
        self.vault = homes.read_vault_id(self.home)
        self.key = homes.read_writer_keys(self.home).signing
        self.folder = root / "store" / "objects" / "audit" / self.key.key_id

    def segments(self) -> list[Path]:
        """The files of the log, in order."""
        return sorted(self.folder.iterdir())

    def entries(self, path: Path) -> list[Entry]:
        """What a segment holds."""
        return [entry for _, entry in unseal_segment(path.read_bytes(), self.vault).entries()]

    def verify(self) -> AuditReport:
        """What another machine finds."""
        with Vault.from_store(self.url, self.home / homes.KIT) as vault:
            return vault.oversight.audit_verify()

    def found(self) -> set[str]:
        """The words of it."""
        return {finding.what for finding in self.verify().findings}

    def lay(self, first: int, record: bytes) -> Path:
        """Put a record at a place of the log, under its right name."""
        name = named(stem(self.key.key_id, first), record).rpartition("/")[2]
        (self.folder / name).write_bytes(record)
        return self.folder / name

    def resealed(self, first: int, entries: list[Entry]) -> bytes:
        """A segment with these entries behind the true ones before it, by the log's own key."""
        tree = Frontier()
        for path in self.segments():
            segment = unseal_segment(path.read_bytes(), self.vault)
            if segment.end <= first:
                tree = tree.grown(segment.hashes())
        leaves = [encode_entry(entry) for entry in entries]
        return seal_segment(self.vault, write_segment(self.vault, tree, leaves, self.key), self.key)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A vault with a log of several segments, in which all is well."""
    trial = Trial(tmp_path)
    assert trial.found() == set()
    assert len(trial.segments()) >= 7
    return trial


def test_every_removed_segment_is_found(trial: Trial, tmp_path: Path) -> None:
    """Each on its own, and then the last ones."""
    for path in trial.segments():
        path.rename(tmp_path / "aside")
        assert trial.found() & {"gap", "unlogged"}, path
        (tmp_path / "aside").rename(path)
    for path in trial.segments()[-2:]:
        path.unlink()
    assert "unlogged" in trial.found()
    with Vault.open(trial.home) as vault:
        assert "cut" in {f.what for f in vault.oversight.audit_verify().findings}


def test_every_changed_byte_is_found(trial: Trial) -> None:
    """In the entries, the checkpoint, the envelope, the signature."""
    for path in trial.segments():
        data = path.read_bytes()
        for eighth in range(8):
            path.write_bytes(flipped(data, len(data) * eighth + 3))
            assert "unreadable" in trial.found(), path
        path.write_bytes(data)
    assert trial.found() == set()


def test_every_exchange_is_found(trial: Trial) -> None:
    """Two neighbours that take each other's place, names and all."""
    segments = trial.segments()
    for one, other in pairwise(segments):
        data, more = one.read_bytes(), other.read_bytes()
        one.unlink()
        other.unlink()
        laid = trial.lay(int(other.name[:12]), data), trial.lay(int(one.name[:12]), more)
        found = trial.found()
        assert "forged" in found
        assert found & {"gap", "unlogged"}
        for path in laid:
            path.unlink()
        one.write_bytes(data)
        other.write_bytes(more)
    assert trial.found() == set()


def test_an_entry_that_its_own_key_writes_anew_is_found(trial: Trial) -> None:
    """Every checkpoint that follows it is of the log as it was."""
    for path in trial.segments()[:-1]:
        data, first = path.read_bytes(), int(path.name[:12])
        entries = trial.entries(path)
        changed = msgspec.structs.replace(entries[0], volume="another")
        path.unlink()
        laid = trial.lay(first, trial.resealed(first, [changed, *entries[1:]]))
        assert "altered" in trial.found()
        laid.unlink()
        path.write_bytes(data)
    assert trial.found() == set()


def test_a_second_history_by_the_key_itself_is_a_fork(trial: Trial) -> None:
    """At any place that is taken; nothing is lost of the first."""
    before = trial.verify().entries
    for path in trial.segments():
        first = int(path.name[:12])
        changed = [msgspec.structs.replace(e, volume="another") for e in trial.entries(path)]
        laid = trial.lay(first, trial.resealed(first, changed))
        report = trial.verify()
        assert "fork" in {finding.what for finding in report.findings}
        assert report.entries == before
        laid.unlink()


def test_a_home_that_forgot_its_log_goes_on_behind_it(trial: Trial) -> None:
    """The head in its catalog was set back; what the store holds is found first."""
    _set_head(trial, '{"size":0,"nodes":[]}')
    with Vault.open(trial.home) as vault:
        vault.pause("db")
    assert trial.found() == set()


def test_a_home_whose_memory_was_forged_is_found(trial: Trial) -> None:
    """Checkpoints over a tree that never was."""
    catalog = open_catalog(trial.home / "catalog.db")
    size = catalog.audit.size(trial.key.key_id)
    catalog.close()
    nodes = ", ".join(f'"{secrets.token_hex(32)}"' for _ in range(size.bit_count()))
    _set_head(trial, f'{{"size":{size},"nodes":[{nodes}]}}')
    with Vault.open(trial.home) as vault:
        vault.pause("db")
    assert "altered" in trial.found()


def _set_head(trial: Trial, head: str) -> None:
    """Make the home's catalog say that its log goes as far as this."""
    catalog = open_catalog(trial.home / "catalog.db")
    catalog.meta.set(f"audit_head:{trial.key.key_id}", head)
    catalog.close()


def test_an_entry_deleted_at_home_before_its_commit_is_missed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal has the event, and no log tells of it."""
    with monkeypatch.context() as patch, Vault.open(trial.home) as vault:
        patch.setattr("vault.operations.audit.commit", lambda _: None)
        vault.pause("db")
    catalog = open_catalog(trial.home / "catalog.db")
    with catalog.connection.writing() as handle:
        handle.execute("DELETE FROM audit WHERE place = -1")
    catalog.close()
    assert trial.found() == {"unlogged"}
