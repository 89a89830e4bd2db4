"""The door for agents as a process: mcp."""

from __future__ import annotations

import importlib
import os
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, command
from vault.errors import ExtraMissing, UsageError

app: Final = typer.Typer()


@command(
    app,
    "vault mcp",
    "vault mcp --listen 127.0.0.1:9466",
)
def mcp(
    call: Call,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Answer HTTP there, not standard input.")
    ] = "",
) -> None:
    """Answer agents by the Model Context Protocol.

    It speaks to the daemon at $VAULTD_URL and can do nothing that the HTTP interface would refuse.
    On standard input it acts with the token in $VAULTD_TOKEN. By HTTP, at /mcp, every caller shows
    their own; it answers on loopback alone, and a proxy before it speaks TLS.
    """
    url = os.environ.get("VAULTD_URL", "")
    if not url:
        raise UsageError("VAULTD_URL names no daemon", hint="Start one: vault api; then set it.")
    if not listen:
        _server().serve(_server().Door(url, os.environ.get("VAULTD_TOKEN", "")))
        return
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"“{listen}” is not host:port", hint="As in: 127.0.0.1:9466")
    if host not in ("127.0.0.1", "localhost", "[::1]"):
        raise UsageError(
            "tokens do not travel in the clear: this answers on loopback alone",
            hint="Listen on 127.0.0.1, behind a proxy that speaks TLS.",
        )
    _server().serve(_server().Door(url), (host.strip("[]"), int(port)))


def _server() -> Any:
    try:
        return importlib.import_module("vault.mcp.server")
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"the door for agents needs more than is installed: {error.name}",
            safe="Nothing was started.",
            hint="Install it: pip install 'vault-softdelete[mcp]'",
        ) from None
