"""Signed webhooks: a notice as JSON, posted with an HMAC over the time and the body.

Two headers: `Vault-Notice` is the notice's id, `Vault-Signature` is `t=<Unix seconds>,v1=<hex>`,
with one `v1` for each key. A signature is HMAC-SHA256, by the key's bytes, of
`<Unix seconds>.<body>`.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from vault.clock import Clock
from vault.errors import SettingsError
from vault.governance.notice import Notice
from vault.messenger.post import post
from vault.messenger.secrets import read_secret

SIGNATURE: Final = "Vault-Signature"
NOTICE: Final = "Vault-Notice"
_SHORTEST_KEY: Final = 32
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Webhook:
    """One place that notices are posted to. The key's file is read for each: it may be changed."""

    url: str
    key_file: Path
    clock: Clock

    def send(self, notice: Notice) -> str:
        """Post a notice; says what was amiss, nothing where it was taken (any 2xx).

        Raises SettingsError.
        """
        body = body_of(notice)
        moment = int(self.clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "vault",
            NOTICE: notice.id,
            SIGNATURE: signature(read_keys(self.key_file), moment, body),
        }
        return post(self.url, body, headers).fault


def open_webhook(url: str, key_file: Path, clock: Clock) -> Webhook:
    """A webhook that can be used. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SettingsError(
            "a webhook's url is not https://host/path",
            safe="Nothing was sent.",
            hint="A key_file makes a receiver a webhook; leave it out for a service of apprise's.",
        )
    read_keys(key_file)
    return Webhook(url, key_file, clock)


def body_of(notice: Notice) -> bytes:
    """What is posted; the same notice gives the same bytes."""
    told: dict[str, Any] = {"version": _VERSION, **msgspec.to_builtins(notice)}
    return msgspec.json.encode(told)


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The keys in a file, one a line: all of them sign. Raises SettingsError."""
    keys = [line.strip() for line in read_secret(path).splitlines() if line.strip()]
    if min(map(len, keys)) < _SHORTEST_KEY:
        raise SettingsError(
            f"a key in {path} is shorter than {_SHORTEST_KEY} characters",
            safe="Nothing was sent.",
            hint="Make one: openssl rand -hex 32",
        )
    return tuple(key.encode() for key in keys)


def signature(keys: Sequence[bytes], moment: int, body: bytes) -> str:
    """The value of the header: the time, and what each key makes of time and body."""
    told = str(moment).encode() + b"." + body
    made = (f"v1={hmac.digest(key, told, 'sha256').hex()}" for key in keys)
    return ",".join((f"t={moment}", *made))
