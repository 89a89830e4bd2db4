"""A time-stamping service on loopback: openssl's own, behind HTTP, with certificates made here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import pytest

_CONFIG: Final = """
[ req ]
distinguished_name = dn
prompt = no
[ dn ]
CN = unused
[ ca ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[ tsa ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ server ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, serverAuth, timeStamping
[ signing ]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """Certificates and keys in a folder: `root.pem`, and a service's `tsa.pem`."""

    folder: Path

    @property
    def root(self) -> Path:
        """The certificate to trust."""
        return self.folder / "root.pem"

    def found(self) -> None:
        """Make a root, and a certificate of the service by it."""
        (self.folder / "config").write_text(_CONFIG)
        (self.folder / "serial").write_text("01\n")
        for name in ("root", "tsa"):
            self._run("genpkey", "-algorithm", "RSA", "-out", f"{name}.key",
                      "-pkeyopt", "rsa_keygen_bits:2048")  # fmt: skip
        self._run("req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=root", "-days", "30",
                  "-config", "config", "-extensions", "ca", "-out", "root.pem")  # fmt: skip
        self._run("req", "-new", "-key", "tsa.key", "-subj", "/CN=tsa", "-config", "config",
                  "-out", "tsa.csr")  # fmt: skip
        self._run("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
                  "-set_serial", "2", "-days", "29", "-extfile", "config", "-extensions", "tsa",
                  "-out", "tsa.pem")  # fmt: skip

    def answer(self, query: bytes) -> bytes:
        """What `openssl ts` answers to a query."""
        (self.folder / "query").write_bytes(query)
        self._run("ts", "-reply", "-config", "config", "-section", "signing", "-queryfile", "query",
                  "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply")  # fmt: skip
        return (self.folder / "reply").read_bytes()

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


@dataclass
class Service:
    """A server: what was asked; `spoil` changes answers; while `gate` is not set none comes."""

    url: str
    authority: Authority
    asked: list[bytes] = field(default_factory=list)
    spoil: Any = None
    gate: Event = field(default_factory=Event)


def make_authority() -> Authority:
    """A root and a service's certificate; the caller removes the folder."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    authority = Authority(Path(tempfile.mkdtemp(prefix="vault-tsa-")))
    authority.found()
    return authority


@contextmanager
def serving(authority: Authority) -> Iterator[Service]:
    """Answer queries over HTTP for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            service.gate.wait(30)
            service.asked.append(query)
            reply = authority.answer(query)
            reply = service.spoil(reply) if service.spoil else reply
            self.send_response(200 if reply else 503)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = Service(f"http://127.0.0.1:{server.server_port}/tsa", authority)
    service.gate.set()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
