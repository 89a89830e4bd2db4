"""Tell: everything is told, at least once, in order, and nobody waits for a receiver."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.messenger.receiving import receiving
from tests.unit.operations.conftest import Site
from tests.unit.operations.telling import SOON, Teller
from vault import limits
from vault.audit.entry import Entry, EntryKind
from vault.audit.merkle import Frontier
from vault.errors import UsageError
from vault.governance.approval import Plan
from vault.governance.principal import Principal, PrincipalKind
from vault.lifecycle.due import Task
from vault.operations import alarm, duties, tell
from vault.operations.approve import ask
from vault.operations.audit import commit
from vault.operations.delete import execute_delete, plan_delete
from vault.operations.freeze import freeze, panic, trip
from vault.operations.ledger import enter
from vault.operations.tell import ToldItem
from vault.operations.verify import verify
from vault.operations.watch import watch_volume
from vault.repository.authentic import list_keys
from vault.settings import ReceiverSettings
from vault.store.attest import Attestation, Check


@pytest.fixture
def teller(site: Site) -> Teller:
    """Nobody is told yet."""
    return Teller(site)


def deleted(site: Site) -> str:
    """The volume, deleted; the tombstone's id."""
    plan = plan_delete(site.write, "db", reason="no longer\nused", task="OPS-1")
    return execute_delete(site.write, plan).id


def test_a_delete_is_told_with_what_undoes_it(teller: Teller) -> None:
    """Nothing else that was entered on the way is."""
    tombstone = deleted(teller.site)
    with receiving() as inbox:
        teller.add(inbox.url)
        assert teller.round() == (ToldItem(receiver="ops", taken=1, fault=""),)
        assert teller.round() == ()
    (got,) = inbox.got
    told = got.notice
    assert told["event"] == "tombstone_made"
    assert (told["volume"], told["environment"]) == ("db", "production")
    assert (told["tombstone"], told["by"]) == (tombstone, "ann@host")
    assert f"vault undelete {tombstone}" in told["text"]
    assert "ann@host deleted “db” (production): no longer used\n" in told["text"]
    assert told["id"] == got.headers["Vault-Notice"]


def test_what_happens_is_told_whatever_it_is(teller: Teller) -> None:
    """From the real operations, each in its order."""
    unit, site = teller.unit, teller.site
    with receiving() as inbox:
        teller.add(inbox.url)
        bot = replace(unit, principal=Principal(PrincipalKind.AGENT, "deploy-bot"))
        trip(bot, "production", ("11 deletes in 10 minutes",))
        freeze(unit, "other-bot", "it is odd")
        panic(unit, "somebody has our tokens")
        moved = site.source.rename(site.source.with_name("moved"))
        watch_volume(unit, unit.catalog.volumes.resolve("db"))
        site.source.mkdir()
        watch_volume(unit, unit.catalog.volumes.resolve("db"))
        assert moved.exists()
        teller.round()
    assert inbox.events == [
        "identity_frozen",
        "identity_frozen",
        "panic",
        "volume_vanished",
        "volume_replaced",
    ]
    assert "The breaker tripped: 11 deletes" in inbox.got[0].notice["text"]
    assert "Somebody froze it: it is odd" in inbox.got[1].notice["text"]
    assert inbox.got[3].notice["volume"] == "db"


def test_an_approval_that_is_wanted_is_told(teller: Teller) -> None:
    with receiving() as inbox:
        teller.add(inbox.url)
        identifier = ask(teller.unit, _plan(teller), teller.site.clock.now())
        teller.round()
    told = inbox.got[0].notice
    assert told["event"] == "approval_wanted"
    assert told["title"] == "vault: delete of “db” (production) waits for people"
    assert f"vault approve {identifier}" in told["text"]


def test_a_purge_is_told_of_once_twelve_hours_before(teller: Teller) -> None:
    """By the daemon's own duty; a restart of it says nothing twice."""
    tombstone, unit, site = deleted(teller.site), teller.unit, teller.site
    over = unit.catalog.tombstones.get(tombstone).undo_until
    assert over is not None

    def warnings() -> list[str]:
        found = duties.due_now(unit, {}, site.clock.now())
        return [duty.tombstone for duty in found if duty.task is Task.WARN]

    site.clock.advance(over - site.clock.now() - limits.PURGE_NOTICE - timedelta(seconds=1))
    assert warnings() == []
    site.clock.advance(timedelta(seconds=1))
    assert warnings() == [tombstone]
    with receiving() as inbox:
        teller.add(inbox.url, events=("purge_due",))
        (duty,) = (d for d in duties.due_now(unit, {}, site.clock.now()) if d.task is Task.WARN)
        duties.perform(unit, {}, duty)
        assert warnings() == []
        teller.round()
    told = inbox.got[0].notice
    assert (told["event"], told["tombstone"]) == ("purge_due", tombstone)
    assert f"vault undelete {tombstone}" in told["text"]


def test_findings_are_told_and_a_sound_store_is_not(teller: Teller) -> None:
    """The daily verification is the daemon's duty; what it finds is entered, and told."""
    site, unit = teller.site, teller.unit
    with receiving() as inbox:
        teller.add(inbox.url)
        _verified(teller)
        alarm.attestation(unit, Attestation("s3://b", True, True, ()))
        assert teller.round() == ()
        key = next(iter(list_keys(unit.reader, "events/", []))).key
        site.memory.put(key, b"laid on top", site.clock.now() + timedelta(days=40))
        _verified(teller)
        breach = Check("shorten the lock", "accepted", "the lock was shortened")
        alarm.attestation(unit, Attestation("s3://b", False, True, (breach,)))
        teller.round()
    assert inbox.events == ["verification_failed", "attestation_failed"]
    assert "the first: shorten the lock: the lock was shortened" in inbox.got[1].notice["text"]


def test_an_outage_loses_nothing_and_is_waited_out_longer_each_time(teller: Teller) -> None:
    with receiving() as inbox:
        url = inbox.url
    teller.add(url)
    ids = teller.panics("one", "two")
    (told,) = teller.round()
    assert told.taken == 0
    assert told.fault.startswith("it cannot be reached")
    waits = []
    for _ in range(9):
        waited = timedelta(0)
        while not teller.round():
            teller.passes(timedelta(seconds=30))
            waited += timedelta(seconds=30)
        waits.append(waited)
    assert waits == [timedelta(seconds=30) * 2**n for n in range(7)] + [timedelta(hours=1)] * 2
    (item,) = tell.check(teller.unit)
    assert not item.ok
    assert "takes no notice since" in item.detail
    with receiving(int(url.split(":")[2].partition("/")[0])) as back:
        teller.passes(SOON)
        assert teller.round() == (ToldItem(receiver="ops", taken=2, fault=""),)
    assert back.ids == ids
    assert tell.check(teller.unit)[0].ok


def test_a_server_error_is_tried_again_with_the_same_notice(teller: Teller) -> None:
    """Nothing behind it is told before it."""
    first, second = teller.panics("one", "two")
    with receiving() as inbox:
        teller.add(inbox.url)
        inbox.statuses += [500, 503]
        for _ in range(3):
            teller.round()
            teller.passes(SOON)
    assert inbox.ids == [first, first, first, second]


def test_a_clock_that_was_ahead_keeps_nothing_waiting(teller: Teller) -> None:
    """The failure was noted in what turns out to be the future."""
    with receiving() as inbox:
        teller.add(inbox.url)
        assert teller.round() == ()
        inbox.statuses.append(500)
        teller.panics("one")
        now = teller.site.clock.now()
        teller.site.clock.set_wall(now + timedelta(days=2))
        assert teller.round()[0].fault
        teller.site.clock.set_wall(now)
        assert teller.round()[0].taken == 1


def test_a_receiver_that_was_added_while_the_clock_was_ahead_is_told(teller: Teller) -> None:
    with receiving() as inbox:
        teller.add(inbox.url)
        now = teller.site.clock.now()
        teller.site.clock.set_wall(now + timedelta(days=30))
        teller.round()
        teller.site.clock.set_wall(now)
        ids = teller.panics("one")
        teller.round()
    assert inbox.ids == ids


def test_a_slow_receiver_holds_up_no_round_and_no_other_receiver(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it takes in the end is known: it is not told again."""
    monkeypatch.setattr("vault.limits.NOTICE_SECONDS", 5.0)
    with receiving() as slow, receiving() as quick:
        slow.gate.clear()
        teller.add(slow.url, "slow")
        teller.add(quick.url, "quick")
        ids = teller.panics("one", "two")
        told = {one.receiver: one for one in teller.round()}
        assert told["quick"].taken == 2
        assert told["slow"].fault == "it did not answer within 5 s"
        teller.passes(SOON)
        (busy,) = teller.round()
        assert busy.fault == "it has not answered what it was sent before"
        slow.gate.set()
        for thread in threading.enumerate():
            if thread.name == "notify slow":
                thread.join()
        teller.passes(SOON)
        assert teller.round() == (ToldItem(receiver="slow", taken=2, fault=""),)
    assert slow.ids == quick.ids == ids


def test_a_burst_is_told_in_bounded_rounds(teller: Teller) -> None:
    ids = teller.panics(*map(str, range(2 * limits.NOTICE_BATCH + 5)))
    with receiving() as inbox:
        teller.add(inbox.url)
        taken = [told.taken for _ in range(4) for told in teller.round()]
    assert taken == [limits.NOTICE_BATCH, limits.NOTICE_BATCH, 5]
    assert inbox.ids == ids


def test_each_receiver_gets_what_it_wants(teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much else lies between: pages of what nobody wants are passed over."""
    monkeypatch.setattr("vault.limits.NOTICE_PAGE", 3)
    panicked = teller.panics("before")
    enter(teller.unit, EntryKind.CALM, {})
    tombstone = deleted(teller.site)
    panicked += teller.panics(*"bcdefgh")
    with receiving() as all_of_it, receiving() as deletes:
        teller.add(all_of_it.url, "all")
        teller.add(deletes.url, "deletes", events=("tombstone_made",))
        for _ in range(9):
            teller.round()
    assert len(all_of_it.got) == len(panicked) + 1
    assert [one.notice["tombstone"] for one in deletes.got] == [tombstone]


def test_a_new_receiver_is_told_of_the_last_day(teller: Teller) -> None:
    """And of nothing older: what was long ago is no news."""
    teller.panics("old")
    teller.passes(limits.NOTICE_BEGIN + timedelta(seconds=1))
    ids = teller.panics("young")
    with receiving() as inbox:
        teller.add(inbox.url)
        teller.round()
    assert inbox.ids == ids


def test_what_nobody_took_for_a_week_is_offered_no_more(teller: Teller) -> None:
    with receiving() as inbox:
        teller.add(inbox.url)
        inbox.statuses.append(500)
        teller.panics("old")
        teller.round()
        teller.passes(limits.NOTICE_LIFE + timedelta(seconds=1))
        ids = teller.panics("young")
        teller.round()
    assert inbox.ids[1:] == ids


def test_other_hosts_tell_of_their_own(teller: Teller) -> None:
    """An entry that came in from another log is not this host's to tell."""
    unit = teller.unit
    (own,) = teller.panics("own")
    commit(unit)
    theirs = Entry(
        id="aud_01zzzzzzzzzzzzzzzzzzzzzzzz",
        at=teller.site.clock.now(),
        uptime=0.0,
        kind=EntryKind.PANIC,
        caller=enter(unit, EntryKind.CALM, {}).caller,
        body={"reason": "theirs"},
    )
    unit.catalog.audit.settle("f" * 16, [(0, theirs)], Frontier(1, (b"x" * 32,)))
    with receiving() as inbox:
        teller.add(inbox.url)
        teller.round()
    assert inbox.ids == [own]


def test_a_process_of_one_environment_tells_of_no_other(teller: Teller) -> None:
    """P9: the notice is not kept from somebody; it is not there."""
    deleted(teller.site)
    (everyone,) = teller.panics("for all")
    with receiving() as inbox:
        teller.add(inbox.url)
        scoped = teller.unit.catalog.scoped("staging")
        msgspec.structs.force_setattr(teller.site.write, "catalog", scoped)
        teller.round()
    assert inbox.ids == [everyone]


def test_a_receiver_that_cannot_be_used_is_named_and_is_in_nobodys_way(teller: Teller) -> None:
    with receiving() as inbox:
        teller.receivers.append(
            ReceiverSettings(name="broken", url_file="nowhere.url", key_file="hook.key")
        )
        teller.add(inbox.url)
        teller.panics("one")
        told = {one.receiver: one for one in teller.round()}
    assert "nowhere.url cannot be used as a secret" in told["broken"].fault
    assert told["ops"].taken == 1
    broken, sound = tell.check(teller.unit)
    assert (broken.name, broken.ok) == ("notify broken", False)
    assert "docs/notifications.md" in broken.hint
    assert (sound.name, sound.ok) == ("notify ops", True)


def test_an_url_may_stand_in_a_file_of_its_own(teller: Teller, tmp_path: Path) -> None:
    """And in no message: it may hold a secret."""
    with receiving() as inbox:
        place = tmp_path / "url"
        place.write_text(inbox.url + "\n")
        place.chmod(0o600)
        key = str(teller.key)
        teller.receivers.append(ReceiverSettings(url_file=str(place), key_file=key))
        (told,) = tell.trial(teller.unit, teller.dispatch)
    assert (told.taken, told.fault) == (1, "")
    assert told.receiver.startswith("file-")
    assert inbox.events == ["test"]


def test_a_trial_says_what_became_of_each_and_moves_nothing(teller: Teller) -> None:
    with receiving() as inbox, receiving() as bad:
        bad.statuses.append(503)
        teller.add(inbox.url)
        teller.add(bad.url, "bad")
        waiting = teller.panics("one")
        told = {one.receiver: one for one in tell.trial(teller.unit, teller.dispatch)}
        assert (told["ops"].taken, told["bad"].fault) == (1, "it answered 503")
        tell.trial(teller.unit, teller.dispatch, "ops")
        assert (inbox.events, len(bad.got)) == (["test", "test"], 1)
        teller.round()
        assert inbox.ids[2:] == bad.ids[1:] == waiting


def test_a_trial_without_receivers_says_so(teller: Teller) -> None:
    with pytest.raises(UsageError, match=r"no \[\[notify\]\]"):
        tell.trial(teller.unit, teller.dispatch)
    teller.add("http://127.0.0.1:9/")
    with pytest.raises(UsageError, match="no receiver “other”"):
        tell.trial(teller.unit, teller.dispatch, "other")


def _verified(teller: Teller) -> None:
    """What the daemon's duty does."""
    unit = teller.unit
    unit.tampering.clear()
    assert verify(unit, deep=False).packs >= 0
    duty = next(d for d in duties.due_now(unit, {}, unit.clock.now()) if d.task is Task.VERIFY)
    duties.perform(unit, {}, duty)
    teller.passes(timedelta(days=1))


def _plan(teller: Teller) -> Plan:
    """What the gate would let wait for people."""
    volume = teller.unit.catalog.volumes.resolve("db")
    return Plan(
        vault=teller.unit.charter.vault,
        ask="",
        requester="deploy-bot",
        kind="agent",
        verb="delete",
        volume=volume.name,
        volume_id=volume.id,
        environment=volume.environment,
        class_="protected",
        window="2d",
        reason="no longer used",
        task="",
        policy="rules",
        expires_at=teller.site.clock.now(),
    )
