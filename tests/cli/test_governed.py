"""What takes a safeguard away, by command: refused, asked for, signed by OpenSSH, done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.hosts import Host
from tests.cli.test_approvals import asked
from tests.signers import build_token, make_key, ssh_sign
from vault.clock import parse_time
from vault.errors import Denied, TransitionRefused, UsageError, VaultError

LESS = "hourly=0,daily=7,weekly=0,monthly=0"
WHY = ("--reason", "the court wants it gone")


@pytest.fixture
def tombstone(captured: Host) -> str:
    """`photos` is deleted, and can be undone for 14 days; `more` is protected as well."""
    settings = captured.home / "vault.toml"
    text = settings.read_text("utf-8")
    settings.write_text(f'{text}\n[environments.production]\nwindow = "14d"\n', "utf-8")
    place = captured.home.parent / "more"
    place.mkdir()
    captured.ask("volume", "add", "more", place)
    add = ("environment", "add", "preview", "--ephemeral", "--window", "1h", "--kit", captured.kit)
    captured.ask(*add)
    return str(captured.ask("delete", "photos", "--reason", "moved").item["id"])


@pytest.fixture
def agreed(captured: Host, tombstone: str, tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Do what waits for people, once Eve has signed it with a key in a device, by ssh-keygen."""
    token, text = build_token(tmp_path), tmp_path / "request.txt"
    key = make_key(tmp_path, "ed25519-sk", token)
    line = key.with_name(key.name + ".pub")
    captured.ask("approver", "add", "eve", "--key", line, "--kit", captured.kit)

    def agree(*words: str) -> dict[str, object]:
        ask = asked(captured, *words)
        text.write_text(captured.run("approve", ask, "--text").out, "utf-8")
        signature = ssh_sign(key, text, token=token)
        captured.ask("approve", ask, "--signature", signature)
        signature.unlink()
        return captured.ask(*words).item

    return agree


def refused(host: Host, kind: type[VaultError], *words: str, says: str) -> None:
    """Refused so, while a volume is not in its place."""
    assert says in host.run(*words, "--json", status=kind.status).err


def test_with_nobody_to_agree_all_of_it_is_refused(captured: Host, tombstone: str) -> None:
    """And says what to do; what is safe goes on."""
    refused(captured, Denied, "purge-early", tombstone, *WHY, says="vault approver add")
    captured.ask("hold", tombstone, "--reason", "auditors")
    for words in (
        ("release", tombstone),
        ("volume", "keep", "more", LESS, *WHY),
        ("volume", "move", "more", "--environment", "preview", *WHY),
    ):
        refused(captured, Denied, *words, says="vault approver add")
    refused(captured, TransitionRefused, "purge-early", tombstone, *WHY, says="a hold is on")
    assert captured.ask("undelete", tombstone).item["state"] == "restored"
    again = captured.ask("delete", "photos", "--reason", "moved").item["id"]
    refused(captured, TransitionRefused, "purge-early", again, *WHY, says="a hold is on")


def test_an_early_purge_waits_for_people_and_for_48_hours(
    captured: Host, tombstone: str, agreed: Callable[..., dict[str, object]]
) -> None:
    """Everybody has signed, and the purger still refuses; undelete brings it back."""
    captured.run("purge-early", tombstone, status=2)
    item = agreed("purge-early", tombstone, *WHY)
    made = parse_time(str(item["created_at"]))
    left = parse_time(str(item["undo_until"])) - made
    assert timedelta(hours=48) <= left < timedelta(hours=49)
    (verdict,) = captured.ask("purger", "--once").items
    assert verdict["verdict"] == "refused"
    assert any("the window ends at" in reason for reason in verdict["reasons"])
    assert not any("not proved" in reason for reason in verdict["reasons"])
    told = captured.run("purger", "--once", "--dry-run").out
    assert "refused" in told
    assert captured.ask("undelete", tombstone).item["state"] == "restored"


def test_a_hold_comes_off_when_people_agree(
    captured: Host, tombstone: str, agreed: Callable[..., dict[str, object]]
) -> None:
    """To this one, held for this: their word counts once."""
    captured.ask("hold", tombstone, "--reason", "auditors")
    assert agreed("release", tombstone, "--reason", "they are done")["held"] == ""
    captured.ask("hold", tombstone, "--reason", "auditors")
    asked(captured, "release", tombstone, "--reason", "they are done")


def test_less_is_kept_and_a_volume_moves_when_people_agree(
    captured: Host, agreed: Callable[..., dict[str, object]]
) -> None:
    """Back again nobody is asked; where there is no such environment, it stays."""
    assert agreed("volume", "keep", "more", LESS, *WHY)["keep"] == LESS
    move = ("volume", "move", "more", "--environment")
    refused(captured, UsageError, *move, "nowhere", *WHY, says="vault volume add")
    assert agreed(*move, "preview", *WHY)["environment"] == "preview"
    assert captured.ask(*move, "production", *WHY).item["environment"] == "production"


def test_a_panic_stops_deletes_until_calm(captured: Host, tombstone: str) -> None:
    """Everybody's, and no undelete."""
    captured.run("panic", status=2)
    assert captured.ask("panic", "--reason", "our tokens are out").item["frozen"]
    assert captured.ask("undelete", tombstone).item["state"] == "restored"
    for volume in ("photos", "more"):
        captured.refused(Denied, "delete", volume, *WHY, says="our tokens are out")
    assert "vault calm" in captured.run("delete", "more", *WHY, status=Denied.status).err
    (waits,) = captured.ask("frozen").items
    assert (waits["name"], waits["reason"]) == ("*", "our tokens are out")
    assert not captured.ask("calm").item["frozen"]
    assert captured.ask("frozen").items == []
    assert captured.ask("delete", "more", *WHY).item["state"] == "tombstoned"


def test_a_panic_ends_when_people_agree(
    captured: Host, agreed: Callable[..., dict[str, object]]
) -> None:
    captured.ask("panic", "--reason", "our tokens are out")
    asked(captured, "calm")
    assert [item["name"] for item in captured.ask("frozen").items] == ["*"]
    assert not agreed("calm")["frozen"]
    assert captured.ask("frozen").items == []
