"""Services: apprise's own code, sending to a server on loopback."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest

from tests.unit.messenger.receiving import receiving
from vault.errors import ExtraMissing, SettingsError
from vault.governance.notice import Notice, Topic
from vault.messenger.services import open_service

NOTICE = Notice(
    id="aud_1",
    event=Topic.VOLUME_VANISHED,
    at=datetime(2026, 4, 24, tzinfo=UTC),
    title="vault: “db” is gone",
    text="Look <b>at</b> it.",
)


def test_a_service_gets_title_text_and_id() -> None:
    """As plain text: what stands in it is no markup."""
    with receiving() as inbox:
        service = open_service(inbox.url.replace("http:", "json:"))
        assert service.send(NOTICE) == ""
    told = inbox.got[0].notice
    assert told["title"] == "vault: “db” is gone"
    assert told["message"] == "Look <b>at</b> it.\naud_1"
    assert told["type"] == "failure"


def test_what_a_service_does_not_take_is_a_fault() -> None:
    with receiving() as inbox:
        inbox.statuses.append(500)
        service = open_service(inbox.url.replace("http:", "json:"))
        assert service.send(NOTICE) == "the service did not take it"
        assert service.send(NOTICE) == ""


def test_an_url_that_is_no_service_is_refused_without_telling_it() -> None:
    with pytest.raises(SettingsError) as refused:
        open_service("nonsense://token-of-ours")
    assert "nonsense" in refused.value.message
    assert "token" not in refused.value.message + refused.value.hint


def test_a_missing_library_names_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ExtraMissing) as missing:
        open_service("json://host")
    assert "pip install 'vault-softdelete[notify]'" in missing.value.hint
