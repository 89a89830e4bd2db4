"""A receiver on loopback: keeps what it is sent, and answers as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def notice(self) -> dict[str, Any]:
        """What a webhook was told."""
        told: dict[str, Any] = msgspec.json.decode(self.body)
        return told


@dataclass
class Inbox:
    """What came in. `statuses` are answered one after another, then 200.

    While `gate` is not set an answer waits for it.
    """

    url: str = ""
    got: list[Got] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        """The notices, by their ids, in the order they came in."""
        return [one.notice["id"] for one in self.got]

    @property
    def events(self) -> list[str]:
        """What they were about."""
        return [one.notice["event"] for one in self.got]


@contextmanager
def receiving(port: int = 0) -> Iterator[Inbox]:
    """An HTTP server of its own threads for as long as the context lasts."""
    inbox = Inbox()
    inbox.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.gate.wait(30)
            inbox.got.append(Got(self.path, dict(self.headers), body))
            self.send_response(inbox.statuses.pop(0) if inbox.statuses else 200)
            for name, value in inbox.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            inbox.got.append(Got(self.path, dict(self.headers), b"{}"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    inbox.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        inbox.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
