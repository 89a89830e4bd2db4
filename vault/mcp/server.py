"""Tools for agents. Each is one call of the HTTP interface, with the agent's own token.

So nothing is possible here that the HTTP interface would refuse: this process holds no vault, no
key and no store, only the token that its caller shows, or on standard input that of who started it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from vault.client import Client
from vault.clock import parse_span, parse_time
from vault.errors import ApprovalNeeded, TokenInvalid, VaultError
from vault.mcp import words
from vault.operations.grants import GrantWish

Volume = Annotated[str, Field(description="The volume's name or id.")]
Reason = Annotated[str, Field(description="Why; people read it, and it is kept for good.")]
Task = Annotated[str, Field(description="The task that it belongs to, as in OPS-117.")]
Size = Annotated[
    int, Field(description="How much at most in all, by the last snapshots; 0: no limit.")
]
Begin = Annotated[str, Field(description="When it begins (RFC 3339), if not at once.")]

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
    """How calls reach a daemon: its URL, and the token of whoever started this process.

    That token is for standard input alone. Who comes by HTTP shows one of their own: nobody acts
    with what somebody else holds.
    """

    url: str
    token: str = ""

    @contextmanager
    def client(self, context: Context[Any, Any]) -> Iterator[Client]:
        """A client with the caller's token. What the daemon refuses is told in its words."""
        try:
            with Client(self.url, self._token(context.headers)) as client:
                yield client
        except VaultError as error:
            later = " The same call can succeed later." if error.retryable else ""
            told = f"{error.message}. {error.safe}{later}"
            raise ToolError(f"{told} Next: {error.hint}" if error.hint else told) from error

    def _token(self, headers: Mapping[str, str] | None) -> str:
        """The token that a call comes with; `headers` is None on standard input."""
        if headers is None:
            return self.token
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not shown.strip():
            raise TokenInvalid(
                "this request shows no token",
                safe="Nothing was changed.",
                hint="Send one: Authorization: Bearer vlt_…",
            )
        return shown.strip()


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


def serve(door: Door, listen: tuple[str, int] | None = None) -> None:
    """Answer on standard input and output, or by HTTP at this host and port, until ended."""
    server = create_server(door)
    if listen is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host=listen[0], port=listen[1], stateless_http=True)


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
        """What waits for people: who asked, for what, who has to agree, until when."""
        with door.client(context) as vault:
            return words.waiting(vault.whoami(), vault.approvals(), vault.grants())

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
        bytes: Size = 0,  # noqa: A002  agents call it as it is called by HTTP
        starts_at: Begin = "",
    ) -> str:
        """Ask for a grant to delete a volume, once; a person gives it, or does not."""
        with door.client(context) as vault:
            wish = GrantWish(
                environment="",
                volumes=(volume,),
                reason=reason,
                task=task,
                life=parse_span(lasts),
                bytes=bytes,
                starts_at=parse_time(starts_at) if starts_at else None,
            )
            made = vault.request_grant(wish)
        return words.wished(made)

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
                item = vault.approval(waits.ask)
                told = f"Nothing was changed: {waits.message}. {words.asked(item)}."
                return f"{told} Ask again with the same words once they agreed."
        return words.deleted(made)

    return (delete_volume,)


def _shown(items: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(items)).decode()
