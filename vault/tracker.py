"""Tracker: asks an external tracker about a task over HTTP; the one door to the library that does.

Nothing here raises, follows a redirect, reads more than a small answer, or takes longer than it
may: names that do not resolve and answers that trickle count as late.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import Future
from threading import Thread
from typing import Final

import httpx

from vault import limits
from vault.governance.tracker import Answer

_PLAIN: Final = "identity"


def ask(url: str, environment: str, task: str, *, seconds: float, token: str = "") -> Answer:
    """Ask `url?task=…&environment=…`; with a `token`, as its bearer."""
    told: Future[Answer] = Future()
    where = httpx.URL(url).copy_merge_params({"task": task, "environment": environment})
    headers = {"Accept": "application/json", "Accept-Encoding": _PLAIN}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    # A thread of its own: a look-up of a name cannot be cut short, only be left behind.
    Thread(target=_run, args=(told, where, headers, seconds), daemon=True).start()
    try:
        return told.result(timeout=seconds)
    except TimeoutError:
        return Answer(failure=f"did not answer within {seconds:g} s")


def _run(told: Future[Answer], url: httpx.URL, headers: dict[str, str], seconds: float) -> None:
    try:
        told.set_result(asyncio.run(_fetch(url, headers, seconds)))
    except TimeoutError:
        told.set_result(Answer(failure=f"did not answer within {seconds:g} s"))
    except Exception as error:  # noqa: BLE001 - whatever fails out there is an answer here
        told.set_result(Answer(failure=f"could not be asked: {str(error) or type(error).__name__}"))


async def _fetch(url: httpx.URL, headers: dict[str, str], seconds: float) -> Answer:
    trust = ssl.create_default_context() if url.scheme == "https" else False
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(verify=trust, trust_env=False, timeout=seconds) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        if response.headers.get("Content-Encoding", _PLAIN) != _PLAIN:
            return Answer(failure="packed its answer, which was not asked for")
        body = bytearray()
        async for block in response.aiter_raw():
            body += block
            if len(body) > limits.TRACKER_ANSWER:
                return Answer(failure=f"answered more than {limits.TRACKER_ANSWER} bytes")
        return Answer(status=response.status_code, body=bytes(body))
