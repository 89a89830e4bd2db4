"""P2: every delete becomes a tombstone; in a protected environment it can be undone for 48 hours.

No flag, variable, setting, second set-up or charter shortens that, nor does a writer's key in the
wrong hands. Who deletes can undo and cannot skip. A delete costs the same for any volume.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.promises.clocks import later
from tests.promises.embedded import Embedded, embed, writing
from tests.promises.scenes import Scene, answer, make_scene
from tests.rgw import RgwBucket
from vault.clock import SystemClock, parse_time
from vault.codec.envelope import sign
from vault.errors import (
    AlreadyInitialised,
    NotInitialised,
    SettingsError,
    Unauthentic,
    UsageError,
)
from vault.ids import new_id, next_id
from vault.library import Vault
from vault.lifecycle.event import Actor, Event, EventType, encode_event
from vault.operations.amend import record_lock
from vault.operations.homes import read_kit
from vault.operations.items import PurgeItem
from vault.operations.unit import WriteUnit
from vault.repository.charter import Charter, EnvironmentTerms, load_latest, store_charter
from vault.repository.journal import append_event, read_events
from vault.store.names import digest_of, named
from vault.store.opening import open_store
from vault.testing.trees import read_tree

FLOOR = timedelta(hours=48)
SECOND = timedelta(seconds=1)
MARGIN = timedelta(minutes=2)


@pytest.fixture
def site(tmp_path: Path) -> Embedded:
    """An embedded vault."""
    return embed(tmp_path)


def refused_until_the_floor(site: Embedded, tombstone: str) -> None:
    """The purger refuses until 48 hours are over, and not for ever."""
    assert _purged(site, FLOOR - MARGIN, tombstone).verdict == "refused"
    assert any("window" in reason for reason in _purged(site, FLOOR - MARGIN, tombstone).reasons)
    assert _purged(site, FLOOR + MARGIN, tombstone).verdict == "would-purge"


def _purged(site: Embedded, offset: timedelta, tombstone: str) -> PurgeItem:
    with later(offset), site.vault("purger") as vault:
        (item,) = [i for i in vault.purge(dry_run=True).items if i.tombstone == tombstone]
    return item


# --- the way there and back ----------------------------------------------------------------------


@pytest.mark.rgw
def test_a_delete_by_command_is_a_tombstone_in_the_store_and_is_undone(
    rgw_bucket: RgwBucket, tmp_path: Path
) -> None:
    scene = make_scene(rgw_bucket, tmp_path)
    kept = read_tree(scene.source)
    done = scene.run("delete", "db", "--reason", "replaced", "--task", "OPS-1", "--json")
    assert done.returncode == 0, done.stderr
    (tombstone,) = answer(done)
    assert not scene.source.exists()
    assert _length(tombstone) >= FLOOR
    stored = _types_in_store(scene)
    assert stored[-3:] == ["delete_requested", "quarantine_started", "quarantined"]

    done = scene.run("undelete", "--all", "--since", "10m", "--json")
    assert [item["state"] for item in answer(done)] == ["restored"]
    assert read_tree(scene.source) == kept
    assert _types_in_store(scene)[-1] == "undeleted"


@pytest.mark.rgw
def test_a_delete_by_library_is_undone_by_whoever_deleted(
    rgw_bucket: RgwBucket, tmp_path: Path
) -> None:
    scene = make_scene(rgw_bucket, tmp_path)
    kept = read_tree(scene.source)
    with scene.vault() as vault:
        tombstone = vault.delete("db", reason="replaced")
        assert tombstone.undo_until is not None
        assert tombstone.undo_until >= SystemClock().now() + FLOOR - MARGIN
        assert vault.undelete_since(timedelta(minutes=10))[0].state == "restored"
    assert read_tree(scene.source) == kept


def _length(tombstone: dict[str, str]) -> timedelta:
    return parse_time(tombstone["undo_until"]) - parse_time(tombstone["created_at"])


def _types_in_store(scene: Scene) -> list[str]:
    """What stands in the store, read by another role than the one that wrote it."""
    reader = open_store(scene.url, right="reader", clock=SystemClock(), profile="reader")
    root = (scene.home() / "root.pub").read_text("ascii").strip()
    charter = load_latest(reader, root).charter
    return [str(stored.event.type) for stored in read_events(reader, charter, [])]


# --- nothing shortens it -------------------------------------------------------------------------


@pytest.mark.parametrize("window", ["1s", "47h", "47h59m59s"])
def test_a_setting_below_the_floor_is_refused(site: Embedded, window: str) -> None:
    _set(site, f'[environments.production]\nwindow = "{window}"\n')
    with pytest.raises(SettingsError) as refusal, site.vault() as vault:
        vault.delete("db", reason="test")
    assert "48h" in refusal.value.message
    assert site.source.exists()


@pytest.mark.parametrize(
    "text",
    [
        '[environments.production]\nkind = "ephemeral"\nwindow = "1s"\n',
        '[environments.other]\nkind = "ephemeral"\nwindow = "1s"\n',
    ],
)
def test_a_setting_cannot_call_an_environment_ephemeral(site: Embedded, text: str) -> None:
    _set(site, text)
    with site.vault() as vault:
        tombstone = vault.delete("db", reason="test")
    assert tombstone.undo_until is not None
    assert tombstone.created_at is not None
    assert tombstone.undo_until >= tombstone.created_at + FLOOR
    site.daemon()
    refused_until_the_floor(site, tombstone.id)


def test_a_longer_window_is_honoured(site: Embedded) -> None:
    _set(site, '[environments.production]\nwindow = "72h"\n')
    with site.vault() as vault:
        tombstone = vault.delete("db", reason="test")
    site.daemon()
    assert _purged(site, timedelta(hours=72) - MARGIN, tombstone.id).verdict == "refused"
    # What was promised when it was deleted holds, also where the setting is gone by then.
    toml = site.home / "vault.toml"
    toml.write_text(toml.read_text("utf-8").partition("[environments.production]\nw")[0], "utf-8")
    assert _purged(site, timedelta(hours=72) - MARGIN, tombstone.id).verdict == "refused"
    assert _purged(site, timedelta(hours=72) + MARGIN, tombstone.id).verdict == "would-purge"


def test_no_word_on_the_command_line_shortens_it(site: Embedded) -> None:
    for words in (
        ("--window", "0"),
        ("--window=1s",),
        ("--force",),
        ("--now",),
        ("--purge",),
        ("--no-tombstone",),
        ("--environment", "staging"),
    ):
        done = site.run("delete", "db", "--reason", "test", *words, "--json")
        assert done.returncode == UsageError.status, words
        assert site.source.exists()


def test_no_variable_shortens_it(site: Embedded) -> None:
    names = ("WINDOW", "ENVIRONMENTS_PRODUCTION_WINDOW", "PROTECTED_WINDOW_FLOOR", "FORCE")
    env = {f"VAULT_{name}": "1" for name in names} | {"VAULT_API_VERSION": "0"}
    done = site.run("delete", "db", "--reason", "test", "--json", env=env)
    (tombstone,) = answer(done)
    assert _length(tombstone) >= FLOOR


def test_a_second_set_up_changes_nothing(site: Embedded, tmp_path: Path) -> None:
    """Not over this home, and not into this store from another home with a charter of its own."""
    with site.vault() as vault:
        tombstone = vault.delete("db", reason="test")
    site.daemon()
    with pytest.raises(AlreadyInitialised):
        Vault.init(site.home, store=f"file://{tmp_path}/elsewhere")
    with pytest.raises(AlreadyInitialised):
        Vault.init(tmp_path / "other", store=f"file://{site.store}?immutable=no")
    refused_until_the_floor(site, tombstone.id)


def test_a_charter_below_the_floor_cannot_be_signed_and_would_not_hold(site: Embedded) -> None:
    with site.vault() as vault:
        tombstone = vault.delete("db", reason="test")
    site.daemon()
    kit = read_kit(site.home / "recovery.kit")
    assert kit.root is not None
    with writing(site.home) as unit:
        latest = load_latest(unit.reader, kit.root_public)
        terms = EnvironmentTerms(kind="protected", window_seconds=1)
        weak: Charter = msgspec.structs.replace(
            latest.charter,
            number=latest.charter.number + 1,
            previous=digest_of(latest.key) or "",
            environments=dict.fromkeys(latest.charter.environments, terms),
        )
        lock = record_lock(unit.reader.now())
        with pytest.raises(UsageError):
            store_charter(unit.store, weak, kit.root, lock)
        # Signed past the library, with the root key itself: it is the newest charter now.
        data = sign("charter", weak.vault, msgspec.json.encode(weak), kit.root)
        unit.store.put(named(f"charter/{weak.number:08d}", data), data, lock)
    with writing(site.home) as unit:
        assert unit.charter.environments["production"].window_seconds == 1
    refused_until_the_floor(site, tombstone.id)
    with site.vault() as vault:
        vault.undelete([tombstone.id])
        again = vault.delete("db", reason="test")
    assert again.undo_until is not None
    assert again.created_at is not None
    assert again.undo_until >= again.created_at + FLOOR


# --- a writer's key in the wrong hands -----------------------------------------------------------


class Forger:
    """Signs what it likes with the writer's key: a delete by hand, past the library's rules."""

    def __init__(self, site: Embedded) -> None:
        self.site = site

    def delete(self, **lies: str) -> str:
        """Set the volume aside and record it with these words changed; returns the tombstone."""
        with writing(self.site.home) as unit:
            volume = unit.catalog.volumes.resolve("db")
            tombstone = new_id("tomb", unit.clock.now())
            place = unit.provider("directory").plan_quarantine(volume.location, tombstone)
            terms = {
                "volume_name": "db",
                "environment": "production",
                "provider": "directory",
                "window_seconds": "172800",
            }
            self.append(unit, EventType.DELETE_REQUESTED, tombstone, terms | lies)
            where = {"location": place.location, "held_at": place.held_at}
            where["identity"] = volume.identity
            self.append(unit, EventType.QUARANTINE_STARTED, tombstone, where)
            unit.provider("directory").quarantine(place)
            self.append(unit, EventType.QUARANTINED, tombstone, {"uptime": "0"})
            return tombstone

    def append(
        self, unit: WriteUnit, kind: EventType, tombstone: str, details: dict[str, str]
    ) -> None:
        """Record a step after the volume's newest, and say that it was years ago."""
        event = self.event(unit, kind, tombstone, details)
        lock = record_lock(unit.reader.now())
        unit.catalog.apply(append_event(unit.store, unit.signer, event, lock))

    def event(
        self, unit: WriteUnit, kind: EventType, tombstone: str, details: dict[str, str]
    ) -> Event:
        """The event that `append` stores."""
        volume = unit.catalog.volumes.resolve("db").id
        newest = list(read_events(unit.reader, unit.charter, [], volume=volume))[-1]
        return Event(
            id=next_id("evt", unit.reader.now(), after=newest.event.id),
            vault=unit.charter.vault,
            type=kind,
            volume=volume,
            tombstone=tombstone,
            at=unit.reader.now() - timedelta(days=1000),
            actor=Actor("human", "mallory"),
            details=details,
            previous=digest_of(newest.key) or "",
        )


@pytest.mark.parametrize("window", ["1", "0", "", "-5", "172799", "never"])
def test_a_forged_window_is_stretched_to_the_floor(site: Embedded, window: str) -> None:
    tombstone = Forger(site).delete(window_seconds=window)
    site.daemon()
    refused_until_the_floor(site, tombstone)


@pytest.mark.parametrize("environment", ["scratch", "no-such-environment", ""])
def test_a_forged_environment_gives_no_shorter_window(site: Embedded, environment: str) -> None:
    """The charter has an ephemeral environment by now; the volume was never in it."""
    kit = read_kit(site.home / "recovery.kit")
    assert kit.root is not None
    with writing(site.home) as unit:
        latest = load_latest(unit.reader, kit.root_public)
        scratch = EnvironmentTerms(kind="ephemeral", window_seconds=600)
        charter = msgspec.structs.replace(
            latest.charter,
            number=2,
            previous=digest_of(latest.key) or "",
            environments=latest.charter.environments | {"scratch": scratch},
        )
        store_charter(unit.store, charter, kit.root, record_lock(unit.reader.now()))
    tombstone = Forger(site).delete(window_seconds="1", environment=environment)
    site.daemon()
    refused_until_the_floor(site, tombstone)


def test_the_deleter_cannot_skip_the_window(site: Embedded) -> None:
    """What its key and home allow: no purge, no record of one, none that anybody would believe."""
    kept = read_tree(site.source)
    with site.vault() as vault:
        tombstone = vault.delete("db", reason="test")
        with pytest.raises(UsageError):
            vault.purge()
        with pytest.raises(UsageError):
            vault.collect()
    site.daemon()
    forger = Forger(site)
    with writing(site.home) as unit:
        lock = record_lock(unit.reader.now())
        for kind in (EventType.PURGE_STARTED, EventType.PURGED):
            with pytest.raises(Unauthentic):
                forger.append(unit, kind, tombstone.id, {})
            event = forger.event(unit, kind, tombstone.id, {})
            data = sign("event", event.vault, encode_event(event), unit.signer)
            unit.store.put(named(f"events/{event.volume}/{event.id}", data), data, lock)
    refused_until_the_floor(site, tombstone.id)
    # The name that a purge gives to what it has decided on is no record of one either.
    held = site.trash / tombstone.id
    (held / "data").rename(held / "purging")
    with later(FLOOR - MARGIN), site.vault("purger") as vault:
        assert [item.verdict for item in vault.purge().items] == ["refused"]
    (held / "purging").rename(held / "data")
    (site.home / "keys" / "purger.key").rename(site.root / "purger.key")
    with pytest.raises(NotInitialised), site.vault("purger") as vault:
        vault.purge()
    with site.vault() as vault:
        assert vault.undelete([tombstone.id])[0].state == "restored"
    assert read_tree(site.source) == kept


def _set(site: Embedded, text: str) -> None:
    toml = site.home / "vault.toml"
    toml.write_text(toml.read_text("utf-8") + "\n" + text, "utf-8")
