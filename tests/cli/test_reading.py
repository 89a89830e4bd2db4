"""Commands that only look, on one vault: what programs get, what people see."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path

import pytest

from tests.cli.hosts import STRAY, Host, same_content
from vault.clock import parse_time

VOLUME = {
    *("id", "name", "environment", "state", "path", "provider", "schedule", "keep"),
    *("created_at", "last_snapshot", "last_snapshot_at", "next_snapshot_at"),
}
SNAPSHOT = {
    *("id", "volume", "environment", "state", "created_at", "files", "bytes", "bytes_added"),
    *("locked_until", "parent", "final_for", "findings"),
}
PATHS = [".", "empty", "holidays", "holidays/2025", "holidays/2025/beach.raw", "link", "notes.txt"]


def test_status(shared: Host) -> None:
    """What was deleted, the volumes, what to see to; the kit that still lies here is one."""
    answer = shared.ask("status")
    assert answer.kind == "status"
    assert answer.item.keys() == {"vault", "store", "isolated", "notes", "recent", "volumes"}
    assert answer.item["isolated"] is False
    assert answer.item["recent"] == []
    assert [volume["name"] for volume in answer.item["volumes"]] == ["photos"]
    shown = shared.run("status")
    assert shown.out.startswith("Nothing was deleted lately.\n")
    assert str(shared.kit) in shown.out
    assert "NOT ISOLATED" in shown.err


def test_doctor(shared: Host) -> None:
    """Every check has a name, a verdict and words; what is not right leaves with 3."""
    answer = shared.ask("doctor", status=3)
    assert answer.kind == "checks"
    checks = {check["name"]: check for check in answer.items}
    assert {"store", "clock", "catalog", "isolation", "recovery kit"} <= checks.keys()
    assert checks["volume photos"]["ok"]
    assert checks["catalog"]["ok"]
    assert not checks["isolation"]["ok"]
    assert all(check["hint"] for check in answer.items if not check["ok"])
    assert "ok  store" in shared.run("doctor", status=3).out


def test_rules_are_shown_a_line_each(shared: Host) -> None:
    """As they stand in their file: no line is told apart by an escape."""
    shown = shared.run("policy", "show").out
    assert "\\n" not in shown
    assert shared.ask("policy", "show").item["shipped"].splitlines()[0] in shown.splitlines()


def test_volumes(shared: Host) -> None:
    """A list and one thing have the same fields; ids and their beginnings name a volume."""
    (listed,) = shared.ask("volume", "list").items
    assert listed.keys() == VOLUME
    assert listed["path"] == str(shared.volume)
    assert listed["keep"] == "hourly=24,daily=7,weekly=5,monthly=12"
    for name in ("photos", listed["id"], listed["id"][:20]):
        assert shared.ask("volume", "show", name).item == listed
    shown = shared.run("volume", "show", "photos").out
    assert listed["id"] in shown
    assert listed["last_snapshot"] in shown


def test_snapshots(shared: Host) -> None:
    """Of all volumes or of one; times are RFC 3339 in UTC, sizes are bytes."""
    answer = shared.ask("snapshots")
    assert answer.kind == "snapshots"
    assert answer.item.keys() == SNAPSHOT
    assert answer.item["volume"] == "photos"
    assert answer.item["files"] == 4
    assert answer.item["bytes"] == 16 * 1024 + 16
    assert answer.item["created_at"].endswith("Z")
    assert parse_time(answer.item["locked_until"]) > parse_time(answer.item["created_at"])
    assert shared.ask("snapshots", "photos").items == answer.items
    assert answer.item["id"] in shared.run("snapshots").out


def test_ls(shared: Host) -> None:
    """By VOLUME, VOLUME@latest, an id and a beginning; whole, or below a path."""
    snapshot = shared.ask("snapshots").item["id"]
    entries = shared.ask("ls", snapshot).items
    assert [entry["path"] for entry in entries][:-1] == PATHS
    assert entries[-1]["path"] == "stray-\\xff.txt"
    by_path = {entry["path"]: entry for entry in entries}
    assert by_path["holidays/2025/beach.raw"]["size"] == 16 * 1024
    assert by_path["link"]["target"] == "notes.txt"
    for name in ("photos", "photos@latest", snapshot[:20]):
        assert shared.ask("ls", name).items == entries
    below = shared.ask("ls", "photos@latest", "holidays/").items
    assert [entry["path"] for entry in below] == PATHS[2:5]
    assert "stray-\\xff.txt" in shared.run("ls", "photos@latest").out


def test_cat(shared: Host) -> None:
    """The bytes and nothing else; base64 for programs; a name that is not UTF-8, too."""
    process = shared.start("cat", "photos@latest", "holidays/2025/beach.raw")
    out, err = process.communicate(timeout=60)
    assert (out, err) == (bytes(range(256)) * 64, b"")
    assert shared.run("cat", "photos@latest", os.fsdecode(STRAY)).out == "odd\n"
    as_listed = shared.ask("ls", "photos@latest").items[-1]["path"]
    assert shared.run("cat", "photos@latest", as_listed).out == "odd\n"
    answer = shared.ask("cat", "photos@latest", "notes.txt")
    assert answer.kind == "content"
    assert base64.b64decode(answer.item["base64"]) == b"bread, milk\n"


@pytest.mark.parametrize("what", ["photos", "photos@latest", "snapshot", "prefix"])
def test_restore_to_a_new_folder(shared: Host, tmp_path: Path, what: str) -> None:
    """The contents, byte for byte, with times and modes, whichever way it is called."""
    snapshot = shared.ask("snapshots").item["id"]
    name = {"snapshot": snapshot, "prefix": snapshot[:18]}.get(what, what)
    answer = shared.ask("restore", name, "--to", tmp_path / "back")
    assert answer.kind == "restore"
    assert answer.item["snapshot"] == snapshot
    assert answer.item["files"] == 4
    assert answer.item["findings"] == []
    assert same_content(tmp_path / "back", shared.volume)


def test_restore_a_part(shared: Host, tmp_path: Path) -> None:
    """--include takes patterns, more than one; what leads there comes along."""
    words = ("--include", "holidays/**", "--include", "*.txt")
    shared.ask("restore", "photos", "--to", tmp_path / "back", *words)
    names = {path.name for path in (tmp_path / "back").iterdir()}
    assert names == {"holidays", "notes.txt", os.fsdecode(STRAY)}
    assert (tmp_path / "back" / "holidays" / "2025" / "beach.raw").stat().st_size == 16 * 1024


def test_restore_a_name_as_it_is_listed(shared: Host, tmp_path: Path) -> None:
    """--include takes what `ls --json` prints of a name that is not UTF-8."""
    listed = shared.ask("ls", "photos@latest").items[-1]["path"]
    shared.ask("restore", "photos", "--to", tmp_path / "back", "--include", listed)
    assert os.listdir(tmp_path / "back") == [os.fsdecode(STRAY)]


def test_restore_dry_run(shared: Host, tmp_path: Path) -> None:
    """Says what would be written and writes nothing."""
    answer = shared.ask("restore", "photos", "--to", tmp_path / "back", "--dry-run")
    assert answer.item["dry_run"] is True
    assert answer.item["files"] == 4
    assert not (tmp_path / "back").exists()


def test_restore_on_a_machine_without_a_vault(shared: Host, tmp_path: Path) -> None:
    """A store's URL and the kit are enough, by option or by environment; no home is made."""
    away = Host(tmp_path / "away" / "home", shared.url, tmp_path)
    (tmp_path / "away").mkdir()
    words = ("--store", shared.url, "--kit", shared.kit)
    away.ask("restore", "photos", *words, "--to", tmp_path / "back")
    assert same_content(tmp_path / "back", shared.volume)
    named = away.under(VAULT_RECOVERY_KIT=str(shared.kit))
    entries = named.ask("ls", "photos@latest", "--store", shared.url).items
    assert entries == shared.ask("ls", "photos@latest").items
    assert away.ask("snapshots", *words).items == shared.ask("snapshots").items
    assert away.ask("tombstones", *words).items == []
    assert not away.home.exists()


def test_verify_and_rehearse(shared: Host) -> None:
    """All is there; nothing is written anywhere."""
    before = shared.picture()
    for words in (("verify",), ("verify", "--deep")):
        answer = shared.ask(*words)
        assert answer.kind == "verification"
        assert answer.item["snapshots"] == 1
        assert answer.item["findings"] == []
    answer = shared.ask("rehearse", "photos", "--kit", shared.kit)
    assert answer.kind == "rehearsal"
    assert answer.item["files"] == 4
    assert answer.item["findings"] == []
    assert shared.picture() == before


def test_key_check_and_export(shared: Host, tmp_path: Path) -> None:
    """The kit that lies here opens the vault, and so does the copy of what export prints."""
    assert shared.ask("key", "check").item["opens"] is True
    copy = tmp_path / "copy.kit"
    copy.write_text(shared.run("key", "export").out)
    answer = shared.ask("key", "check", "--kit", copy)
    assert answer.kind == "key"
    assert answer.item["opens"] is True
    assert shared.ask("key", "export").item["kit"] == copy.read_text()


def test_settings_by_option_and_environment(shared: Host, tmp_path: Path) -> None:
    """--config and $VAULT_CONFIG name the vault.toml, whose folder is the home."""
    elsewhere = shared.under(VAULT_HOME=str(tmp_path))
    config = shared.home / "vault.toml"
    wanted = shared.ask("status").item["vault"]
    assert elsewhere.ask("status", "--config", config).item["vault"] == wanted
    assert elsewhere.under(VAULT_CONFIG=str(config)).ask("status").item["vault"] == wanted


def test_help_of_every_command(shared: Host) -> None:
    """Every command has help with an example; asking for help is no error."""
    shown = shared.run("--help").out
    commands = set(re.findall(r"^  ([a-z][\w-]*) +\w", shown, re.MULTILINE))
    described = Path("docs/cli.md").read_text("utf-8")
    assert commands == set(re.findall(r"^### vault ([\w-]+)", described, re.MULTILINE))
    assert "vault 0" in shared.run("--version").out
    for command in ("restore", "undelete"):
        assert "Example: vault" in shared.run(command, "--help").out
    assert "vault volume add photos" in shared.run("volume", "add", "--help").out


def test_a_narrow_terminal_and_no_colours(shared: Host) -> None:
    """Ids are whole at 40 columns; nothing is coloured where nobody sees it."""
    snapshot = shared.ask("snapshots").item["id"]
    narrow = shared.under(COLUMNS="40", NO_COLOR="1", TERM="xterm-256color")
    for words in (("status",), ("ls", "photos"), ("volume", "list")):
        answer = narrow.run(*words)
        assert "\x1b" not in answer.out + answer.err
    assert snapshot in narrow.run("snapshots").out


def test_a_locale_without_letters(shared: Host) -> None:
    """An output that cannot write a quotation mark is no reason to fail."""
    answer = shared.under(PYTHONIOENCODING="ascii", LC_ALL="C").run("status")
    assert "NOT ISOLATED" in answer.err


def test_a_reader_that_goes_away(shared: Host) -> None:
    """`vault ls … | head -1` ends quietly, like other programs."""
    for words in (
        ("ls", "photos"),
        ("snapshots",),
        ("status", "--json"),
        ("cat", "photos", "empty"),
    ):
        process = shared.start(*words)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        wanted = 0 if "cat" in words else 141  # it had nothing to write
        assert (process.wait(timeout=60), err) == (wanted, b""), words
