"""The client: whom it trusts, and what it never sends in the clear."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import behind_tls, make_certificate
from vault.client import Client
from vault.clock import SystemClock
from vault.errors import StoreUnreachable, TokenInvalid, UsageError
from vault.testing.clock import ManualClock


class _Empty(BaseHTTPRequestHandler):
    """A daemon that has no volumes."""

    def do_GET(self) -> None:
        """Answer with an empty page."""
        told = b'{"items": [], "next": null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "server.pem")


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    """A daemon behind TLS."""
    server = HTTPServer(("127.0.0.1", 0), _Empty)
    behind_tls(server, certificate)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_is_trusted_by_name_or_by_the_environment(
    url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(url, "vlt_x", verify=str(certificate)) as vault:
        assert vault.volumes() == ()
    clock = ManualClock(SystemClock().now())
    with (
        Client(url, "vlt_x", clock=clock) as vault,
        pytest.raises(StoreUnreachable, match="certificate"),
    ):
        vault.volumes()
    monkeypatch.setenv("VAULTD_CACERT", str(certificate))
    with Client(url, "vlt_x") as vault:
        assert vault.volumes() == ()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_what_is_no_certificate_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"ca\.pem is no certificate to trust"):
        Client("https://127.0.0.1", "vlt_x", verify=str(path))


@pytest.mark.parametrize(
    "url", ["http://vault.example.org", "http://10.0.0.1:9465", "http://[::1", "vault", ""]
)
def test_a_token_does_not_travel_in_the_clear(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULTD_URL", raising=False)
    with pytest.raises(UsageError):
        Client(url, "vlt_x")


def test_what_is_no_token_is_not_sent() -> None:
    for shown in ("vlt_é", "vlt_x\r\nVault-Reason: none"):
        with pytest.raises(TokenInvalid):
            Client("http://127.0.0.1:1", shown)


def test_a_name_that_no_request_holds_is_named() -> None:
    with Client("http://127.0.0.1:1", "vlt_x") as vault, pytest.raises(UsageError, match="long"):
        vault.volume("a" * 70_000)
