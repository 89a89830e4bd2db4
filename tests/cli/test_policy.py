"""The rules from the command line: shown, checked, tested with cases, explained, simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.hosts import Host
from vault.errors import IdentityUnknown, SettingsError, UsageError, VolumeUnknown

OWN = (
    '@id("no-deletes") @says("not here") forbid (principal, action == Action::"delete", resource);'
)
BROKEN = '@id("broken") forbid (principal, action == Action::"erase", resource);'
EXPLANATION = {
    *("id", "decided", "now", "verb", "volume", "environment", "kind", "name", "via", "reason"),
    *("task", "policy", "complaint", "reasons"),
}
CASES = """
[[case]]
name = "people delete"
verb = "delete"
expect = "allow"

[[case]]
name = "agents need a window"
verb = "delete"
who = "agent"
task = "fits"
grant = "fits"
window = "closed"
expect = "deny"
rules = ["needs-window"]

[[case]]
verb = "delete"
who = "agent"
task = "fits"
grant = "fits"
quorum = 2
expect = "ask"
"""


def rules_of(item: dict[str, Any]) -> dict[str, str]:
    """What would satisfy each rule that decided."""
    return {reason["rule"]: reason["wants"] for reason in item["reasons"]}


def test_cases_are_put_to_the_rules(fresh: Host, tmp_path: Path) -> None:
    """Those in force, or those of a file: status 3 where an answer is another."""
    cases, rules = tmp_path / "cases.toml", tmp_path / "own.cedar"
    cases.write_text(CASES)
    rules.write_text(OWN)
    assert all(case["met"] for case in fresh.ask("policy", "test", cases).items)
    assert "All 3 are answered as expected." in fresh.run("policy", "test", cases).out
    people, window, asks = fresh.ask("policy", "test", cases, "--rules", rules, status=3).items
    assert (people["met"], people["answered"]) == (False, "deny")
    assert people["reasons"] == ["no-deletes: not here"]
    assert window["met"], window
    assert (asks["name"], asks["expected"], asks["answered"]) == ("3: delete", "ask", "deny")
    told = fresh.run("policy", "test", cases, "--rules", rules, status=3).out
    assert "people delete" in told
    assert "agents need a window" not in told
    (fresh.home / "policy.cedar").write_text(OWN)
    fresh.run("policy", "test", cases, status=3)


def test_a_case_names_rules_that_have_to_decide(fresh: Host, tmp_path: Path) -> None:
    """The right answer for another reason is not what was expected."""
    cases = tmp_path / "cases.toml"
    cases.write_text(CASES.replace('"needs-window"', '"needs-grant"'))
    found = fresh.ask("policy", "test", cases, status=3).items
    assert [case["missing"] for case in found] == [[], ["needs-grant"], []]


def test_cases_that_cannot_be_read_are_refused(fresh: Host, tmp_path: Path) -> None:
    """A misspelt word is no case that is always met."""
    cases, rules = tmp_path / "cases.toml", tmp_path / "own.cedar"
    for text, says in (
        ("", "case"),
        ("case = []", "no case"),
        ('[[case]]\nverb = "erase"\nexpect = "deny"', "erase"),
        ('[[case]]\nverb = "delete"\nexpect = "perhaps"', "perhaps"),
        ('[[case]]\nverb = "delete"\nexpect = "deny"\ngrants = "fits"', "grants"),
        ("[[case", "cannot be read"),
    ):
        cases.write_text(text)
        fresh.refused(UsageError, "policy", "test", cases, says=says)
    fresh.refused(UsageError, "policy", "test", tmp_path / "nowhere", says="nowhere")
    cases.write_text(CASES)
    rules.write_text(BROKEN)
    fresh.refused(SettingsError, "policy", "test", cases, "--rules", rules, says="erase")


def test_a_supposed_request_is_explained(fresh: Host) -> None:
    """Every rule in its way, and what would satisfy each; nothing is asked for by that."""
    before = len(fresh.ask("audit", "show", "--kind", "request").items)
    words = ("policy", "explain", "--verb", "delete", "--volume", "photos")
    agent = ("--as", "coder", "--kind", "agent")
    told = fresh.ask(*words, *agent).item
    assert told.keys() == EXPLANATION
    assert (told["decided"], told["now"], told["id"]) == ("deny", "deny", "")
    assert rules_of(told) == {
        "needs-task": "the same with its task: --task ID",
        "needs-grant": "a grant is asked for, and given: vault grant request",
    }
    fresh.run("task", "add", "T-1", "--assignee", "coder", "--volume", "photos")
    fresh.run(
        *("grant", "give", "--to", "coder", "--volume", "photos", "--task", "T-1"),
        *("--reason", "merged"),
    )
    told = fresh.ask(*words, *agent, "--task", "T-1").item
    assert told["decided"] == "allow"
    assert [(reason["rule"], reason["does"]) for reason in told["reasons"]] == [
        ("agent", "permits")
    ]
    assert rules_of(fresh.ask(*words, *agent, "--task", "T-2").item) == {
        "needs-task": "the task is added: vault task add",
        "needs-grant": "a grant is asked for, and given: vault grant request",
    }
    own = fresh.ask(*words, "--reason", " ").item
    assert rules_of(own) == {"needs-reason": "the same with a reason: --reason TEXT"}
    assert "wanted: the same with a reason" in fresh.run(*words, "--reason", " ").out
    made = fresh.ask("audit", "show", "--kind", "request").items
    assert len(made) == before + 2  # of the task and the grant


def test_a_past_request_is_explained(fresh: Host) -> None:
    """By the facts of its time; and what the rules in force would say now."""
    rules = fresh.home / "policy.cedar"
    rules.write_text(OWN.replace("forbid", '@wants("another vault") forbid'))
    fresh.run("delete", "photos", "--reason", "old", status=61)
    entry = fresh.ask("audit", "show", "--kind", "request").items[-1]["id"]
    told = fresh.ask("policy", "explain", entry).item
    assert (told["id"], told["decided"], told["now"]) == (entry, "deny", "deny")
    assert (told["verb"], told["volume"], told["reason"]) == ("delete", "photos", "old")
    assert told["reasons"] == [
        {"rule": "no-deletes", "does": "forbids", "says": "not here", "wants": "another vault"}
    ]
    rules.write_text("")
    told = fresh.ask("policy", "explain", entry[:-1]).item
    assert (told["decided"], told["now"]) == ("deny", "allow")
    assert rules_of(told) == {"no-deletes": ""}
    assert "forbids by no-deletes: not here" in fresh.run("policy", "explain", entry).out


def test_what_cannot_be_explained_is_refused(fresh: Host) -> None:
    """Nothing named, both named, and what is not there."""
    words = ("policy", "explain")
    fresh.refused(UsageError, *words, says="either")
    fresh.refused(UsageError, *words, "aud_00000", "--verb", "delete", says="either")
    for entry in ("aud_00000", "a"):
        fresh.refused(UsageError, *words, entry, says=entry)
    added = fresh.ask("audit", "show", "--kind", "transition").items[0]["id"]
    fresh.refused(UsageError, *words, added, says=added)
    fresh.refused(UsageError, *words, "--verb", "erase", says="erase")
    fresh.refused(VolumeUnknown, *words, "--verb", "delete", "--volume", "nothing", says="nothing")
    verb = (*words, "--verb", "pause", "--volume", "photos")
    fresh.refused(IdentityUnknown, *verb, "--as", "coder", says="coder")
    fresh.refused(UsageError, *verb, "--as", "coder", "--kind", "robot", says="robot")
    fresh.refused(UsageError, *verb, "--as", "coder", "--kind", "agent", "--via", "ear", says="ear")
    fresh.refused(UsageError, *verb, "--kind", "agent", says="whose")
    fresh.run("identity", "add", "coder", "--kind", "agent")
    assert fresh.ask(*verb, "--as", "coder").item["decided"] == "deny"
    fresh.refused(UsageError, *verb, "--as", "coder", "--kind", "human", says="agent")


def test_an_invalid_file_keeps_the_last_good_rules_and_says_so(fresh: Host) -> None:
    """Whatever is wrong with it: what held goes on to hold, and every place says so."""
    file = fresh.home / "policy.cedar"
    file.write_text(OWN)
    good = fresh.ask("policy", "show").item
    assert good["complaint"] == ""
    sound = fresh.ask("status").item["notes"]
    for text, says in ((BROKEN, "erase"), ("\xff", "cannot be read"), (None, "is gone")):
        if text is None:
            file.unlink()
        else:
            file.write_bytes(text.encode("latin-1"))
        shown = fresh.ask("policy", "show", status=3).item
        assert (shown["digest"], shown["own"]) == (good["digest"], OWN)
        (said,) = set(fresh.ask("status").item["notes"]) - set(sound)
        checks = {check["name"]: check for check in fresh.ask("doctor", status=3).items}
        assert not checks["policy"]["ok"]
        for place in (shown["complaint"], said, checks["policy"]["detail"]):
            assert says in place
            assert "the rules that held before still hold" in place
        fresh.run("delete", "photos", "--reason", "old", status=61)
    file.write_text("")
    assert fresh.ask("policy", "show").item["own"] == ""
    assert fresh.ask("status").item["notes"] == sound
    checks = {check["name"]: check for check in fresh.ask("doctor", status=3).items}
    assert checks["policy"]["ok"]
    fresh.run("delete", "photos", "--reason", "old")


def test_rules_are_checked_before_they_are_used(fresh: Host, tmp_path: Path) -> None:
    """And shown to be others by their digest."""
    file = tmp_path / "own.cedar"
    file.write_text(OWN)
    digest = fresh.ask("policy", "check", file).item["digest"]
    assert digest != fresh.ask("policy", "show").item["digest"]
    assert OWN not in fresh.run("policy", "show").out
    for text, says in (
        (BROKEN, "erase"),
        (f"{OWN}\n{OWN}", "no-deletes"),
        (OWN.replace("no-deletes", "person"), "person"),
        (OWN.replace("no-deletes", "no: deletes"), "no: deletes"),
    ):
        file.write_text(text)
        fresh.refused(SettingsError, "policy", "check", file, says=says)
    file.write_text(OWN)
    (fresh.home / "policy.cedar").write_text(OWN)
    assert fresh.ask("policy", "show").item["digest"] == digest
    assert OWN in fresh.run("policy", "show").out


def test_other_rules_are_tried_on_the_past(fresh: Host, tmp_path: Path) -> None:
    """What they would have answered otherwise, and nothing else."""
    file = tmp_path / "own.cedar"
    file.write_text(OWN)
    fresh.run("volume", "pause", "photos")
    assert fresh.ask("policy", "simulate", file).items == []
    fresh.run("delete", "photos", "--reason", "old")
    (told,) = fresh.ask("policy", "simulate", file, "--since", "1h").items
    assert (told["verb"], told["decided"], told["would_be"]) == ("delete", "allow", "deny")
    assert told["reasons"] == ["no-deletes: not here"]
