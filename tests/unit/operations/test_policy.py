"""The rules in force: a file holds once it is valid and, where people are enrolled, agreed to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.messenger.receiving import receiving
from tests.unit.operations.approving import make_council
from tests.unit.operations.conftest import Site
from tests.unit.operations.telling import Teller
from vault.audit.entry import EntryKind
from vault.errors import ApprovalNeeded, SettingsError, StoreUnreachable
from vault.governance.request import Verb
from vault.ids import next_id
from vault.operations import approve, gate, policy
from vault.operations.explain import explain

OWN = '@id("ours") @says("not here") forbid (principal, action == Action::"delete", resource);'
LOOSE = '@id("loose") @says("all") permit (principal, action, resource);'


def write(site: Site, text: str) -> None:
    """Whoever can write to the home does."""
    (site.home / policy.FILE).write_text(text)


def changes(site: Site) -> list[str]:
    """The texts that the audit log has."""
    entries = site.write.catalog.audit.of_kinds((EntryKind.POLICY_CHANGED,))
    return [str(entry.body["text"]) for entry in entries]


def test_with_nobody_enrolled_a_valid_file_holds(site: Site) -> None:
    """At once, and entered once; one that is not valid changes nothing."""
    write(site, OWN)
    for _ in range(2):
        rules, amiss = policy.current(site.write)
        assert (rules.own, amiss) == (OWN, "")
    assert policy.use(site.write).own == OWN
    write(site, "nonsense")
    rules, amiss = policy.current(site.write)
    assert rules.own == OWN
    assert "still hold" in amiss
    with pytest.raises(SettingsError):
        policy.use(site.write)
    assert changes(site) == [OWN]


def test_what_is_amiss_is_entered_once_and_that_it_is_put_right(site: Site) -> None:
    """By whichever process sees it first, whoever starts anew; each change is another thing."""

    def entered() -> list[tuple[int, str]]:
        found = site.write.catalog.audit.of_kinds((EntryKind.CHECK_FAILED,))
        return [(one.body["findings"], one.body["first"]) for one in found]

    assert (policy.watch(site.write), entered()) == ("", [])
    write(site, OWN)
    policy.current(site.write)
    assert (policy.watch(site.write), entered()) == ("", [])
    said = []
    for text in ("nonsense", LOOSE + "\nmore nonsense", OWN):
        write(site, text)
        said += [policy.watch(site.write), policy.watch(site.write)]
        assert policy.current(site.write)[0].own == OWN
    assert "line 1: " in said[0]
    assert "line 2: " in said[2]
    assert all("still hold" in amiss for amiss in said[:4])
    assert said[4:] == ["", ""]
    assert entered() == [(1, said[0]), (1, said[2]), (0, "")]
    assert not site.write.catalog.audit.waiting(1)


def test_with_the_store_out_of_reach_it_waits_to_be_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise StoreUnreachable("gone")

    write(site, "nonsense")
    monkeypatch.setattr(policy, "commit", away)
    assert policy.watch(site.write) == policy.watch(site.write) != ""
    waiting = site.write.catalog.audit.waiting(99)
    assert [one.kind for one in waiting].count(EntryKind.CHECK_FAILED) == 1


def test_rules_that_cannot_be_used_are_told_once_and_that_they_can_again(site: Site) -> None:
    teller = Teller(site)
    with receiving() as inbox:
        teller.add(inbox.url)
        for text in ("nonsense", "nonsense", ""):
            write(site, text)
            policy.watch(teller.unit)
            teller.round()
    told = [(one.notice["event"], "line 1" in one.notice["text"]) for one in inbox.got]
    assert told == [("policy_invalid", True), ("policy_valid", False)]


def test_whoever_writes_the_file_does_not_change_who_may_what(site: Site) -> None:
    """Once people are enrolled they agree to its very text, and to no other."""
    council = make_council(site)
    before = policy.report(council.unit)
    write(site, LOOSE)
    for _ in range(2):
        told = policy.report(council.unit)
        assert (told.digest, told.own) == (before.digest, "")
        assert "vault policy use; the rules that held before still hold" in told.complaint
    with pytest.raises(ApprovalNeeded) as caught:
        policy.use(council.unit)
    asked = approve.approval(council.unit, caught.value.ask)
    assert "permit (principal, action, resource)" in asked.about
    council.sign(asked, "bob")
    write(site, f"{LOOSE}\n{OWN}")
    with pytest.raises(ApprovalNeeded):
        policy.use(council.unit)
    assert changes(site) == []
    write(site, LOOSE)
    assert policy.use(council.unit).own == LOOSE
    assert policy.report(council.unit).complaint == ""
    assert changes(site) == [LOOSE]


def test_what_held_before_people_were_enrolled_goes_on(site: Site) -> None:
    """And a file that is gone, or emptied, takes nothing away by itself."""
    write(site, OWN)
    policy.current(site.write)
    council = make_council(site)
    assert policy.report(council.unit).complaint == ""
    (site.home / policy.FILE).unlink()
    assert policy.current(council.unit)[0].own == OWN
    assert "is gone" in policy.complaint(council.unit)
    write(site, "")
    assert policy.current(council.unit)[0].own == OWN
    council.agreed_by(["bob"], lambda: policy.use(council.unit))
    assert policy.current(council.unit)[0].own == ""


@pytest.mark.parametrize("made_up", [7, None, "words", {"a": 1}])
def test_reasons_that_somebody_made_up_explain_nothing(site: Site, made_up: Any) -> None:
    """An entry of whoever has a writer's key is explained as far as it can be."""
    audit, (volume,) = site.write.catalog.audit, site.write.catalog.volumes.all()
    gate.admit(site.write, gate.question_of(Verb.SNAPSHOT, volume))
    told = audit.requests()[-1]
    body = {**told.body, "reasons": made_up}
    del body["policy"]
    after = next_id("aud", told.at, after=audit.last_id())
    audit.add(msgspec.structs.replace(told, id=after, body=body))
    shown = explain(site.write, after)
    assert (shown.decided, shown.reasons, shown.policy) == ("allow", (), "")
