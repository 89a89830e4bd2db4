"""The doors as processes, for tests: `vault api`, and `vault mcp` by HTTP, on loopback."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import httpx

_SHARE: Final = 3_000
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 2
_PORTS: Final = itertools.cycle(range(10_000 + _WORKER * _SHARE, 10_000 + (_WORKER + 1) * _SHARE))
VAULT = str(Path(sys.executable).parent / "vault")


@contextmanager
def vault_api(
    environ: Mapping[str, str], *words: str, log: IO[bytes] | None = None
) -> Iterator[str]:
    """`vault api` with this environment; gives its URL. What it logs goes to `log`, too."""
    with _process("api", environ, *words, log=log) as (listen, wait):
        url = f"http://{listen}"
        wait(lambda: httpx.get(f"{url}/healthz").is_success)
        yield url


@contextmanager
def vault_mcp(environ: Mapping[str, str], log: IO[bytes] | None = None) -> Iterator[str]:
    """`vault mcp` by HTTP with this environment; gives the URL that agents speak to."""
    with _process("mcp", environ, log=log) as (listen, wait):
        url = f"http://{listen}/mcp"
        wait(lambda: httpx.post(url).status_code >= 400)
        yield url


@contextmanager
def _process(
    door: str, environ: Mapping[str, str], *words: str, log: IO[bytes] | None
) -> Iterator[tuple[str, Callable[[Callable[[], bool]], None]]]:
    listen = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [VAULT, door, "--listen", listen, *words],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    def wait(answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert process.poll() is None, f"vault {door} ended"
            try:
                if answers():
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"vault {door} does not answer")

    try:
        yield listen, wait
    finally:
        process.terminate()
        _, told = process.communicate(timeout=60)
        if log is not None:
            log.write(told)
        assert b"Traceback" not in told, told.decode()


def free_port() -> int:
    """Below what the kernel gives away and the S3 servers take; each worker has its own."""
    for number in _PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)):
                return number
    raise AssertionError
