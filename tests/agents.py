"""An agent: a real MCP client, over standard input or by HTTP, with a token of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Tool

from tests.processes import VAULT

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Told:
    """What a tool answered."""

    refused: bool
    text: str


@dataclass(frozen=True)
class Agent:
    """An agent with a token. `daemon` is its daemon's URL; `server` that of an MCP server by HTTP.

    Without a `server` it starts one of its own, with `extra` in its environment, and speaks to its
    standard input.
    """

    token: str
    daemon: str = ""
    server: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Client]:
        """A session, open while the block runs."""
        if not self.server:
            environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
            environ |= {"VAULTD_URL": self.daemon, "VAULTD_TOKEN": self.token, **self.extra}
            own = StdioServerParameters(command=VAULT, args=["mcp"], env=environ)
            async with Client(own) as client:
                yield client
            return
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(self.server, http_client=http)) as client,
        ):
            yield client

    def call(self, *calls: Call) -> list[Told]:
        """Call tools one after another in one session."""
        return asyncio.run(self._call(calls))

    def ask(self, tool: str, **words: Any) -> Told:
        """Call one tool."""
        (told,) = self.call((tool, words))
        return told

    def tools(self) -> list[Tool]:
        """What it is offered."""
        return asyncio.run(self._tools())

    async def _tools(self) -> list[Tool]:
        async with self.session() as client:
            return list((await client.list_tools()).tools)

    async def _call(self, calls: Sequence[Call]) -> list[Told]:
        async with self.session() as client:
            return [await answer(client, tool, words) for tool, words in calls]


async def answer(client: Client, tool: str, words: dict[str, Any]) -> Told:
    """Call one tool in a session that is open."""
    result = await client.call_tool(tool, words)
    return Told(bool(result.is_error), "\n".join(getattr(c, "text", "") for c in result.content))
