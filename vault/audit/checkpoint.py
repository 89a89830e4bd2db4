"""Checkpoints: the size and root of a log's tree, as a note that the log's key has signed.

C2SP tlog-checkpoint in a C2SP signed-note (https://c2sp.org/tlog-checkpoint), so that witnesses and
other tools read it. Its text, and after an empty line the signature:

    vault/<vault id>/<log>
    <size, decimal>
    <root hash, base64>

    — vault/<vault id>/<log> <base64 of 4 bytes of key hash | Ed25519 signature>

The key hash is the beginning of SHA-256(name | 0x0A | 0x01 | public key).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final

import msgspec

from vault.audit.merkle import HASH_SIZE
from vault.codec.signing import SigningKey, verify
from vault.errors import Corrupt

_ED25519: Final = b"\x01"
_HASH: Final = 4
_NOTE_MAX: Final = 4096
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_SIGNATURE: Final = re.compile(r"— (\S+) (\S+)")


class Checkpoint(msgspec.Struct, frozen=True):
    """A tree as its log stood behind it: `origin` names the log, `root` is 32 bytes."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def origin_of(vault: str, log: str) -> str:
    """How a log is called in checkpoints."""
    return f"vault/{vault}/{log}"


def verifier_key(origin: str, public_hex: str) -> str:
    """The log's key as tools for signed notes take it: `name+hash+key`."""
    public = bytes.fromhex(public_hex)
    key = b64encode(_ED25519 + public).decode()
    return f"{origin}+{_key_hash(origin, public).hex()}+{key}"


def sign_checkpoint(checkpoint: Checkpoint, signer: SigningKey) -> str:
    """The signed note of a checkpoint; the same one gives the same text."""
    public = bytes.fromhex(signer.public_hex)
    signature = signer.sign(checkpoint.text().encode())
    line = b64encode(_key_hash(checkpoint.origin, public) + signature).decode()
    return f"{checkpoint.text()}\n— {checkpoint.origin} {line}\n"


def open_checkpoint(note: str, origin: str, public_hex: str) -> Checkpoint:
    """Read a checkpoint of this log that this key has signed; others may have signed it, too.

    Raises Corrupt.
    """
    text, gap, signatures = note.partition("\n\n")
    if not gap or len(note) > _NOTE_MAX or not note.endswith("\n"):
        raise Corrupt("a checkpoint is no signed note")
    text += "\n"
    if not any(_signs(line, text, origin, public_hex) for line in signatures.splitlines()):
        raise Corrupt("a checkpoint is not signed by its log's key")
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin or _SIZE.fullmatch(lines[1]) is None:
        raise Corrupt("a checkpoint is not of this log")
    root = _decoded(lines[2])
    if len(root) != HASH_SIZE:
        raise Corrupt("a checkpoint's root is no hash")
    return Checkpoint(origin, int(lines[1]), root)


def _signs(line: str, text: str, origin: str, public_hex: str) -> bool:
    found = _SIGNATURE.fullmatch(line)
    if found is None or found[1] != origin:
        return False
    try:
        signature = _decoded(found[2])
    except Corrupt:
        return False
    if signature[:_HASH] != _key_hash(origin, bytes.fromhex(public_hex)):
        return False
    return verify(public_hex, signature[_HASH:], text.encode())


def _key_hash(origin: str, public: bytes) -> bytes:
    return sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:_HASH]


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Corrupt("a checkpoint holds what is no base64") from error
