"""Webhooks: what is posted, how it is signed, and what counts as taken."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.tidy.source import ROOT
from tests.unit.messenger.receiving import Got, receiving
from vault.errors import SettingsError
from vault.governance.notice import Notice, Topic
from vault.messenger.webhook import Webhook, open_webhook
from vault.testing.clock import ManualClock

AT = datetime(2026, 4, 24, 9, 30, tzinfo=UTC)
NOTICE = Notice(
    id="aud_1", event=Topic.PANIC, at=AT, title="vault: panic", text="Now.", by="ann@host"
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key in a file of its own."""
    path = tmp_path / "key"
    path.write_text("0123456789abcdef" * 4 + "\n")
    path.chmod(0o600)
    return path


def sent(url: str, key: Path) -> str:
    """What became of one notice."""
    return open_webhook(url, key, ManualClock(AT)).send(NOTICE)


def documented() -> Any:
    """The function that docs/notifications.md gives to receivers."""
    page = (ROOT / "docs" / "notifications.md").read_text("utf-8")
    (code,) = re.findall(r"<!-- receiver: tested -->\n\n```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["is_from_vault"]


def fits(got: Got, key: bytes, *, now: float) -> bool:
    """What the documented receiver says of a request."""
    answer = documented()(got.headers["Vault-Signature"], got.body, key, now)
    assert isinstance(answer, bool)
    return answer


def test_a_notice_is_posted_with_its_id_and_a_signature_of_time_and_body(key: Path) -> None:
    with receiving() as inbox:
        assert sent(inbox.url, key) == ""
    (got,) = inbox.got
    assert got.path == "/hook"
    assert got.headers["Vault-Notice"] == "aud_1"
    assert got.notice == {
        "version": 1,
        "id": "aud_1",
        "event": "panic",
        "at": "2026-04-24T09:30:00Z",
        "title": "vault: panic",
        "text": "Now.",
        "vault": "",
        "environment": "",
        "volume": "",
        "tombstone": "",
        "by": "ann@host",
    }
    moment = int(AT.timestamp())
    told = f"{moment}.".encode() + got.body
    made = hmac.new(key.read_bytes().strip(), told, sha256).hexdigest()
    assert got.headers["Vault-Signature"] == f"t={moment},v1={made}"


def test_the_documented_receiver_takes_what_is_ours_and_nothing_else(key: Path) -> None:
    """Another key, another body, another time: none of them passes."""
    with receiving() as inbox:
        sent(inbox.url, key)
    (got,) = inbox.got
    secret, now = key.read_bytes().strip(), AT.timestamp()
    assert fits(got, secret, now=now + 200)
    assert not fits(got, secret, now=now + 301)
    assert not fits(got, secret, now=now - 301)
    assert not fits(got, b"x" * 64, now=now)
    assert not fits(Got(got.path, got.headers, got.body + b" "), secret, now=now)
    later = got.headers["Vault-Signature"].replace("t=", "t=1")
    assert not fits(Got(got.path, {"Vault-Signature": later}, got.body), secret, now=now)
    for odd in ("", "t=,v1=", "v1=00", "t=9" * 99, "t=1777023000", "t=1777023000,v1=é"):
        assert not fits(Got(got.path, {"Vault-Signature": odd}, got.body), secret, now=now)


def test_while_a_key_is_replaced_both_sign(key: Path) -> None:
    """The file is read for each notice; a receiver may know either key."""
    with receiving() as inbox:
        hook = open_webhook(inbox.url, key, ManualClock(AT))
        hook.send(NOTICE)
        key.write_text("n" * 64 + "\n" + "0123456789abcdef" * 4 + "\n")
        hook.send(NOTICE)
    first, second = inbox.got
    assert not fits(first, b"n" * 64, now=AT.timestamp())
    assert fits(second, b"n" * 64, now=AT.timestamp())
    assert fits(second, b"0123456789abcdef" * 4, now=AT.timestamp())


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_whatever_is_no_success_is_a_fault(key: Path, status: int) -> None:
    with receiving() as inbox:
        inbox.statuses.append(status)
        assert sent(inbox.url, key) == f"it answered {status}"


def test_a_redirect_is_not_followed(key: Path) -> None:
    """Nobody else gets what was signed for this receiver."""
    with receiving() as elsewhere, receiving() as inbox:
        inbox.headers["Location"] = elsewhere.url
        for status in (301, 302, 303, 307, 308):
            inbox.statuses.append(status)
            assert sent(inbox.url, key) == f"it answered {status}"
        assert elsewhere.got == []


def test_nobody_there_is_a_fault(key: Path) -> None:
    with receiving() as inbox:
        url = inbox.url
    assert sent(url, key).startswith("it cannot be reached: ")


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "https://", "https://ann:secret@host/x", "json://host", ""]
)
def test_what_is_no_webhook_is_refused_without_telling_its_url(key: Path, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        open_webhook(url, key, ManualClock(AT))
    assert "secret" not in refused.value.message


def test_keys_are_files_of_their_owner_alone(key: Path, tmp_path: Path) -> None:
    """What others may read is no secret; what is short is guessed."""
    hook = Webhook("http://127.0.0.1:9/", key, ManualClock(AT))
    for mode in (0o640, 0o604, 0o620):
        key.chmod(mode)
        with pytest.raises(SettingsError, match="others than its owner"):
            hook.send(NOTICE)
    key.chmod(0o600)
    for text in ("", "\n", "short", "0" * 64 + "\nshort"):
        key.write_text(text)
        with pytest.raises(SettingsError):
            hook.send(NOTICE)
    key.write_bytes(b"\xff" * 64)
    with pytest.raises(SettingsError, match="no text"):
        hook.send(NOTICE)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SettingsError):
            open_webhook("http://127.0.0.1:9/", path, ManualClock(AT))
