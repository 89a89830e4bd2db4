"""Keys of approvers for tests: a security key in software, and what OpenSSH's own would sign.

Written from PROTOCOL.sshsig and PROTOCOL.u2f alone, so that it shares nothing with the product.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAMESPACE = "approval@vault"
Algorithm = Literal["ed25519", "ecdsa"]
_TOKEN = Path(__file__).with_name("fido.c")


@dataclass
class SoftKey:
    """A security key in software (`touch`), or a plain one: each signature counts one up."""

    algorithm: Algorithm = "ed25519"
    touch: bool = True
    application: str = "ssh:"
    counter: int = 0
    _ed: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    _ec: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))

    @property
    def kind(self) -> str:
        """The key's type as OpenSSH writes it."""
        plain = {"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256"}[self.algorithm]
        return f"sk-{plain}@openssh.com" if self.touch else plain

    @property
    def blob(self) -> bytes:
        """The public key as it stands in files and signatures."""
        if self.algorithm == "ed25519":
            raw = self._ed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            parts = [self.kind.encode(), raw]
        else:
            form = PublicFormat.UncompressedPoint
            raw = self._ec.public_key().public_bytes(Encoding.X962, form)
            parts = [self.kind.encode(), b"nistp256", raw]
        return b"".join(map(packed, [*parts, *([self.application.encode()] * self.touch)]))

    @property
    def line(self) -> str:
        """The line of a `.pub` file, with a comment."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()} somebody@somewhere"

    def sign(
        self,
        text: str | bytes,
        *,
        namespace: str = NAMESPACE,
        flags: int = 1,
        digest: str = "sha512",
    ) -> str:
        """Sign a text like `ssh-keygen -Y sign`; `flags` 0: without anybody's touch."""
        data = text.encode() if isinstance(text, str) else text
        told = hashlib.new(digest, data).digest()
        terms = b"".join(map(packed, (namespace.encode(), b"", digest.encode(), told)))
        made = self._sign(b"SSHSIG" + terms, flags)
        head = (
            packed(self.blob) + packed(namespace.encode()) + packed(b"") + packed(digest.encode())
        )
        return armored(b"SSHSIG" + struct.pack(">I", 1) + head + packed(made))

    def _sign(self, message: bytes, flags: int) -> bytes:
        trailer = b""
        if self.touch:
            self.counter += 1
            trailer = struct.pack(">BI", flags, self.counter)
            application = hashlib.sha256(self.application.encode()).digest()
            message = application + trailer + hashlib.sha256(message).digest()
        if self.algorithm == "ed25519":
            raw = self._ed.sign(message)
        else:
            numbers = decode_dss_signature(self._ec.sign(message, ECDSA(SHA256())))
            raw = b"".join(map(_mpint, numbers))
        return packed(self.kind.encode()) + packed(raw) + trailer


def packed(data: bytes) -> bytes:
    """A string as SSH writes one."""
    return struct.pack(">I", len(data)) + data


def armored(data: bytes) -> str:
    """Bytes as the file of a signature."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def unarmored(text: str) -> bytes:
    """What `armored` was given."""
    return base64.b64decode("".join(text.strip().splitlines()[1:-1]))


def make_key(folder: Path, kind: str, token: Path | None = None, *options: str) -> Path:
    """A key pair by the real ssh-keygen: the private key's file; `.pub` stands beside it.

    A kind such as `ed25519-sk` is made on a `token`.
    """
    path = folder / f"id_{kind}-{os.urandom(4).hex()}"
    words = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "ann@test", "-f", str(path)]
    words += ["-w", str(token)] if token else []
    words += [word for option in options for word in ("-O", option)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def ssh_sign(key: Path, text: Path, namespace: str = NAMESPACE, token: Path | None = None) -> Path:
    """Sign a file by the real ssh-keygen; gives the file of the signature."""
    words = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), str(text)]
    environ = os.environ | ({"SSH_SK_PROVIDER": str(token)} if token else {})
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, env=environ)
    return text.with_name(text.name + ".sig")


def build_token(folder: Path) -> Path:
    """A security key in software that the real OpenSSH loads; skips where none can be built."""
    path = folder / "fido.so"
    words = ["cc", "-shared", "-fPIC", "-o", str(path), str(_TOKEN), "-lcrypto"]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no software security key: it is built with gcc and libssl-dev")
    return path


def _mpint(number: int) -> bytes:
    return packed(number.to_bytes(number.bit_length() // 8 + 1, "big"))
