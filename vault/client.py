"""The client: a platform's own delete handler, or a command line, speaks to a daemon's HTTP door.

with Client("https://vault.example.org:9465", token) as vault:
    tombstone = vault.delete("prod-db", reason="replaced by prod-db-2", task="OPS-117")
    print(tombstone.id, tombstone.undo_until)

It has the methods of `vault.Vault` that work from afar, under the same names.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from vault import errors
from vault.answers import Page, decoded, foreign, items, problem, read, status_of
from vault.clock import Clock, SystemClock
from vault.operations.approve import ApprovalItem
from vault.operations.audit_items import AuditEntryItem
from vault.operations.enroll import Enrolment
from vault.operations.grants import GrantItem, GrantWish
from vault.operations.history import AuditFilter
from vault.operations.items import SnapshotItem, StatusReport, TombstoneItem, VolumeItem
from vault.operations.roster import ApproverItem
from vault.urls import is_confidential

__all__ = ["CERTIFICATE", "TOKEN", "URL", "Client", "status_of"]

URL: Final = "VAULTD_URL"
TOKEN: Final = "VAULTD_TOKEN"
CERTIFICATE: Final = "VAULTD_CACERT"
"""Names of our own: VAULT_ADDR and VAULT_TOKEN belong to another product, and are never read."""

_ATTEMPTS: Final = 4
_TIMEOUT: Final = 60.0
_PAGE: Final = 1000
_RECENT: Final = timedelta(days=7)
_Item = TypeVar("_Item")


class _Deleted(msgspec.Struct):
    state: str
    detail: str = ""
    approval: str = ""
    tombstone: str = ""


class _Options(msgspec.Struct):
    public_key: dict[str, Any]


class Client:
    """One daemon, as one caller. Methods raise VaultError as those of a local vault do."""

    def __init__(
        self,
        url: str = "",
        token: str = "",
        *,
        verify: bool | str = True,
        clock: Clock | None = None,
    ) -> None:
        """Without `url` and `token` those of $VAULTD_URL and $VAULTD_TOKEN.

        `verify` is the path of a certificate to trust; True is that of $VAULTD_CACERT, or else
        those that the system trusts.
        """
        base = url or os.environ.get(URL, "")
        shown = token or os.environ.get(TOKEN, "")
        if not base.startswith(("http://", "https://", "unix://")):
            raise errors.UsageError(f"“{base}” is no daemon's URL", hint=f"Set {URL}: https://…")
        if not base.startswith("unix://") and not is_confidential(base):
            raise errors.UsageError(
                "a token does not travel in the clear", hint="Use https://, or http:// on loopback."
            )
        if not (shown.isascii() and shown.isprintable()):
            raise errors.TokenInvalid(
                "what is shown as a token is none",
                safe="Nothing was changed.",
                hint="Show one as it was made: vlt_…, in letters and digits.",
            )
        trust = _trusted(verify if verify is not True else os.environ.get(CERTIFICATE) or True)
        local = base.removeprefix("unix://") if base.startswith("unix://") else None
        self._clock = clock or SystemClock()
        self._http = httpx.Client(
            base_url="http://vault" if local else base,
            headers={"Authorization": f"Bearer {shown}"} if shown else {},
            timeout=_TIMEOUT,
            transport=httpx.HTTPTransport(uds=local, verify=trust),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise errors.UsageError(
            f"this is done at the vault itself, not through {URL} ({name.replace('_', ' ')})",
            hint=f"Run it on the daemon's host, without {URL}.",
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    @property
    def oversight(self) -> Self:
        """The verbs of governance stand beside the others."""
        return self

    # --- volumes and snapshots -------------------------------------------------------------------

    def status(self) -> StatusReport:
        """What was deleted lately, and the volumes. How the vault is, is told at the vault."""
        now = self._clock.now()
        recent = [
            tombstone
            for tombstone in self.tombstones()
            if (tombstone.created_at or now) > now - _RECENT or (tombstone.undo_until or now) > now
        ]
        return StatusReport(
            vault="",
            store=str(self._http.base_url),
            isolated=None,
            notes=(),
            recent=tuple(reversed(recent)),
            volumes=self.volumes(),
        )

    def whoami(self) -> dict[str, Any]:
        """Who the token stands for, and what it is limited to."""
        told: dict[str, Any] = read(self._call("GET", "/v1/whoami"), dict)
        return told

    def volumes(self) -> tuple[VolumeItem, ...]:
        """The volumes of the caller's environment."""
        return tuple(self._pages("/v1/volumes", VolumeItem))

    def volume(self, name: str) -> VolumeItem:
        """One volume. Raises VolumeUnknown."""
        return read(self._call("GET", _path("volumes", name)), VolumeItem)

    def add_volume(self, wish: Enrolment) -> VolumeItem:
        """Register a volume, at a place on the daemon's host. Raises VolumeExists, SourceError."""
        body = {
            "path": wish.path,
            "environment": wish.environment,
            "schedule": wish.schedule,
            "keep": wish.keep,
        }
        return read(self._call("PUT", _path("volumes", wish.name), json=body), VolumeItem)

    def keep(self, name: str, terms: str, *, reason: str = "") -> VolumeItem:
        """Keep more or less of what is stored from now on, as `daily=7`. Raises ApprovalNeeded."""
        body = {"keep": terms, "reason": reason}
        return read(self._call("POST", _path("volumes", name, "keep"), json=body), VolumeItem)

    def snapshots(self, volume: str | None = None) -> tuple[SnapshotItem, ...]:
        """The snapshots there, or those of one volume, the oldest first."""
        return tuple(self._pages("/v1/snapshots", SnapshotItem, volume=volume or ""))

    def snapshot(self, name: str) -> SnapshotItem:
        """Take a snapshot now; on return it is committed, read back and locked."""
        return read(self._call("POST", _path("volumes", name, "snapshots")), SnapshotItem)

    # --- delete and undelete ---------------------------------------------------------------------

    def delete(self, name: str, *, reason: str, task: str = "", key: str = "") -> TombstoneItem:
        """Turn a volume into a tombstone; on return it is recorded in the store and undoable.

        Asked again with an idempotency `key`, it is what the first time has become. Raises
        VolumeUnknown, Denied; ApprovalNeeded: nothing has changed until people agree.
        """
        headers = {
            "Vault-Reason": _on_one_line(reason),
            "Vault-Task": _on_one_line(task),
            "Idempotency-Key": _on_one_line(key) or secrets.token_hex(16).encode(),
        }
        told = read(self._call("DELETE", _path("volumes", name), headers=headers), _Deleted)
        if told.state == "awaiting_approval":
            waits = errors.ApprovalNeeded(told.detail, hint="When they agreed, ask again.")
            waits.ask = told.approval
            raise waits
        return self.tombstone(told.tombstone)

    def tombstones(self) -> tuple[TombstoneItem, ...]:
        """Every tombstone of the caller's environment, the oldest first."""
        return tuple(self._pages("/v1/tombstones", TombstoneItem))

    def tombstone(self, text: str) -> TombstoneItem:
        """One tombstone. Raises TombstoneUnknown."""
        return read(self._call("GET", _path("tombstones", text)), TombstoneItem)

    def undelete(self, ids: Sequence[str]) -> tuple[TombstoneItem, ...]:
        """Bring volumes back to their places. Raises at the first that cannot be."""
        paths = (_path("tombstones", identifier, "undelete") for identifier in ids)
        return tuple(read(self._call("POST", path), TombstoneItem) for path in paths)

    def undelete_since(self, span: timedelta, *, by: str = "") -> tuple[TombstoneItem, ...]:
        """Bring back all that was deleted within this span (by one identity)."""
        body = {"since": f"{max(1, int(span.total_seconds()))}s", "by": by}
        return items(self._call("POST", "/v1/undelete", json=body), TombstoneItem)

    def hold(self, tombstone: str, reason: str = "") -> TombstoneItem:
        """Nothing of it is purged until a person releases it."""
        path = _path("tombstones", tombstone, "hold")
        return read(self._call("POST", path, json={"reason": reason}), TombstoneItem)

    # --- grants and approvals --------------------------------------------------------------------

    def grants(self) -> tuple[GrantItem, ...]:
        """The grants of the caller's environment."""
        return tuple(self._pages("/v1/grants", GrantItem))

    def request_grant(self, wish: GrantWish) -> GrantItem:
        """Ask for a grant for oneself; a person gives it."""
        body = {name: getattr(wish, name) for name in ("reason", "task", "uses", "environment")}
        body |= {"volumes": list(wish.volumes), "verbs": list(wish.verbs)}
        body["lasts"] = f"{int(wish.life.total_seconds())}s"
        if wish.bytes:  # an older server knows neither of these
            body["bytes"] = wish.bytes
        if wish.starts_at is not None:
            body["starts_at"] = wish.starts_at.isoformat()
        return read(self._call("POST", "/v1/grants", json=body), GrantItem)

    def give_grant(self, grant: str) -> GrantItem:
        """Give what was asked for; for people."""
        return read(self._call("POST", _path("grants", grant, "give")), GrantItem)

    def revoke_grant(self, grant: str) -> GrantItem:
        """Take a grant back; for people."""
        return read(self._call("POST", _path("grants", grant, "revoke")), GrantItem)

    def approvals(self, *, everything: bool = False) -> tuple[ApprovalItem, ...]:
        """What waits for people."""
        return tuple(self._pages("/v1/approvals", ApprovalItem, all=str(everything).lower()))

    def approval(self, ask: str) -> ApprovalItem:
        """One request that waits, with the text that people sign."""
        return read(self._call("GET", _path("approvals", ask)), ApprovalItem)

    def approve(self, ask: str, signature: str) -> ApprovalItem:
        """Bring an approver's signature. Raises SignatureRefused."""
        body = {"signature": signature}
        path = _path("approvals", ask, "signatures")
        return read(self._call("POST", path, json=body), ApprovalItem)

    def approvers(self) -> tuple[ApproverItem, ...]:
        """Everybody who may agree."""
        return tuple(self._pages("/v1/approvers", ApproverItem))

    def passkey_creation(self, name: str, *, origin: str) -> str:
        """What a browser on the site `origin` makes a passkey with, as JSON."""
        path = _path("approvers", name, "passkey", "creation")
        return _public_key(self._call("POST", path, json={"origin": origin}))

    def passkey_made(self, name: str, response: str, *, origin: str) -> ApproverItem:
        """The public key in a browser's answer, as `approver add` takes it; enrols nobody."""
        body = {"origin": origin, "response": json.loads(response)}
        return read(
            self._call("POST", _path("approvers", name, "passkey"), json=body), ApproverItem
        )

    def passkey_challenge(self, ask: str, *, name: str) -> str:
        """What an approver's browser agrees to a request with; its answer goes to `approve`."""
        path = _path("approvals", ask, "challenge")
        return _public_key(self._call("GET", path, params={"approver": name}))

    def reject(self, ask: str, *, reason: str) -> ApprovalItem:
        """Refuse what waits."""
        path = _path("approvals", ask, "reject")
        return read(self._call("POST", path, json={"reason": reason}), ApprovalItem)

    def audit_show(self, wish: AuditFilter | None = None) -> Iterator[AuditEntryItem]:
        """The entries of the log that fit, the oldest first; for people. Raises Denied."""
        words = msgspec.to_builtins(wish or AuditFilter()).items()
        yield from self._pages("/v1/audit", AuditEntryItem, **{k: v for k, v in words if v})

    # --- calling ---------------------------------------------------------------------------------

    def _pages(self, path: str, kind: type[_Item], /, **query: str) -> Iterator[_Item]:
        after = query.get("after", "")
        while True:
            query |= {"limit": str(_PAGE), "after": after}
            page = read(self._call("GET", path, params=query), Page)
            yield from (read(item, kind) for item in page.items)
            if page.next is None:
                return
            if page.next == after:
                raise foreign(ValueError("a page leads to itself"))
            after = page.next

    def _call(self, method: str, path: str, **words: Any) -> Any:
        """One call; it is made again where no answer came, or one that says: later.

        All of these can be: reading has no effect, and an effect made twice is one.
        """
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                answer = self._http.request(method, path, **words)
            except httpx.InvalidURL as error:
                raise errors.UsageError(
                    f"this cannot be asked for: {error}", hint="Look at the names in it."
                ) from error
            except httpx.RequestError as error:
                if last or method == "POST":
                    raise errors.StoreUnreachable(
                        f"the daemon at {self._http.base_url} does not answer: {error}",
                        safe="What was asked for may or may not have been done.",
                        hint="Look at its log; ask again once it runs.",
                    ) from error
            else:
                if answer.is_success:
                    return decoded(answer.content)
                if last or answer.status_code != 503:
                    raise problem(
                        answer.status_code, answer.content, answer.headers.get("Location", "")
                    )
            self._clock.sleep(0.2 * 2**attempt)
        raise AssertionError("the last attempt returned or raised")


def _trusted(verify: bool | str) -> ssl.SSLContext | bool:
    """Whom to trust: who is in this file, or those that the system trusts. Raises UsageError."""
    if isinstance(verify, bool):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except (OSError, ssl.SSLError) as error:
        raise errors.UsageError(
            f"{verify} is no certificate to trust: {error}", hint=f"Look at {CERTIFICATE}."
        ) from None


def _on_one_line(text: str) -> bytes:
    """Words as a header carries them."""
    return " ".join(text.split()).encode("utf-8")


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _public_key(told: Any) -> str:
    return json.dumps(read(told, _Options).public_key)
