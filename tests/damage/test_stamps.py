"""Time stamps by a real service, damaged, swapped, replayed or gone: found, and never believed.

The audit log and what is restored are not concerned.

The damage is drawn: VAULT_TEST_SEED repeats a run, and every failure names its seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.damage.homes import SEED, Site, make_site, read_home, stamp_with
from tests.damage.judging import Folder
from tests.damage.matrix import Changes, damages, one_of_each, some
from tests.tsa import make_authority, serving
from vault.library import Vault
from vault.operations import stamp
from vault.operations.audit_items import AuditReport
from vault.operations.items import FindingItem, RestoreRequest
from vault.repository.stamps import read_stamps
from vault.settings import AuditSettings
from vault.testing.trees import read_tree


@dataclass
class Stamped:
    """A site with two time stamps, oldest first by their keys, of logs of these sizes."""

    site: Site
    root: Path
    stamps: dict[str, int]

    @property
    def home(self) -> Path:
        """Of the host that had the log stamped."""
        return self.site.home

    def verified(self, changes: Changes) -> tuple[AuditReport, tuple[FindingItem, ...]]:
        """What audit verify says of a store with these changes, and what verify finds."""
        self.site.lay(self.site.homes[1])
        place = Folder(self.site.root / "store")
        for key, data in changes.items():
            place.put(key, data)
        with Vault.open(self.home) as vault:
            return vault.oversight.audit_verify(self.root), vault.verify(deep=True).findings

    def restored(self) -> None:
        """Insist that the newest snapshot comes back as it was, with not a word."""
        target = self.site.root / "back"
        with Vault.open(self.home) as vault:
            report = vault.restore(RestoreRequest(what="db", to=target, kit=self.site.kit))
        assert not report.findings
        assert read_tree(target) == self.site.trees[-1]


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamped]:
    """Made once."""
    authority = make_authority()
    site = make_site(tmp_path_factory.mktemp("site"))
    site.lay(site.homes[1])
    sizes = []
    with serving(authority) as service, Vault.open(site.home) as vault:
        audit = AuditSettings(timestamp_url=service.url, timestamp_roots=str(authority.root))
        for _ in range(2):
            vault.pause("db")
            vault.pause("db", resume=True)
            unit = vault._writing
            assert stamp.stamp(replace(unit, settings=replace(unit.settings, audit=audit)))
            sizes.append(unit.catalog.audit.size(unit.signer.key_id))
    site.homes[1] = read_home(site.home)
    site.keep_store()
    stamps = [key for key in site.objects() if key.startswith("stamps/")]
    yield Stamped(site, authority.root, dict(zip(stamps, sizes, strict=True)))
    shutil.rmtree(authority.folder)


@pytest.mark.parametrize("most", [6, pytest.param(None, marks=pytest.mark.long)])
def test_a_damaged_time_stamp_is_named_and_not_believed(stamped: Stamped, most: int | None) -> None:
    """What the log is said to hold, and what else was stamped, is as before."""
    sound, nothing = stamped.verified({})
    assert (sound.findings, nothing) == ((), ())
    assert sound.logs[0].stamped == max(stamped.stamps.values())
    objects = stamped.site.objects()
    cases = [d for d in damages(objects, stamped.site.vault, SEED) if d.kind == "stamps"]
    for damage in some(one_of_each(cases, SEED), SEED, most) if most else cases:
        report, findings = stamped.verified(damage.changes)
        hint = f"{damage.how}: {damage.what}, VAULT_TEST_SEED={SEED}"
        whole = [size for key, size in stamped.stamps.items() if key not in damage.changes]
        touched = {at for at, data in damage.changes.items() if data != objects.get(at)}
        wrong = {at for at in touched if damage.changes[at] is not None}
        told = {finding.path for finding in report.findings}
        assert wrong <= told, hint
        # Who reads the store alone cannot know of the one before the newest that it was ever there.
        assert told <= touched | {key.rpartition("/")[0] + "/" for key in touched}, hint
        # True bytes under another name are verify's only where they are read as a log's.
        assert {f.path for f in findings} <= wrong, hint
        assert {f.path for f in findings} >= wrong & objects.keys(), hint
        (log,), (as_it_was,) = report.logs, sound.logs
        assert (log.entries, log.root) == (as_it_was.entries, as_it_was.root), hint
        assert log.stamped == max(whole, default=0), hint
        assert bool(log.stamped_at) == bool(whole), hint
        stamped.restored()


def test_one_that_is_gone_is_missed_by_the_host_that_had_it_made(stamped: Stamped) -> None:
    """By its log: another host, and one whose catalog was made anew, cannot know."""
    newest = max(stamped.stamps)
    report, _ = stamped.verified({newest: None})
    (finding,) = report.findings
    assert (finding.what, finding.path) == ("missing", newest.rpartition("/")[0] + "/")
    assert report.logs[0].stamped == min(stamped.stamps.values())
    with Vault.from_store(f"file://{stamped.site.root}/store", stamped.site.kit) as vault:
        assert vault.oversight.audit_verify(stamped.root).findings == ()


def test_an_answer_about_an_older_log_stamps_no_newer_one(stamped: Stamped) -> None:
    """Though the host's own key says that it does."""
    older, _ = sorted(stamped.stamps)
    stamped.verified({})
    with Vault.open(stamped.home) as vault:
        unit = vault._reading
        told = {one.key: one.reply for one in read_stamps(unit.reader, unit.charter, [])}
        vault.pause("db")
        stamp_with(vault, told[older])
        report = vault.oversight.audit_verify(stamped.root)
    assert [finding.what for finding in report.findings] == ["unstamped"]
    assert report.logs[0].stamped == max(stamped.stamps.values())
