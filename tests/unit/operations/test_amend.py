"""Amend: the next link of the charter, judged, entered, and no change of anybody else's undone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.operations.approving import AGENT, make_council
from tests.unit.operations.conftest import Site
from vault.audit.entry import Entry, EntryKind
from vault.catalog.database import open_catalog
from vault.codec.keyring import RecoveryKit, SigningKey, new_identity
from vault.errors import (
    AlreadyRunning,
    ApprovalNeeded,
    Denied,
    KitWrong,
    StoreUnreachable,
    UsageError,
)
from vault.governance.principal import PrincipalKind
from vault.operations import amend, auditing, history, homes
from vault.operations.amend import (
    add_environment,
    add_recipient,
    admit_member,
    environment_terms,
    revoke_member,
)
from vault.operations.history import AuditFilter
from vault.operations.reconcile import reconcile
from vault.operations.unit import WriteUnit
from vault.repository.charter import Charter, load_charter, store_charter
from vault.store.contract import Writer

HOUR = timedelta(hours=1)
RECIPIENT = new_identity()[1]
CHANGES: dict[str, Callable[[WriteUnit, RecoveryKit], Charter]] = {
    "environment_added": lambda unit, kit: add_environment(
        unit, kit, "preview", environment_terms(ephemeral=True, window=HOUR), reason="a trial"
    ),
    "reader_added": lambda unit, kit: add_recipient(unit, kit, RECIPIENT, reason="a trial"),
    "member_added": lambda unit, kit: admit_member(
        unit, kit, SigningKey(b"n" * 32), role="writer", name="new"
    ),
    "member_revoked": lambda unit, kit: revoke_member(unit, kit, "purger", reason="a trial"),
}


def kit_of(site: Site) -> RecoveryKit:
    """The kit that `init` wrote."""
    return homes.read_kit(site.home / homes.KIT)


def key() -> SigningKey:
    """A fresh key."""
    return SigningKey(secrets.token_bytes(32))


def charter_of(site: Site) -> Charter:
    """The charter that holds."""
    return load_charter(site.write.reader, kit_of(site).root_public)


def names(site: Site) -> set[str]:
    """Who is in force."""
    return {member.name for member in charter_of(site).members if member.revoked_at is None}


def told(site: Site, kind: str) -> list[Entry]:
    """The entries of a kind; each has its place in the store."""
    found = list(site.write.catalog.audit.all(kind=kind))
    assert all(index >= 0 for _, (_, index) in found)
    return [entry for entry, _ in found]


def test_members_come_and_go(site: Site) -> None:
    kit, unit, one = kit_of(site), site.write, key()
    admit_member(unit, kit, one, role="writer", name="one")
    assert admit_member(unit, kit, one, role="writer", name="one").number == 2
    assert names(site) == {"host", "purger", "collector", "one"}
    revoke_member(unit, kit, "one")
    assert names(site) == {"host", "purger", "collector"}
    with pytest.raises(UsageError):
        revoke_member(unit, kit, "one")


def test_a_kit_without_the_root_secret_changes_nothing(site: Site) -> None:
    kit = kit_of(site)
    blind = RecoveryKit(kit.vault, kit.store, None, kit.root_public, kit.identities)
    with pytest.raises(KitWrong):
        revoke_member(site.write, blind, "purger")
    assert names(site) == {"host", "purger", "collector"}
    assert not told(site, "request")[1:]  # the volume's own


@pytest.mark.parametrize("kind", CHANGES)
def test_each_change_is_judged_and_entered(site: Site, kind: str) -> None:
    """Who, what and why; for people and for other tools."""
    CHANGES[kind](site.write, kit_of(site))
    (entry,), request = told(site, kind), told(site, "request")[-1]
    assert (entry.about, entry.caller.name) == (request.id, "ann@host")
    assert request.body["decision"] == "allow"
    assert request.body["about"].startswith(kind.replace("_", " "))
    assert request.body["reason"] == ("" if kind == "member_added" else "a trial")
    key = entry.body["charter"]
    assert [v.key for v in site.write.reader.list("charter/00000002")] == [key]
    (line,) = history.export(site.write, AuditFilter(kind=kind))
    event = json.loads(line)
    assert event["class_uid"] == 3004
    assert event["activity_id"] == (4 if kind == "member_revoked" else 1)
    assert event["entity"]["name"]
    assert auditing.verify(site.write).findings == ()


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("who", [PrincipalKind.AGENT, PrincipalKind.SERVICE])
def test_only_people_change_the_charter(site: Site, kind: str, who: PrincipalKind) -> None:
    """Though the kit be at hand; the attempt is entered."""
    unit = replace(site.write, principal=replace(AGENT, kind=who))
    with pytest.raises(Denied, match="no-rule"):
        CHANGES[kind](unit, kit_of(site))
    assert charter_of(site).number == 1
    assert told(site, "request")[-1].body["decision"] == "deny"
    assert not told(site, kind)


@pytest.mark.parametrize("kind", CHANGES)
def test_people_agree_where_they_are_enrolled(site: Site, kind: str) -> None:
    """But for a revocation: that is a brake, and cannot wait."""
    council, kit = make_council(site), kit_of(site)
    before = charter_of(site).number
    if kind != "member_revoked":
        with pytest.raises(ApprovalNeeded):
            CHANGES[kind](site.write, kit)
        assert charter_of(site).number == before
        council.agreed_by(["bob"], lambda: CHANGES[kind](site.write, kit))
    else:
        CHANGES[kind](site.write, kit)
    assert charter_of(site).number == before + 1
    assert len(told(site, kind)) == 1


def test_this_hosts_own_key_stays(site: Site) -> None:
    """It could not enter its own end; another of its name goes."""
    kit = kit_of(site)
    with pytest.raises(UsageError, match="but for this host's own"):
        revoke_member(site.write, kit, "host")
    admit_member(site.write, kit, key(), role="writer", name="host")
    revoke_member(site.write, kit, "host")
    own = site.write.signer.public_hex
    assert charter_of(site).allows(own, "writer", site.clock.now())
    assert names(site) == {"host", "purger", "collector"}


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("step", ["store_charter", "load_latest", "enter_amendment"])
def test_what_a_crash_kept_out_is_entered_by_the_next_run(
    site: Site, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    """Where it took effect; where it did not, nothing tells of it, and it can be made again."""
    kit, original = kit_of(site), getattr(amend, step)
    calls = iter((step == "store_charter", True))

    def dies(*words: object) -> object:
        if next(calls):
            raise _Killed
        return original(*words)

    with monkeypatch.context() as patched:
        patched.setattr(amend, step, dies)
        with pytest.raises(_Killed):
            CHANGES[kind](site.write, kit)
    happened = step != "store_charter"
    assert charter_of(site).number == 1 + happened
    assert not told(site, kind)
    reconcile(site.write)
    assert len(told(site, kind)) == happened
    reconcile(site.write)
    if not happened:
        CHANGES[kind](site.write, kit)
    (entry,) = told(site, kind)
    request = next(one for one in told(site, "request") if one.id == entry.about)
    assert (request.body["decision"], entry.caller.name) == ("allow", "ann@host")
    assert auditing.verify(site.write).findings == ()


def test_a_change_that_arrives_late_is_entered_then(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store did not answer, and had it all the same."""
    kit, late = kit_of(site), []

    def lost(at: Writer, charter: Charter, root: SigningKey, until: datetime) -> str:
        late.append((at, charter, root, until))
        raise StoreUnreachable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(amend, "store_charter", lost)
        with pytest.raises(StoreUnreachable):
            CHANGES["environment_added"](site.write, kit)
    reconcile(site.write)
    assert not told(site, "environment_added")
    store_charter(*late[0])
    reconcile(site.write)
    assert len(told(site, "environment_added")) == 1


def test_a_change_that_no_log_tells_of_is_found(site: Site) -> None:
    """Somebody with the root key went around the gate, or a host died and never came back."""
    kit = kit_of(site)
    assert kit.root is not None
    CHANGES["environment_added"](site.write, kit)
    site.clock.advance(timedelta(minutes=2))
    former = charter_of(site)
    (before,) = (v.key for v in site.write.reader.list("charter/00000002"))
    silent = replace(former, number=3, previous=before.rpartition("-")[2], recipients=(RECIPIENT,))
    until = site.clock.now() + timedelta(days=400)
    path = store_charter(site.write.store, silent, kit.root, until)
    assert auditing.verify(site.write).findings == ()  # it may be entered yet
    site.clock.advance(timedelta(minutes=2))
    (finding,) = auditing.verify(site.write).findings
    assert (finding.what, finding.path) == ("unlogged", path)


@pytest.mark.parametrize("seconds", [0, 1])
def test_two_changes_at_once_are_never_both_acknowledged(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: int
) -> None:
    """Somebody revokes a key between this one's look and its own record: that stays."""
    kit = kit_of(site)
    admit_member(site.write, kit, key(), role="writer", name="lost")
    elsewhere = key()
    admit_member(site.write, kit, elsewhere, role="writer", name="other")
    home = tmp_path / "other"
    home.mkdir(mode=0o700)
    with closing(open_catalog(home / "catalog.db")) as catalog:
        other = replace(
            site.write, home=home, catalog=catalog, signer=elsewhere, charter=charter_of(site)
        )

        def late(at: Writer, charter: Charter, root: SigningKey, until: datetime) -> str:
            monkeypatch.setattr(amend, "store_charter", store_charter)
            revoke_member(other, kit, "lost")
            site.clock.advance(timedelta(seconds=seconds))
            return store_charter(at, charter, root, until)

        monkeypatch.setattr(amend, "store_charter", late)
        with pytest.raises(AlreadyRunning):
            admit_member(site.write, kit, key(), role="writer", name="new")
        if seconds:  # within one second of the store's clock either may hold
            assert names(site) == {"host", "purger", "collector", "other"}
            assert len(told(site, EntryKind.MEMBER_ADDED)) == 2
    site.clock.advance(timedelta(minutes=2))
    whole = replace(site.write, charter=charter_of(site))
    assert {f.what for f in auditing.verify(whole).findings} <= {"fork"}
