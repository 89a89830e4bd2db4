"""Settings: what may stand in vault.toml, and what is said about what may not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vault.errors import SettingsError
from vault.lifecycle.due import check_schedule
from vault.lifecycle.retention import Keep, parse_keep
from vault.settings import (
    ROLES,
    Defaults,
    Settings,
    StoreSettings,
    default_text,
    home,
    load_settings,
    parse_settings,
)

AT = datetime(2026, 4, 24, tzinfo=UTC)
WORKLOAD = """
[[workload]]
issuer = "https://issuer.example/id"
audience = "vault"
environment = "staging"
keys = "https://issuer.example/keys"
"""
STORE = '[store]\nurl = "file:///srv/vault"\n'


@pytest.mark.parametrize("url", ["file:///srv/vault", 's3://b/p?x="\\', "s3://bücket"])
def test_the_written_file_says_the_defaults(url: str) -> None:
    plain = Settings(store=StoreSettings(url=url))
    text = default_text(url, AT)
    assert parse_settings(text) == plain
    assert "2026-04-24T00:00:00Z" in text


def test_what_the_comments_show_is_what_holds() -> None:
    text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", default_text("file:///srv/vault", AT))
    shown = parse_settings(text)
    plain = parse_settings(STORE)
    assert (shown.daemon, shown.defaults) == (plain.daemon, plain.defaults)
    assert shown.roles == plain.roles
    assert set(plain.roles) == set(ROLES)
    assert shown.environments["production"].window == timedelta(hours=48)
    assert [(w.environment, w.claim) for w in shown.workload] == [("staging", "sub")]


def test_the_defaults_can_be_used() -> None:
    check_schedule(Defaults().schedule)
    assert parse_keep(Defaults().keep) == Keep()


def test_every_table_is_read() -> None:
    settings = parse_settings(
        STORE
        + '[roles.writer]\nprofile = "daemon"\n'
        + '[environments.production]\nwindow = "7d"\n'
        + '[environments.preview]\nkind = "ephemeral"\nwindow = "10m"\n'
        + '[daemon]\nlisten = ""\nverify_every = "12h"\nextend_every = "1h"\n'
        + '[audit]\ntimestamp_url = "https://tsa.example.org"\ntimestamp_roots = "tsa.pem"\n'
        + '[[notify]]\nurl = "json://host"\nevents = ["panic"]\n'
        + '[[notify]]\nname = "ops"\nurl_file = "ops.url"\nkey_file = "ops.key"\n'
        + '[defaults]\nschedule = "every 15m"\nkeep = "daily=3"\nenvironment = "preview"\n'
    )
    assert settings.store_url == "file:///srv/vault"
    assert settings.roles["writer"].profile == "daemon"
    assert settings.roles["purger"].profile == ""
    assert settings.environments["production"].window == timedelta(days=7)
    assert settings.environments["preview"].window == timedelta(minutes=10)
    assert settings.daemon.verify_every == timedelta(hours=12)
    assert settings.audit.timestamp_roots == "tsa.pem"
    assert settings.audit.timestamp_every == timedelta(hours=1)
    first, second = settings.notify
    assert (first.called[:5], first.url, first.events) == ("json-", "json://host", ("panic",))
    assert (second.called, second.url_file, second.key_file) == ("ops", "ops.url", "ops.key")
    assert settings.defaults == Defaults(
        schedule="every 15m", keep="daily=3", environment="preview"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "store"),
        ("[store]\nurl = ''\n", "store"),
        ("[store]\nurl = 3\n", "store.url"),
        ("[store\n", "line 1"),
        (STORE + "[stoer]\n", "stoer"),
        (STORE + '[daemon]\nlisten_on = "x"\n', "listen_on"),
        (STORE + '[daemon]\nlisten = "nowhere"\n', "nowhere"),
        (STORE + '[daemon]\nverify_every = "soon"\n', "daemon.verify_every"),
        (STORE + "[daemon]\nverify_every = 60\n", "daemon.verify_every"),
        (STORE + '[daemon]\nverify_every = "0s"\n', "daemon.verify_every"),
        (STORE + '[roles.root]\nprofile = "x"\n', "root"),
        (STORE + '[roles.writer]\nsecret = "x"\n', "secret"),
        (STORE + '[environments.production]\nwindow = "47h"\n', "48h"),
        (STORE + '[environments.production]\nwindow = "172799s"\n', "48h"),
        (STORE + '[environments.production]\nkind = "sandbox"\n', "kind"),
        (STORE + '[audit]\ntimestamp_url = "https://x"\n', "timestamp_roots"),
        (STORE + '[audit]\ntimestamp_url = "x"\ntimestamp_roots = "x"\n', "https://host/path"),
        (STORE + '[[notify]]\nname = "x"\n', "one of both"),
        (STORE + '[[notify]]\nurl = "json://x"\nurl_file = "x"\n', "one of both"),
        (STORE + '[[notify]]\nurl = "json://x"\nevents = ["lunch"]\n', "lunch"),
        (STORE + '[[notify]]\nurl = "json://x"\nkey = "secret"\n', "key"),
        (STORE + '[[notify]]\nurl = "json://x"\n' * 2, "one name"),
        (STORE + WORKLOAD.replace("https:", "http:"), "http://issuer.example/keys"),
        (STORE + WORKLOAD.replace("//issuer.example/keys", ""), "https:"),
        (STORE + WORKLOAD.replace('"vault"', '""'), "audience"),
        (STORE + WORKLOAD.replace("/id", "/#id"), "#"),
        (STORE + WORKLOAD + WORKLOAD, "one [[workload]] alone"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "/etc/vault.toml")
    assert "/etc/vault.toml" in caught.value.message
    assert named in caught.value.message
    assert caught.value.hint


def test_a_protected_window_at_the_floor_is_accepted() -> None:
    settings = parse_settings(STORE + '[environments.production]\nwindow = "48h"\n')
    assert settings.environments["production"].window == timedelta(hours=48)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no"):
        load_settings(tmp_path / "vault.toml")
    (tmp_path / "vault.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "vault.toml")
    (tmp_path / "vault.toml").write_text(STORE)
    assert load_settings(tmp_path / "vault.toml").store_url == "file:///srv/vault"


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert home({"VAULT_HOME": "/srv/v"}) == Path("/srv/v")
    assert home({"VAULT_HOME": "v"}) == tmp_path / "v"
    assert home({}).is_absolute()
    assert home({}).name == "vault"
