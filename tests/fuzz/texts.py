"""Parsers of what people, services and settings say: texts, and answers of an S3 server."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

from tests.fuzz import corpus
from vault.clock import format_time, parse_span, parse_time
from vault.codec.keyring import (
    check_recipient,
    parse_kit,
    parse_role_key,
    parse_writer_keys,
    role_key_text,
)
from vault.errors import VaultError
from vault.ids import id_time, is_id, match_prefix, new_id, next_id
from vault.lifecycle.retention import parse_keep
from vault.lifecycle.schedule import next_after
from vault.operations.identity import identity_text, read_identity
from vault.settings import default_text, parse_settings
from vault.store.names import digest_of, is_key, require_key
from vault.store.opening import open_store
from vault.store.s3_errors import LOCKING, calling, server_time
from vault.testing.clock import START, ManualClock


def in_file(text: str) -> str:
    """A text as a file could hold it: without lone surrogates, which only arguments have."""
    return text.encode("utf-8", "replace").decode()


def run_kit(text: str) -> str:
    """A recovery kit."""
    return parse_kit(in_file(text)).text()


def run_writer_keys(text: str) -> str:
    """A writer's key file."""
    return parse_writer_keys(in_file(text)).text()


def run_settings(text: str) -> Any:
    """vault.toml."""
    return parse_settings(in_file(text))


def run_address(url: str) -> Any:
    """A store's address, up to a store that is not reached yet."""
    return open_store(url, right="reader", clock=ManualClock()).address


def run_schedule(text: str) -> Any:
    """A schedule and its next strike."""
    strike = next_after(text, START)
    assert strike > START
    return strike


def run_id(text: str) -> Any:
    """An id, as a person or an object gives it."""
    whole = [is_id(text, kind) for kind in ("snap", "tomb", "vol", "vault", "sess", "evt")]
    match_prefix(text, [new_id("snap", START), new_id("vol", START), text])
    if is_id(text, "evt") and text[4] in "0123456":
        assert next_id("evt", START, after=text) > text
        id_time(text)
    return whole


def run_name(text: str) -> Any:
    """An object's name, as a store lists it."""
    digest_of(text)
    is_key(text)
    return require_key(text)


def run_answer(parts: Any) -> Any:
    """What a server answers a call with: its code, its status, its date; botocore frames them."""
    match parts:
        case [str(code), int(status), str(date)]:
            about = {"HTTPStatusCode": status, "HTTPHeaders": {"date": date}}
            response: Any = {"Error": {"Code": code}, "ResponseMetadata": about}
        case _:
            response = {}
    server_time(response)
    told: list[type[VaultError]] = []
    for meaning in ({}, LOCKING):
        try:
            with calling("trying", ManualClock(), meaning):
                raise ClientError(response, "GetObject")
        except VaultError as error:
            told.append(type(error))
    return told


def _answers() -> list[Any]:
    codes = ("AccessDenied", "RequestTimeTooSkewed", "NoSuchKey", "SlowDown")
    return [[code, 403, "Fri, 24 Apr 2026 09:30:00 GMT"] for code in codes]


def _settings() -> list[str]:
    return [default_text("file:///var/lib/vault/store", START), _SETTINGS]


_SETTINGS: Final = """\
[store]
url = "s3://bucket/prefix"
[roles.writer]
profile = "writer"
[roles.reader]
[environments.production]
kind = "protected"
window = "72h"
[environments.staging]
kind = "ephemeral"
window = "10m"
[daemon]
listen = "[::1]:9464"
verify_every = "1d"
extend_every = "6h"
[defaults]
environment = "production"
schedule = "@hourly"
keep = "hourly=24"
"""
_URLS: Final = (
    "file:///var/lib/store",
    "file:///s?immutable=no",
    "s3://bucket/prefix?endpoint=https://host:9000&region=eu-1",
)
_SCHEDULES: Final = (
    *("0 * * * *", "*/15 1-5,9 1 jan-mar mon", "@daily", "every 15m", "every 1w2d", "0 0 29 2 *"),
)
_TIMES: Final = ("2026-04-24T09:30:00Z", "2026-04-24T09:30:00.5+14:00", "20260424T093000Z")

TARGETS: Final = (
    ("recovery kit", corpus.kits, run_kit, str),
    ("writer's key", lambda: [corpus.WRITER_KEYS.text()], run_writer_keys, str),
    (
        "role's key",
        lambda: [role_key_text(corpus.WRITER_KEYS.signing, "purger")],
        lambda t: parse_role_key(t).seed,
    ),
    ("recipient", corpus.recipients, check_recipient),
    ("settings", _settings, run_settings),
    ("store's address", lambda: _URLS, run_address),
    ("schedule", lambda: _SCHEDULES, run_schedule),
    ("span", lambda: ("90s", "10m", "2h", "30d", "1d12h", "1 w"), parse_span),
    ("time", lambda: _TIMES, parse_time, format_time),
    ("keep", lambda: ("hourly=24,daily=7,weekly=5,monthly=12", "daily=1"), parse_keep, str),
    ("id", lambda: [new_id("snap", START), new_id("evt", START), "01k"], run_id),
    ("name", lambda: ["packs/ab/" + "ab" * 32, "events/vol_1/evt_2-" + "0" * 64], run_name),
    ("identity", lambda: ["directory device=1 inode=2"], read_identity, identity_text),
    ("server's answer", _answers, run_answer),
)
