"""A tracker on loopback, with every manner that one may have."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from tests.certificates import behind_tls

_PACKED: Final = gzip.compress(b" " * (1 << 24))

Manner: TypeAlias = Callable[["Handler"], None]


@dataclass
class SoftTracker:
    """A server; `manner` answers each request, `asked` are those that came, by their terms."""

    manner: Manner
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    bearers: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """Hands each request on to the manner."""

    tracker: SoftTracker
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.tracker.asked.append(dict(parse_qsl(urlsplit(self.path).query)))
        self.tracker.bearers.append(self.headers.get("Authorization", ""))
        self.close_connection = True
        try:
            self.tracker.manner(self)
        except OSError:
            return  # whoever asked went away: that is what some of them are for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server calls it
        """Say nothing."""

    @property
    def terms(self) -> dict[str, str]:
        """What was asked last."""
        return self.tracker.asked[-1]

    def give(self, status: int, body: bytes, **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self, first: bytes) -> None:
        """Something, and then a byte now and then for ever."""
        self.wfile.write(first)
        while not self.tracker.over.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()


@contextmanager
def tracking(manner: Manner, certificate: Path | None = None) -> Iterator[SoftTracker]:
    """A tracker of this manner, while the context lasts; with a certificate it speaks TLS."""
    tracker = SoftTracker(manner)
    kind = type("Own", (Handler,), {"tracker": tracker})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    if certificate is not None:
        behind_tls(server, certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    scheme = "https" if certificate else "http"
    tracker.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/tasks?project=ops"
    try:
        yield tracker
    finally:
        tracker.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def knowing(**terms: Any) -> Manner:
    """One that knows every task that it is asked for, on these terms."""

    def manner(handler: Handler) -> None:
        own = {"task": handler.terms["task"], "environment": handler.terms["environment"]}
        handler.give(200, json.dumps(own | terms).encode(), Content_Type="application/json")

    return manner


def answering(status: int, body: bytes = b"", **headers: str) -> Manner:
    """One that always says the same."""
    return lambda handler: handler.give(status, body, **headers)


def hanging(handler: Handler) -> None:
    """Not a byte."""
    handler.tracker.over.wait(60)


def trickling_head(handler: Handler) -> None:
    """A header that never ends."""
    handler.trickle(b"HTTP/1.1 200 OK\r\nX-Long: ")


def trickling_body(handler: Handler) -> None:
    """A body that never ends, within any bound for a long time."""
    handler.trickle(b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"task": "')


def huge(handler: Handler) -> None:
    """A body that never ends, as fast as it goes."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not handler.tracker.over.is_set():
        handler.wfile.write(b" " * 65536)


def bomb(handler: Handler) -> None:
    """Little that unpacks to much."""
    handler.give(200, _PACKED, Content_Encoding="gzip")


def cut(handler: Handler) -> None:
    """Less than was promised."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}")
