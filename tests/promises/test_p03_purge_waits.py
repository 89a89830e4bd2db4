"""P3: nothing is purged a second early by either clock, nor while anything at all is amiss.

Real processes with credentials of their own against a real server; days pass by moving the
server's clock, the host's, or both.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.promises.clocks import NOW, Days, later
from tests.promises.embedded import embed
from tests.promises.scenes import Scene, make_scene
from tests.rgw import client_time, fresh_bucket
from tests.signers import SoftKey
from vault.clock import SystemClock, parse_time
from vault.errors import ApprovalNeeded, ClockDisagrees
from vault.store.names import pack_key
from vault.testing.rgw import Server
from vault.testing.trees import read_tree

pytestmark = pytest.mark.rgw

AFTER = timedelta(hours=48, minutes=1)
MONTHS = timedelta(days=60)


@pytest.fixture
def days(rgw_own: Server, tmp_path: Path) -> Days:
    """A vault whose volume `db` has a snapshot."""
    scene = make_scene(fresh_bucket(rgw_own), tmp_path)
    scene.snapshot()
    return Days(scene)


def quarantined(scene: Scene) -> bool:
    """Whether the deleted data are still there, whole."""
    return len(list(scene.source.parent.glob(".vault-trash/tomb_*/data/some"))) == 1


def test_nothing_is_purged_a_second_early_by_either_clock(days: Days, tmp_path: Path) -> None:
    scene = days.scene
    kept = read_tree(scene.source)
    (tombstone,) = days.run("delete", "db", "--reason", "test")
    end = parse_time(tombstone["undo_until"])
    said, why = days.verdict()
    assert said == "refused"
    assert "the store's clock" in why
    assert "the host's clock" in why
    assert "no snapshot taken after the quarantine" in why
    days.daemon()

    # The server alone is ahead: its users are refused there, and refuse where they are not.
    days.move(server=AFTER, host=NOW)
    assert days.run("purger", "--once", role="purger", status=ClockDisagrees.status)
    with days.vault("purger", signing=AFTER, believed=NOW) as vault:
        (item,) = vault.purge().items
    assert item.verdict == "refused"
    assert any("disagree about the time" in reason for reason in item.reasons)
    assert any("the host's clock" in reason for reason in item.reasons)

    # The host alone is ahead.
    days.move(server=NOW, host=AFTER)
    assert days.run("purger", "--once", role="purger", status=ClockDisagrees.status)
    with days.vault("purger", signing=NOW, believed=AFTER) as vault:
        (item,) = vault.purge().items
    assert item.verdict == "refused"
    assert any("disagree about the time" in reason for reason in item.reasons)
    assert any("the store's clock" in reason for reason in item.reasons)
    assert quarantined(scene)

    # Both stand some seconds before the end; then they pass it.
    near = end - SystemClock().now() - timedelta(seconds=40)
    days.move(server=near, host=near)
    said, why = days.verdict()
    assert said == "refused"
    assert "the window ends" in why
    pass_the_end(days, end - near)
    assert quarantined(scene)
    assert days.verdict("--dry-run") == ("would-purge", "")
    assert quarantined(scene)
    assert days.verdict() == ("purged", "")
    assert not quarantined(scene)
    assert days.run("purger", "--once", role="purger") == []
    restored(days, tombstone["id"], tmp_path / "back")
    assert read_tree(tmp_path / "back") == kept


def pass_the_end(days: Days, end: datetime) -> None:
    """Ask over and over: refused while this host's true time is before the end, then no more."""
    clock, refused = SystemClock(), 0
    with days.vault("purger", signing=days.host, believed=days.host) as vault:
        while True:
            asked = clock.now()
            (item,) = vault.purge(dry_run=True).items
            if item.verdict != "refused":
                break
            refused += 1
            assert asked < end + timedelta(seconds=5), item.reasons
            time.sleep(0.2)
    assert refused >= 3
    assert item.verdict == "would-purge"
    assert clock.now() >= end


def restored(days: Days, what: str, to: Path) -> None:
    """Restore as the operator would."""
    days.run("restore", what, "--to", str(to), "--kit", str(days.scene.kit))


def test_whatever_is_amiss_keeps_the_data(days: Days) -> None:
    """A hold, a lock that would not outlast the purge, a final snapshot that is not whole."""
    scene = days.scene
    kept = read_tree(scene.source)
    (tombstone,) = days.run("delete", "db", "--reason", "test")
    days.move(server=AFTER, host=AFTER)
    said, why = days.verdict()
    assert (said, "no snapshot taken after the quarantine" in why) == ("refused", True)
    days.move(server=NOW, host=NOW)
    days.daemon()
    days.move(server=AFTER, host=AFTER)
    days.run("hold", tombstone["id"], "--reason", "asked by the auditors")
    assert days.verdict() == ("refused", "a hold is on it: asked by the auditors")
    released(days, tombstone["id"])
    assert days.verdict("--dry-run") == ("would-purge", "")

    # The daemon was silent: what it locked for the purge it had in mind is too short by now.
    days.move(server=timedelta(days=20), host=timedelta(days=20))
    said, why = days.verdict()
    assert (said, why.startswith("the final snapshot is locked until")) == ("refused", True)

    # Time passes until no lock protects the final snapshot, and a pack of it goes.
    days.move(server=MONTHS, host=MONTHS)
    lose_a_pack(days)
    days.move(server=AFTER, host=AFTER)
    said, why = days.verdict()
    assert said == "refused"
    assert "could not be verified" in why
    days.run("undelete", tombstone["id"])
    assert read_tree(scene.source) == kept


def released(days: Days, tombstone: str) -> None:
    """Take a hold off, which another person agrees to."""
    key = SoftKey()
    with days.vault("writer", signing=days.host, believed=days.host) as vault:
        vault.oversight.add_approver("eve", key.line, kit=days.scene.kit)
        with pytest.raises(ApprovalNeeded) as waits:
            vault.release(tombstone, "it is over")
        text = vault.oversight.approval(waits.value.ask).text
        vault.oversight.approve(waits.value.ask, key.sign(text))
        vault.release(tombstone, "it is over")


def lose_a_pack(days: Days) -> None:
    """Delete one of the final snapshot's, which is locked no longer, with the collector's right."""
    (final,) = [record.header for record in days.records() if record.header.final_for]
    with client_time(days.host):
        client = days.scene.client("collector")
        for version in days.scene.versions("collector"):
            if version["Key"].endswith(pack_key(final.packs[0])):
                where = {"Key": version["Key"], "VersionId": version["VersionId"]}
                client.delete_object(Bucket=days.scene.bucket.name, **where)
                return
    raise AssertionError("there is no such pack")


def test_an_undelete_after_the_window_still_wins_over_a_later_purge(days: Days) -> None:
    """The window ends the promise, not the data: until they are purged they come back."""
    kept = read_tree(days.scene.source)
    days.run("delete", "db", "--reason", "test")
    days.daemon()
    days.move(server=AFTER, host=AFTER)
    (item,) = days.run("undelete", "--all", "--since", "3d")
    assert item["state"] == "restored"
    assert days.run("purger", "--once", role="purger") == []
    assert read_tree(days.scene.source) == kept


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_final_snapshot_that_was_damaged_in_the_store_purges_nothing(
    tmp_path: Path, damage: str
) -> None:
    """In a folder on this host, where whoever owns it can do so; the time is accumulated there."""
    site = embed(tmp_path)
    kept = read_tree(site.source)
    with site.vault() as vault:
        tombstone = vault.delete("db", reason="test")
    site.daemon()
    with later(AFTER), site.vault("purger") as vault:
        assert [item.verdict for item in vault.purge(dry_run=True).items] == ["would-purge"]
        pack = max((site.store / "objects" / "packs").rglob("*/*"))
        data = pack.read_bytes()
        pack.unlink()
        if damage == "flipped":
            pack.write_bytes(data[:-100] + bytes([data[-100] ^ 1]) + data[-99:])
        (item,) = vault.purge().items
        assert item.verdict == "refused"
        assert "could not be verified" in "; ".join(item.reasons)
    with site.vault() as vault:
        vault.undelete([tombstone.id])
    assert read_tree(site.source) == kept
