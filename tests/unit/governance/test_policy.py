"""The shipped rules and a user's own beside them: who may do what, and which rule said so."""

from __future__ import annotations

from typing import Any

import pytest

from vault.errors import SettingsError
from vault.governance.decision import Allow, Ask, Decision, Deny
from vault.governance.facts import ApprovalFact, Facts, GrantFact, Signal, TaskFact
from vault.governance.policy import Policies, check, decide, default_policies, rule_ids
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import DESTRUCTIVE, Request, Verb

ALWAYS = {
    Verb.SHORTEN: "keeps-less",
    Verb.RELEASE: "lets-go",
    Verb.MOVE: "moves-out",
    Verb.PURGE_EARLY: "purges-early",
}
PERSON = Principal(PrincipalKind.HUMAN, "ann", Via.TOKEN)
UID = Principal(PrincipalKind.HUMAN, "ann@host", Via.UID)
SERVICE = Principal(PrincipalKind.SERVICE, "platform", Via.TOKEN)
PROCESS = Principal(PrincipalKind.SERVICE, "purger@host", Via.PROCESS)
AGENT = Principal(PrincipalKind.AGENT, "coder", Via.TOKEN)
RUNNING = {Verb.PURGE, Verb.COLLECT}
PROTECTIVE = {
    *(Verb.SNAPSHOT, Verb.UNDELETE, Verb.RESTORE, Verb.READ),
    *(Verb.HOLD, Verb.GRANT_REQUEST),
}
SIGNALS = tuple(Signal(name, 1.0, f"{name} for this identity") for name in ("new-verb", "hour"))


def facts(
    verb: Verb,
    who: Principal = PERSON,
    reason: str = "obsolete",
    environment: str = "production",
    **known: Any,
) -> Facts:
    """One request with all that it needs to be let pass where anybody may at all."""
    request = Request(
        verb=verb, volume="db", environment=environment, principal=who, reason=reason, task="T-1"
    )
    return Facts(request=request, **{"task": TaskFact.FITS, "grant": GrantFact.FITS} | known)


def ids(decision: Decision) -> tuple[str, ...]:
    """The rules that decided, once it is clear that there are any."""
    assert decision.reasons
    return rule_ids(decision)


@pytest.mark.parametrize("verb", Verb)
def test_who_may_what(verb: Verb) -> None:
    """With nothing amiss and nobody enrolled, by kind and by how somebody is known."""
    people = set(Verb) - RUNNING - set(ALWAYS)
    allowed = {
        PERSON: people,
        UID: people - {Verb.APPROVE},
        AGENT: PROTECTIVE | {Verb.DELETE},
        SERVICE: PROTECTIVE | {Verb.ADD},
        PROCESS: PROTECTIVE | {Verb.ADD} | RUNNING,
    }
    for who, verbs in allowed.items():
        decision = decide(facts(verb, who))
        assert isinstance(decision, Allow if verb in verbs else Deny), (who, decision)
        assert decision.reasons


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("reason", ["", " \n"])
def test_deletes_and_holds_need_a_reason(verb: Verb, reason: str) -> None:
    """Blanks are none."""
    decision = decide(facts(verb, reason=reason))
    needs = verb in (Verb.DELETE, Verb.HOLD, Verb.SHORTEN, Verb.MOVE, Verb.PURGE_EARLY)
    assert ("needs-reason" in ids(decision)) == needs
    if needs:
        assert isinstance(decision, Deny)


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        ({"disabled": True}, "disabled"),
        ({"in_scope": False}, "out-of-scope"),
        ({"frozen": "it looks wrong"}, "frozen"),
        ({"panic": "an incident"}, "panic"),
        ({"over_budget": ("3 deletes a minute",)}, "over-budget"),
        ({"approval": ApprovalFact.REJECTED}, "rejected"),
        ({"task": TaskFact.UNNAMED}, "needs-task"),
        ({"task": TaskFact.UNKNOWN}, "needs-task"),
        ({"task": TaskFact.CLOSED}, "task-must-fit"),
        ({"task": TaskFact.NOT_ASSIGNED}, "task-must-fit"),
        ({"task": TaskFact.NOT_COVERING}, "task-must-fit"),
        ({"grant": GrantFact.NONE}, "needs-grant"),
        ({"grant": GrantFact.ASKED}, "needs-grant"),
        ({"grant": GrantFact.EXPIRED}, "needs-grant"),
        ({"grant": GrantFact.SPENT}, "needs-grant"),
    ],
)
def test_one_thing_amiss_is_enough(known: dict[str, Any], rule: str) -> None:
    """An agent's delete that would be let pass is not any more, and the rule is named."""
    assert isinstance(decide(facts(Verb.DELETE, AGENT)), Allow)
    decision = decide(facts(Verb.DELETE, AGENT, **known))
    assert isinstance(decision, Deny)
    assert ids(decision) == (rule,)


def test_who_has_no_name_may_nothing() -> None:
    """A missing fact refuses."""
    decision = decide(facts(Verb.UNDELETE, Principal(PrincipalKind.HUMAN, "")))
    assert isinstance(decision, Deny)
    assert ids(decision) == ("needs-name",)


def test_every_rule_that_forbids_is_named() -> None:
    """Whoever mends one of them does not learn of the next only then."""
    known: dict[str, Any] = {"task": TaskFact.UNNAMED, "grant": GrantFact.NONE, "panic": "x"}
    decision = decide(facts(Verb.DELETE, AGENT, "", **known))
    assert isinstance(decision, Deny)
    assert ids(decision) == ("needs-grant", "needs-reason", "needs-task", "panic")


@pytest.mark.parametrize("verb", sorted(DESTRUCTIVE))
def test_where_people_are_enrolled_they_are_asked(verb: Verb) -> None:
    """And their word lifts what asks for it, and nothing else."""
    who = AGENT if verb is Verb.DELETE else PERSON
    assert isinstance(decide(facts(verb, who, quorum=2)), Ask)
    given: dict[str, Any] = {"quorum": 2, "approval": ApprovalFact.GIVEN}
    assert isinstance(decide(facts(verb, who, **given)), Allow)
    assert isinstance(decide(facts(verb, who, **given, panic="an incident")), Deny)


@pytest.mark.parametrize(("verb", "rule"), ALWAYS.items())
def test_some_things_always_wait_for_people(verb: Verb, rule: str) -> None:
    """With nobody to ask they are refused; nobody who asks is let pass alone, however many are."""
    for who in (PERSON, UID):
        decision = decide(facts(verb, who))
        assert isinstance(decision, Deny)
        assert ids(decision) == (rule, "no-approver")
        for quorum in (1, 5):
            assert isinstance(decide(facts(verb, who, quorum=quorum)), Ask)


def test_where_all_is_thrown_away_only_an_early_purge_waits_for_people() -> None:
    for verb in ALWAYS:
        kind = Deny if verb is Verb.PURGE_EARLY else Allow
        assert isinstance(decide(facts(verb, class_="ephemeral")), kind)


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.ACKNOWLEDGE, Verb.GRANT, Verb.POLICY])
def test_a_uid_is_anybodys_who_runs_under_it(verb: Verb) -> None:
    """Where people are enrolled it takes no safeguard away by itself; a token's person may."""
    assert isinstance(decide(facts(verb, UID, quorum=1)), Ask)
    assert isinstance(decide(facts(verb, PERSON, quorum=1)), Allow)
    assert isinstance(decide(facts(verb, UID)), Allow)


def test_nobody_is_asked_for_what_they_could_not_allow() -> None:
    """An agent's wish to release a hold is refused, not laid before people for nothing."""
    for verb in (*ALWAYS, Verb.REMOVE, Verb.ROSTER, Verb.CALM):
        decision = decide(facts(verb, AGENT, quorum=2))
        assert isinstance(decision, Deny)
        assert ids(decision)[-1] == "no-rule"
    own = Policies(
        '@id("never") @says("asks, and does not listen") @ask("approval")'
        ' forbid (principal, action == Action::"pause", resource);'
    )
    assert ids(decide(facts(Verb.PAUSE, quorum=2), own)) == ("never",)
    assert isinstance(decide(facts(Verb.PAUSE, quorum=2), own), Deny)


def test_two_unusual_things_want_a_person() -> None:
    """One does not; with nobody to ask, it is refused."""
    assert isinstance(decide(facts(Verb.DELETE, AGENT, signals=SIGNALS[:1])), Allow)
    decision = decide(facts(Verb.DELETE, AGENT, signals=SIGNALS))
    assert isinstance(decision, Deny)
    assert ids(decision) == ("unusual", "no-approver")
    assert "new-verb for this identity; hour for this identity" in decision.reasons[0]


def test_a_users_own_rules_hold_beside_the_shipped_ones() -> None:
    """Forbid wins; a permit of their own lifts no forbid."""
    own = Policies(
        '@id("no-fridays") @says("not here") forbid (principal, action == Action::"delete", '
        'resource == Environment::"production");\n'
        '@id("all") @says("all") permit (principal, action, resource);'
    )
    decision = decide(facts(Verb.DELETE), own)
    assert isinstance(decision, Deny)
    assert ids(decision) == ("no-fridays",)
    assert isinstance(decide(facts(Verb.DELETE, environment="staging"), own), Allow)
    assert isinstance(decide(facts(Verb.DELETE, AGENT, grant=GrantFact.NONE), own), Deny)


def test_the_shipped_rules_are_valid() -> None:
    """Nothing looks at them again when they are used alone."""
    assert check("") == ""


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ("forbid (principal, action, resource);", "@id"),
        ('@id("x") forbid (principal, action, resource) when { context.no_such };', "no_such"),
        ('@id("x") forbid (principal, action == Action::"erase", resource);', "erase"),
        ("this is no policy", "expected"),
        ('@id("person") forbid (principal, action, resource);', "person"),
        ('@id("a:b") forbid (principal, action, resource);', "a:b"),
    ],
)
def test_rules_that_are_not_valid_are_refused(own: str, says: str) -> None:
    """And what is wrong with them is said."""
    assert says in check(own)
    with pytest.raises(SettingsError, match="the policy is not valid"):
        Policies(own)


def test_what_is_wrong_is_said_with_rule_and_line() -> None:
    """As the writer of the file counts them; what stands in words and comments ends no rule."""
    good = (
        '// of ours; all\n@id("good") @says("a; b // c")\nforbid (principal, action, resource);\n'
    )
    for bad, says in (
        ('@id("bad") forbid (principal, action resource);', "line 5, rule bad: "),
        ('@id("bad") forbid (principal, action, resource)\nwhen { context.no; };', "line 5, rule "),
        ("// why\n\npermit (principal, action, resource);", "line 7: 1 rule(s) have no @id"),
        ('@id("panic") permit (principal, action, resource);', "line 5, rule panic: more than one"),
        ('@id("cut', "line 5: "),
    ):
        assert check(f"{good}\n{bad}\n{good}").startswith(says), bad
    assert check(good) == ""
    assert check(good + good) == "more than one rule has the @id good"


def test_rules_are_told_apart_by_what_they_do() -> None:
    """Whoever explains them reads that here."""
    rules = default_policies().rules()
    assert {name for name, rule in rules.items() if rule.permits} == {
        *("person", "approver", "agent", "service", "process")
    }
    assert {name for name, rule in rules.items() if rule.asks} == {
        *("needs-approval", "unusual", "loosens"),
        *("keeps-less", "lets-go", "moves-out", "purges-early"),
    }
    assert all(rule.says for rule in rules.values())


def test_sets_of_rules_have_a_name_each() -> None:
    """An approval that was given under other rules counts no more."""
    own = '@id("x") forbid (principal, action, resource) when { context.panic };'
    assert len({Policies().digest, Policies(own).digest, Policies(own + "\n").digest}) == 3


def test_what_cannot_be_judged_is_denied() -> None:
    """An evaluation that fails, in whatever way, lets nothing pass."""

    class Broken(Policies):
        def evaluate(self, facts: Facts) -> Any:
            raise RuntimeError("out of order")

    decision = decide(facts(Verb.SNAPSHOT), Broken())
    assert isinstance(decision, Deny)
    assert ids(decision) == ("unreadable",)
