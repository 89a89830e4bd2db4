"""Amend: the next link of the charter, and no change of anybody else's undone by it."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import pytest

from tests.unit.operations.conftest import Site
from vault.codec.keyring import RecoveryKit, SigningKey
from vault.errors import AlreadyRunning, KitWrong, UsageError
from vault.operations import amend, homes
from vault.operations.amend import admit_member, revoke_member
from vault.repository.charter import Charter, load_charter, store_charter
from vault.store.contract import Writer


def kit_of(site: Site) -> RecoveryKit:
    """The kit that `init` wrote."""
    return homes.read_kit(site.home / homes.KIT)


def key() -> SigningKey:
    """A fresh key."""
    return SigningKey(secrets.token_bytes(32))


def names(site: Site) -> set[str]:
    """Who is in force."""
    charter = load_charter(site.write.reader, kit_of(site).root_public)
    return {member.name for member in charter.members if member.revoked_at is None}


def test_members_come_and_go(site: Site) -> None:
    kit, store, one = kit_of(site), site.write.store, key()
    admit_member(store, kit, one, role="writer", name="one")
    assert admit_member(store, kit, one, role="writer", name="one").number == 2
    assert names(site) == {"host", "purger", "one"}
    revoke_member(store, kit, "one")
    assert names(site) == {"host", "purger"}
    with pytest.raises(UsageError):
        revoke_member(store, kit, "one")


def test_a_kit_without_the_root_secret_changes_nothing(site: Site) -> None:
    kit = kit_of(site)
    blind = RecoveryKit(kit.vault, kit.store, None, kit.root_public, kit.identities)
    with pytest.raises(KitWrong):
        revoke_member(site.write.store, blind, "host")
    assert names(site) == {"host", "purger"}


@pytest.mark.parametrize("seconds", [0, 1])
def test_two_changes_at_once_are_never_both_acknowledged(
    site: Site, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Somebody revokes a key between this one's look and its own record: that stays."""
    kit, store = kit_of(site), site.write.store
    admit_member(store, kit, key(), role="writer", name="lost")

    def late(at: Writer, charter: Charter, root: SigningKey, until: datetime) -> str:
        monkeypatch.setattr(amend, "store_charter", store_charter)
        revoke_member(store, kit, "lost")
        site.clock.advance(timedelta(seconds=seconds))
        return store_charter(at, charter, root, until)

    monkeypatch.setattr(amend, "store_charter", late)
    with pytest.raises(AlreadyRunning):
        admit_member(store, kit, key(), role="writer", name="new")
    if seconds:  # within one second of the store's clock either may hold
        assert names(site) == {"host", "purger"}
