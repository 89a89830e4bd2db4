"""Answers: tables for people, one object for programs, statuses for shells."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.cli.conftest import FakeVault, tombstone
from vault.cli.output import titles
from vault.operations.items import FindingItem, RestoreRequest

Run = Callable[..., int]
Printed = pytest.CaptureFixture[str]


def test_status_answers_who_when_and_how_to_undo(
    fake: FakeVault, vault: Run, capsys: Printed
) -> None:
    """The first lines are what somebody asks at 2 a.m."""
    fake.tombs = (tombstone(),)
    assert vault("status") == 0
    printed = capsys.readouterr()
    first = printed.out.splitlines()[0]
    assert first.startswith("photos (production): tombstoned, deleted")
    assert "human:ada" in printed.out
    assert "vault undelete tomb_01" in printed.out
    assert "NOT ISOLATED" in printed.err


def test_status_says_when_nothing_is_wrong(fake: FakeVault, vault: Run, capsys: Printed) -> None:
    """Quiet where there is nothing to say."""
    fake.isolated = True
    assert vault("status") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Nothing was deleted lately.")
    assert printed.err == ""


def test_json_is_one_object_with_the_agreed_names(
    fake: FakeVault, vault: Run, capsys: Printed
) -> None:
    """Times are RFC 3339 with Z, and there is nothing beside the object."""
    fake.tombs = (tombstone(), tombstone(id="tomb_02", undo_until=None))
    assert vault("tombstones", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == 1
    assert answer["kind"] == "tombstones"
    first, second = answer["items"]
    assert first["undo_until"] == "2026-04-26T09:30:00Z"
    assert first["created_at"] == "2026-04-24T09:30:00Z"
    assert second["undo_until"] is None


def test_nothing_to_list_is_an_empty_list(vault: Run, capsys: Printed) -> None:
    """Programs get `[]`, people a sentence."""
    assert vault("tombstones", "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"] == []
    assert vault("tombstones") == 0
    assert capsys.readouterr().out == "Nothing is deleted.\n"


def test_tables_are_not_cut_in_a_pipe(fake: FakeVault, vault: Run, capsys: Printed) -> None:
    """However long a field is, a script that greps finds it."""
    fake.tombs = (tombstone(reason="because " * 40 + "end"),)
    vault("tombstones")
    assert "because end" in capsys.readouterr().out


def test_one_snapshot_is_shown_with_sizes_in_words(vault: Run, capsys: Printed) -> None:
    """Bytes are written as people read them."""
    assert vault("snapshot", "photos") == 0
    assert "2.0 MiB" in capsys.readouterr().out


def test_findings_leave_with_three(fake: FakeVault, vault: Run, capsys: Printed) -> None:
    """Done, but not whole."""
    fake.findings = (FindingItem(what="unreadable", path="secret", detail="denied"),)
    assert vault("snapshot", "photos") == 3
    assert "! unreadable: secret denied" in capsys.readouterr().out


def test_some_of_several_failed(vault: Run, capsys: Printed) -> None:
    """The others are done, the failure is told, the status is 3."""
    assert vault("snapshot", "photos", "nowhere", "--json") == 3
    printed = capsys.readouterr()
    assert [item["volume"] for item in json.loads(printed.out)["items"]] == ["photos"]
    assert json.loads(printed.err)["code"] == "volume_unknown"


def test_a_single_failure_leaves_with_its_own_status(vault: Run, capsys: Printed) -> None:
    """People get what is safe and what to do next, on standard error."""
    assert vault("snapshot", "nowhere") == 52
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Error: No volume “nowhere”" in printed.err
    assert "Safe:  Nothing changed." in printed.err
    assert "Next:  vault volume list" in printed.err


def test_names_cannot_steer_the_terminal(vault: Run, capsys: Printed) -> None:
    """Escape sequences and stray bytes of a name are shown, not sent."""
    assert vault("ls", "snap_01") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "bad\\x1b[2J\\xff" in out
    assert "0644" in out


def test_cat_writes_the_bytes_and_nothing_else(
    vault: Run, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Any byte passes."""
    assert vault("cat", "snap_01", "x") == 0
    assert capfdbinary.readouterr().out == b"\x00\xffabc"


def test_cat_for_programs(vault: Run, capsys: Printed) -> None:
    """The file stands in the one item."""
    assert vault("cat", "snap_01", "x", "--json") == 0
    assert json.loads(capsys.readouterr().out)["items"][0]["base64"] == "AP9hYmM="


def test_delete_says_how_to_undo(fake: FakeVault, vault: Run, capsys: Printed) -> None:
    """The answer to a delete is the command that takes it back."""
    assert vault("delete", "photos", "--reason", "moved", "--task", "OPS-1") == 0
    assert ("delete", ("photos", "moved", "OPS-1")) in fake.calls
    assert "vault undelete tomb_01" in capsys.readouterr().out


def test_init_warns_of_the_kit(vault: Run, capsys: Printed, tmp_path: Path) -> None:
    """Whoever makes a vault is told where its key lies and what to do with it."""
    assert vault("init") == 0
    printed = capsys.readouterr()
    assert str(tmp_path / "home" / "recovery.kit") in printed.err
    assert "vault key check" in printed.err
    assert "reads every backup" in printed.err
    assert len(printed.err.splitlines()) == 2  # not wrapped where nobody sees a width


def test_init_for_a_key_of_ones_own_says_what_the_kit_is_good_for(
    vault: Run, capsys: Printed
) -> None:
    """It reads nothing by itself, and proving it takes one's own key beside it."""
    assert vault("init", "--recipient", "age1mine") == 0
    err = capsys.readouterr().err
    assert "reads every backup" not in err
    assert "append your own secret key" in err


def test_no_two_lines_of_one_thing_have_one_name() -> None:
    """A snapshot and its time are told apart."""
    names = ("last_snapshot", "last_snapshot_at", "created_at")
    assert titles(names) == ["Last snapshot", "Last snapshot at", "Created"]


def test_undelete_all_needs_a_time(fake: FakeVault, vault: Run) -> None:
    """Tombstones or --all with --since, and nothing between."""
    for words in ((), ("--all",), ("--since", "10m"), ("tomb_01", "--all", "--since", "10m")):
        assert vault("undelete", *words) == 2, words
    assert vault("undelete", "--all", "--since", "10m") == 0
    assert vault("undelete", "tomb_01", "tomb_02") == 0
    assert ("undelete_since", timedelta(minutes=10)) in fake.calls
    assert ("undelete", ("tomb_01", "tomb_02")) in fake.calls


def test_restore_needs_one_target(fake: FakeVault, vault: Run, tmp_path: Path) -> None:
    """--to or --in-place, never neither or both."""
    assert vault("restore", "photos") == 2
    assert vault("restore", "photos", "--in-place", "--to", str(tmp_path)) == 2
    assert not [call for call in fake.calls if call[0] == "restore"]
    words = (
        "--at",
        "2026-04-24T11:30:00+02:00",
        "--include",
        "a/**",
        "--include",
        "b",
        "--dry-run",
    )
    assert vault("restore", "photos", "--to", "x", *words) == 0
    request = next(call[1] for call in fake.calls if call[0] == "restore")
    assert isinstance(request, RestoreRequest)
    assert request.to == Path.cwd() / "x"
    assert request.include == ("a/**", "b")
    assert request.at == tombstone().created_at
    assert request.dry_run


def test_restore_without_a_vault_here(fake: FakeVault, vault: Run, tmp_path: Path) -> None:
    """A URL and a kit are enough; a URL alone is a usage error."""
    away = ("--store", "s3://b/p", "--profile", "reader")
    assert vault("restore", "photos", "--to", "x", *away) == 2
    kit = tmp_path / "kit"
    assert vault("restore", "photos", "--to", "x", *away, "--kit", str(kit)) == 0
    assert ("from_store", ("s3://b/p", kit, "reader")) in fake.calls
    assert not [call for call in fake.calls if call[0] == "open"]


def test_the_kit_comes_from_the_environment(
    fake: FakeVault, vault: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VAULT_RECOVERY_KIT stands for --kit."""
    monkeypatch.setenv("VAULT_RECOVERY_KIT", "/media/kit")
    assert vault("restore", "photos", "--to", "x", "--store", "file:///s") == 0
    assert ("from_store", ("file:///s", Path("/media/kit"), None)) in fake.calls
