"""Two hosts on one vault: what one of them is told holds at the other before it destroys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from vault.catalog.database import open_catalog
from vault.codec.signing import SigningKey
from vault.errors import Denied, StoreUnreachable, TokenInvalid
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.request import Verb
from vault.operations import homes
from vault.operations.amend import admit_member
from vault.operations.audit import commit, refresh
from vault.operations.freeze import freeze, panic, unfreeze
from vault.operations.gate import Question, admit
from vault.operations.identities import add_identity, enable
from vault.operations.tokens import TokenWish, authenticate, make_token, revoke, rotate
from vault.operations.unit import WriteUnit
from vault.repository.charter import load_charter

BOB = Principal(PrincipalKind.HUMAN, "bob@host")
DELETE = Question(Verb.DELETE, "db", environment="production", reason="no longer used")


@pytest.fixture
def other(site: Site, tmp_path: Path) -> Iterator[WriteUnit]:
    """A second writer, with a key, a home and a catalog of its own; both know of one another."""
    kit = homes.read_kit(site.home / homes.KIT)
    signer = SigningKey(b"o" * 32)
    admit_member(site.write, kit, signer, role="writer", name="other")
    charter = load_charter(site.write.reader, kit.root_public)
    site.write = replace(site.write, charter=charter, principal=BOB)
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    homes.write_private(home / homes.VAULT, kit.vault)
    with closing(open_catalog(home / "catalog.db")) as catalog:
        yield replace(site.write, home=home, catalog=catalog, signer=signer, charter=charter)


def test_a_panic_and_a_freeze_elsewhere_hold_here(site: Site, other: WriteUnit) -> None:
    """At the very next request that destroys, and no longer than there."""
    admit(other, DELETE)
    freeze(site.write, BOB.name, "a person has to look")
    with pytest.raises(Denied, match="a person has to look"):
        admit(other, DELETE)
    for _ in range(3):  # several segments since this host last looked
        freeze(replace(site.write, principal=replace(BOB, name="ann@host")), "bot", "and again")
    unfreeze(replace(site.write, principal=replace(BOB, name="ann@host")), BOB.name)
    admit(other, DELETE)
    panic(site.write, "tokens got out")
    with pytest.raises(Denied, match="tokens got out"):
        admit(other, DELETE)
    commit(other)


@pytest.mark.parametrize("how", ["token", "identity", "disabled", "key"])
def test_a_credential_that_is_revoked_elsewhere_counts_no_more_here(
    site: Site, other: WriteUnit, how: str
) -> None:
    """Not even for the very request that this host learns of it by: it was known a moment ago."""
    add_identity(other, "platform", "human")
    wish = TokenWish(name="platform", environment="production")
    first, second = make_token(other, wish), make_token(other, wish)
    callers = [replace(other, principal=authenticate(other, t.secret)) for t in (first, second)]
    for caller in callers:
        admit(caller, DELETE)
    refresh(site.write)
    if how == "disabled":
        enable(site.write, "platform", disabled=True)
    elif how == "key":
        rotate(site.write, at_once=True)
    else:
        revoke(site.write, first.id if how == "token" else "platform")
    authenticate(other, first.secret)  # this host has not looked since
    rule = "disabled" if how == "disabled" else "out-of-scope"
    with pytest.raises(Denied, match=rule):
        admit(callers[0], DELETE)
    assert other.catalog.audit.requests(most=1)[0].body["rules"] == [rule]
    with pytest.raises(TokenInvalid):
        authenticate(other, first.secret)
    if how == "token":
        admit(callers[1], DELETE)
    else:
        with pytest.raises(Denied, match=rule):
            admit(callers[1], DELETE)
    site.clock.advance(timedelta(seconds=1))
    if how != "disabled":  # what is made afterwards counts
        fresh = authenticate(other, make_token(other, wish).secret)
        admit(replace(other, principal=fresh), DELETE)


def test_where_the_others_cannot_be_heard_nothing_is_destroyed(
    site: Site, other: WriteUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is away nobody knows."""
    entries = len(list(other.catalog.audit.all()))

    def gone(*_: object, **__: object) -> None:
        raise StoreUnreachable("cut off")

    monkeypatch.setattr("vault.operations.audit.read_segments", gone)
    with pytest.raises(StoreUnreachable):
        admit(other, DELETE)
    assert len(list(other.catalog.audit.all())) == entries
