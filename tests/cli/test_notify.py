"""Receivers from the command line: tried, told by the daemon, looked at by the doctor."""

from __future__ import annotations

from tests.cli.hosts import Host
from tests.unit.messenger.receiving import receiving
from vault.errors import UsageError


def add_receiver(host: Host, url: str, name: str = "ops") -> None:
    """A signed webhook in vault.toml, with its key beside it."""
    key = host.home / f"{name}.key"
    key.write_text("k" * 64)
    key.chmod(0o600)
    with (host.home / "vault.toml").open("a") as file:
        file.write(f'[[notify]]\nname = "{name}"\nurl = "{url}"\nkey_file = "{name}.key"\n')


def test_receivers_are_tried(fresh: Host) -> None:
    """Status 3 where one does not take it; with none in vault.toml there is nothing to try."""
    fresh.refused(UsageError, "notify", "test", says="no [[notify]]")
    with receiving() as inbox:
        add_receiver(fresh, inbox.url)
        item = fresh.ask("notify", "test").item
        assert item == {"receiver": "ops", "taken": 1, "fault": ""}
        assert inbox.events == ["test"]
        inbox.statuses.append(500)
        answer = fresh.run("notify", "test", "--receiver", "ops", status=3)
        assert "it answered 500" in answer.out
        fresh.refused(UsageError, "notify", "test", "--receiver", "other", says="other")


def test_the_daemon_tells_what_was_done_while_it_was_not_there(captured: Host) -> None:
    """Once: the next rounds have nothing to tell. The doctor says how receivers are."""
    tombstone = captured.ask("delete", "photos", "--reason", "test").item["id"]
    with receiving() as inbox:
        add_receiver(captured, inbox.url)
        captured.run("daemon", "--once")
        captured.run("daemon", "--once")
        told = [one.notice for one in inbox.got if one.notice["event"] == "tombstone_made"]
        assert [one["tombstone"] for one in told] == [tombstone]
    (check,) = (c for c in captured.ask("doctor", status=3).items if c["name"] == "notify ops")
    assert check["ok"]
    (captured.home / "ops.key").chmod(0o644)
    (check,) = (c for c in captured.ask("doctor", status=3).items if c["name"] == "notify ops")
    assert not check["ok"]
    assert "chmod 600" in check["hint"]


def test_what_attestation_sees_is_told(captured: Host) -> None:
    """A directory store is not write-once, and whoever is told of findings hears of it."""
    with receiving() as inbox:
        add_receiver(captured, inbox.url)
        captured.run("store", "attest", status=3)
        captured.run("daemon", "--once")
        assert "attestation_failed" in inbox.events
