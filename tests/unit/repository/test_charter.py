"""The chain of charters."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests.unit.repository.founding import (
    LOCK,
    PURGER,
    RECIPIENT,
    ROOT,
    STRANGER,
    VAULT,
    WRITER,
    Site,
    charter,
    lay_over,
)
from vault.codec.envelope import sign
from vault.errors import FeatureUnknown, UsageError, VaultMissing
from vault.repository.charter import (
    EnvironmentTerms,
    Member,
    load_charter,
    load_latest,
    store_charter,
)
from vault.store.memory import MemoryStore
from vault.store.names import digest_of, named
from vault.testing.clock import START, ManualClock


def add(site: Site, number: int, **changes: object) -> str:
    """Store another link."""
    previous = digest_of(site.charter_key) or ""
    return store_charter(site.store, charter(number, previous, **changes), ROOT, LOCK)


def put(site: Site, stem: str, data: bytes) -> str:
    """Lay any bytes under a proper name."""
    return site.store.put(named(stem, data), data, LOCK).key


def test_the_highest_number_holds() -> None:
    """With its key and the store's date."""
    site = Site()
    assert load_charter(site.store, ROOT.public_hex) == site.charter
    at = site.pass_time(hours=1)
    key = add(site, 2, min_lock_seconds=31 * 86400)
    stored = load_latest(site.store, ROOT.public_hex, site.tampering)
    assert (stored.key, stored.stored_at) == (key, at)
    assert stored.charter.min_lock_seconds == 31 * 86400
    assert site.tampering == []


def test_nothing_by_another_root() -> None:
    """An empty store, and one whose vault is somebody else's."""
    with pytest.raises(VaultMissing):
        load_charter(MemoryStore(ManualClock()), ROOT.public_hex)
    with pytest.raises(VaultMissing, match="root key") as caught:
        load_charter(Site().store, STRANGER.public_hex)
    assert caught.value.hint


def test_a_charter_that_is_damaged_is_named() -> None:
    """And not only missed."""
    site = Site()
    site.store.rot(site.charter_key, b"rotten")
    with pytest.raises(VaultMissing, match=site.charter_key):
        load_charter(site.store, ROOT.public_hex)


def test_forgeries_and_markers_change_nothing() -> None:
    """Well-formed charters by strangers and members, other kinds, junk, markers, overwrites."""
    site = Site()
    forged = charter(2, digest_of(site.charter_key) or "", root=STRANGER.public_hex)
    body = msgspec.json.encode(forged)
    for stem, data in (
        ("charter/00000002", sign("charter", VAULT, body, STRANGER)),
        ("charter/00000003", sign("charter", VAULT, body, WRITER)),
        ("charter/00000004", sign("event", VAULT, body, ROOT)),
        ("charter/99999999", b"junk"),
        ("charter/00000005", sign("charter", VAULT, body, STRANGER, features=("x",))),
        ("charter/nonsense", sign("charter", VAULT, body, ROOT)),
        ("charter/00000006", b"VAULTREC\x00\x09" + bytes(100)),
    ):
        put(site, stem, data)
    lay_over(site.store, site.charter_key, sign("charter", VAULT, body, STRANGER))
    assert load_charter(site.store, ROOT.public_hex, site.tampering) == site.charter
    assert {"forged", "unauthentic", "marker", "overwritten"} <= site.words()
    assert len({key for key, _ in site.seen()}) == 8


def test_a_charter_under_another_number_counts_for_nothing() -> None:
    """Raising an old one to the top neither works nor keeps anybody out: the signed number counts.

    Anyone who can put can do that, and what is locked stays for a year.
    """
    site = Site()
    key = put(site, "charter/00000007", site.store.get(site.charter_key))
    assert load_charter(site.store, ROOT.public_hex, site.tampering) == site.charter
    assert site.seen() == {(key, "forged")}


def test_an_unknown_feature_is_refused() -> None:
    """By the root's own word only."""
    site = Site()
    add(site, 2, features=("shards",))
    with pytest.raises(FeatureUnknown, match="shards"):
        load_charter(site.store, ROOT.public_hex)


def test_a_missing_link_and_a_fork_are_noted() -> None:
    """The root's signature decides; the first of two with one number holds."""
    site = Site()
    first = add(site, 2, min_lock_seconds=31 * 86400)
    site.pass_time(seconds=5)
    second = add(site, 2, min_lock_seconds=32 * 86400)
    stored = load_latest(site.store, ROOT.public_hex, site.tampering)
    assert stored.key == first
    assert site.seen() == {(second, "fork")}
    site.store.lose(site.charter_key)
    load_charter(site.store, ROOT.public_hex, site.tampering)
    assert "gap" in site.words()


def test_membership_ends_when_it_is_revoked() -> None:
    """By the store's time of what was signed."""
    revoked = START + timedelta(days=1)
    members = (Member(WRITER.public_hex, "writer", "host", START, revoked),)
    terms = charter(members=members)
    assert terms.allows(WRITER.public_hex, "writer", revoked - timedelta(seconds=1))
    assert not terms.allows(WRITER.public_hex, "writer", revoked)
    assert not terms.allows(WRITER.public_hex, "purger", START)
    assert not terms.allows(PURGER.public_hex, "writer", START)


def test_a_protected_window_has_a_floor() -> None:
    """Even in a charter that says less."""
    terms = charter(
        environments={
            "production": EnvironmentTerms("protected", 60),
            "ci": EnvironmentTerms("ephemeral", 60),
        }
    )
    assert terms.window("production") == timedelta(hours=48)
    assert terms.window("ci") == timedelta(minutes=1)
    assert terms.window("unknown") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"vault": "vault_x"},
        {"number": 0},
        {"number": 2},
        {"previous": "ab" * 32},
        {"recipients": ()},
        {"min_lock_seconds": 0},
        {"max_lock_seconds": 86400},
        {"final_lock_seconds": -1},
        {"root": STRANGER.public_hex},
        {"environments": {"production": EnvironmentTerms("protected", 48 * 3600 - 1)}},
        {"members": (Member("nonsense", "writer", "x", START),)},
        {"members": (Member(ROOT.public_hex, "writer", "x", START),)},
        {"members": (Member(WRITER.public_hex, "writer", "x", START, START),) * 2},
    ],
)
def test_a_charter_that_contradicts_itself_is_not_stored(changes: dict[str, object]) -> None:
    """Refused before it is signed: it could not be taken back."""
    store = MemoryStore(ManualClock())
    with pytest.raises(UsageError):
        store_charter(store, charter(**changes), ROOT, LOCK)  # type: ignore[arg-type]
    assert list(store.list("")) == []
    store_charter(store, charter(recipients=(RECIPIENT,)), ROOT, LOCK)
