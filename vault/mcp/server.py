"""Tools for agents. Each is one call of the HTTP interface, with the agent's own token.

So nothing is possible here that the HTTP interface would refuse: this process holds no vault, no
key and no store, only the token that its caller has, or that it was started with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from vault.client import Client
from vault.clock import format_time, parse_span
from vault.errors import ApprovalNeeded, VaultError
from vault.operations.grants import GrantWish

Volume = Annotated[str, Field(description="The volume's name or id.")]
Reason = Annotated[str, Field(description="Why; people read it, and it is kept for good.")]
Task = Annotated[str, Field(description="The task that it belongs to, as in OPS-117.")]

_LOOKS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_PROTECTS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_DESTROYS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
_INSTRUCTIONS: Final = """\
Volumes here are protected: a delete becomes a tombstone that can be undone, and in a protected
environment it needs a task, a grant that a person gives, and maybe people who agree. Look before
you delete. What you are refused names the rule and what would satisfy it; tell your user."""


@dataclass(frozen=True, slots=True)
class Door:
    """How calls reach a daemon: its URL, and the token where the caller shows none of its own."""

    url: str
    token: str = ""
    certificate: str = ""

    @contextmanager
    def client(self, context: Context[Any, Any]) -> Iterator[Client]:
        """A client with the caller's token. What the daemon refuses is told in its words."""
        shown = (context.headers or {}).get("authorization", "").removeprefix("Bearer ")
        try:
            with Client(self.url, shown or self.token, verify=self.certificate or True) as client:
                yield client
        except VaultError as error:
            raise ToolError(f"{error.message}. {error.safe} Next: {error.hint}") from error


def create_server(door: Door) -> MCPServer[Any]:
    """The server with all its tools."""
    server: MCPServer[Any] = MCPServer("vault", instructions=_INSTRUCTIONS, log_level="WARNING")
    for hints, tools in (
        (_LOOKS, _looking(door)),
        (_PROTECTS, _protecting(door)),
        (_DESTROYS, _destroying(door)),
    ):
        for tool in tools:
            server.tool(annotations=hints, structured_output=False)(tool)
    return server


def serve(door: Door, transport: Literal["stdio", "http"], host: str, port: int) -> None:
    """Answer on standard input and output, or by HTTP, until the caller ends it."""
    server = create_server(door)
    if transport == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host=host, port=port, stateless_http=True)


def _looking(door: Door) -> tuple[Callable[..., str], ...]:
    def whoami(context: Context[Any, Any]) -> str:
        """Who you are here, what your token is limited to, and whether you are frozen."""
        with door.client(context) as vault:
            return _shown(vault.whoami())

    def list_volumes(context: Context[Any, Any]) -> str:
        """The volumes of your environment. There are no others for you."""
        with door.client(context) as vault:
            return _shown(vault.volumes())

    def list_snapshots(context: Context[Any, Any], volume: Volume) -> str:
        """The stored snapshots of a volume, the oldest first."""
        with door.client(context) as vault:
            return _shown(vault.snapshots(volume))

    def list_tombstones(context: Context[Any, Any]) -> str:
        """What was deleted, by whom, and until when it can be undone."""
        with door.client(context) as vault:
            return _shown(vault.tombstones())

    def list_grants(context: Context[Any, Any]) -> str:
        """The grants there are: asked for, given, spent, expired."""
        with door.client(context) as vault:
            return _shown(vault.grants())

    def what_waits(context: Context[Any, Any]) -> str:
        """The requests that wait for people: who asked, for what, who agreed, until when."""
        with door.client(context) as vault:
            waiting = vault.approvals()
        lines = (
            f"{a.id}: {a.requester} wants to {a.verb} “{a.volume}” ({a.reason}); "
            f"{len(a.approved_by)} of {a.wanted} people agreed; good until "
            f"{format_time(a.expires_at)}"
            for a in waiting
        )
        return "\n".join(lines) or "Nothing waits for people."

    return whoami, list_volumes, list_snapshots, list_tombstones, list_grants, what_waits


def _protecting(door: Door) -> tuple[Callable[..., str], ...]:
    def take_snapshot(context: Context[Any, Any], volume: Volume) -> str:
        """Take a snapshot of a volume now; it is stored and locked when this returns."""
        with door.client(context) as vault:
            return _shown(vault.snapshot(volume))

    def request_grant(
        context: Context[Any, Any],
        volume: Volume,
        reason: Reason,
        task: Task,
        lasts: Annotated[str, Field(description="For how long: 30m, 2h.")] = "1h",
    ) -> str:
        """Ask for a grant to delete a volume, once; a person gives it, or does not."""
        with door.client(context) as vault:
            wish = GrantWish(
                environment="", volumes=(volume,), reason=reason, task=task, life=parse_span(lasts)
            )
            made = vault.request_grant(wish)
        return f"{made.id} waits for a person: vault grant give {made.id}"

    def undelete(
        context: Context[Any, Any],
        tombstone: Annotated[str, Field(description="Its id, as in tomb_01k8….")],
    ) -> str:
        """Bring a deleted volume back to its place. Needs no reason, no grant and nobody else."""
        with door.client(context) as vault:
            (back,) = vault.undelete([tombstone])
        return f"“{back.volume}” is back at {back.path}."

    return take_snapshot, request_grant, undelete


def _destroying(door: Door) -> tuple[Callable[..., str], ...]:
    def delete_volume(
        context: Context[Any, Any], volume: Volume, reason: Reason, task: Task = ""
    ) -> str:
        """Delete a volume: its data are set aside at once and can be brought back by undelete.

        In a protected environment it needs an open task of yours and a grant, and people may have
        to agree first. Nothing shortens the time in which it can be undone.
        """
        with door.client(context) as vault:
            try:
                made = vault.delete(volume, reason=reason, task=task)
            except ApprovalNeeded as waits:
                return f"Nothing was changed: {waits.message}. Ask again once people agreed."
        until = format_time(made.undo_until) if made.undo_until else "people say otherwise"
        return f"“{made.volume}” is deleted as {made.id}. undelete brings it back, until {until}."

    return (delete_volume,)


def _shown(items: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(items)).decode()
