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

    It speaks to the daemon at $VAULTD_URL with the caller's own token, or that of $VAULTD_TOKEN,
    and can do nothing that the HTTP interface would refuse.
    """
    url = os.environ.get("VAULTD_URL", "")
    if not url:
        raise UsageError("VAULTD_URL names no daemon", hint="Start one: vault api; then set it.")
    host, _, port = listen.rpartition(":")
    if listen and not port.isdigit():
        raise UsageError(f"“{listen}” is not host:port", hint="As in: 127.0.0.1:9466")
    server = _server()
    door = server.Door(url, os.environ.get("VAULTD_TOKEN", ""))
    if listen:
        server.serve(door, "http", host, int(port))
    else:
        server.serve(door, "stdio", "", 0)


def _server() -> Any:
    try:
        return importlib.import_module("vault.mcp.server")
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"the door for agents needs more than is installed: {error.name}",
            safe="Nothing was started.",
            hint="Install it: pip install 'vault-softdelete[mcp]'",
        ) from None
