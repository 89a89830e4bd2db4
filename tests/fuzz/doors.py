"""What comes in by other doors: tools of agents, and the names in the table of mounts."""

from __future__ import annotations

import asyncio
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

import httpx
import msgspec
import pytest
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError

from adapters.directory import mounts
from tests.fuzz import local
from tests.fuzz.mutation import as_json
from vault.client import Client
from vault.errors import UsageError
from vault.mcp import server
from vault.testing.clock import ManualClock

_URL: Final = "http://127.0.0.1:1"
_REFUSED: Final = "the daemon knows no such thing"
_ESCAPED: Final = b" \t\n\\#"
"""What Linux writes as three octal digits."""


def run_tool(parts: Any) -> Any:
    """A call of a tool, from JSON: [name, arguments, value of the header `authorization`]."""
    headers: dict[str, str] | None = None
    match msgspec.json.decode(as_json(parts)):
        case [str(name), dict(arguments), str(shown)] if shown.isprintable():
            headers = {"authorization": shown.encode("utf-8").decode("latin-1")}
        case [str(name), dict(arguments), None]:
            pass
        case _:
            return None
    context: Any = SimpleNamespace(headers=headers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "Client", _client)
        try:
            return asyncio.run(_tools().call_tool(name, arguments, context))
        except UnexpectedToolError as error:
            raise error.__cause__ or error from None
        except ToolError as error:
            if _REFUSED in str(error):  # it went as far as the daemon
                return _REFUSED
            raise UsageError(str(error)) from error


@cache
def _tools() -> Any:
    return server.create_server(server.Door(_URL, "vlt_own"))._tool_manager


def _client(url: str, token: str) -> Client:
    client = Client(url, token, clock=ManualClock())
    given = client._http.headers
    client._http = httpx.Client(
        base_url=url, headers=given, transport=httpx.MockTransport(_answered)
    )
    return client


def _answered(request: httpx.Request) -> httpx.Response:
    path = request.url.raw_path
    assert (request.url.host, path[:4]) == ("127.0.0.1", b"/v1/")
    if path == b"/v1/whoami":
        return httpx.Response(200, content=as_json({"name": "bot", "frozen": "by ann"}))
    if request.method == "GET":
        kind = path.partition(b"?")[0].rpartition(b"/")[2].decode("latin-1")
        page = {"version": 1, "kind": kind, "items": [], "next": None}
        return httpx.Response(200, content=as_json(page))
    problem = {"code": "volume_unknown", "detail": _REFUSED, "safe": "yes", "hint": "look"}
    return httpx.Response(404, content=as_json(problem))


def _calls() -> list[Any]:
    wish = {"volume": "db", "reason": "merged", "task": "OPS-1"}
    more = {"lasts": "2h", "bytes": 10, "starts_at": "2026-04-24T09:30:00Z"}
    return [
        ["whoami", {}, None],
        ["list_volumes", {}, "Bearer vlt_x"],
        ["list_snapshots", {"volume": "db"}, "Bearer vlt_x"],
        ["what_waits", {}, None],
        ["take_snapshot", {"volume": "db"}, None],
        ["request_grant", wish | more, "Bearer vlt_x"],
        ["undelete", {"tombstone": "tomb_01k8"}, None],
        ["delete_volume", wish, "Bearer vlt_x"],
    ]


def run_mounts(point: bytes) -> list[bytes]:
    """The table of a system where a place of any name is mounted."""
    name = b"/" + point.replace(b"\0", b"")
    written = b"".join(b"\\%03o" % c if c in _ESCAPED else bytes([c]) for c in name)
    table = b"36 35 98:0 / / rw - ext4 /dev/root rw\n"
    table += b"37 36 0:39 /in%b %b rw,noatime master:1 - tmpfs none rw\n" % (written, written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mounts, "_TABLE", local.at("mountinfo", table))
        found = mounts.read_mounts()
    assert found[1:] == [mounts.Mount(b"0:39", b"/in" + name, name)]
    return [name]


TARGETS: Final = (
    ("agent's call", _calls, run_tool),
    ("mounts", lambda: [b"srv/db", b"srv/a b\\c\td\ne", b"srv/\rx \x0b\x85"], run_mounts),
)
