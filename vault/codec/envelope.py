"""Signed records: kind, vault and signer bound to a body by an Ed25519 signature.

    magic `VAULTREC` | u16 version | u32 header length | header | u64 body length | body | signature

Integers are big-endian. The header is JSON: {"kind", "vault", "key", "features"}. The 64-byte
signature is by `key` over everything before it. Whether that key may say so the charter tells.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

from vault.codec.decoding import read_json
from vault.codec.signing import SIGNATURE_SIZE, SigningKey, verify
from vault.errors import Corrupt, FeatureUnknown

MAGIC: Final = b"VAULTREC"
VERSION: Final = 1
KNOWN_FEATURES: Final[frozenset[str]] = frozenset()
"""The features that this version reads beyond the plain format: none so far."""

_START: Final = struct.Struct(">8sHI")
_LENGTH: Final = struct.Struct(">Q")
_HEADER_MAX: Final = 16 * 1024


class _Header(msgspec.Struct, frozen=True):
    kind: str
    vault: str
    key: str
    features: tuple[str, ...] = ()


class Envelope(msgspec.Struct, frozen=True):
    """A record whose signature fits the key that it names (`signer_hex`, 64 hex digits)."""

    kind: str
    vault: str
    signer_hex: str
    features: tuple[str, ...]
    body: bytes

    def require(self, kind: str, vault: str) -> bytes:
        """The body, if the record is of this kind and vault. Raises Corrupt, FeatureUnknown.

        Features are judged only here, after the signer was: a stranger's record stops nobody.
        """
        if (self.kind, self.vault) != (kind, vault):
            raise Corrupt(
                f"a record of kind “{self.kind}” of vault {self.vault} "
                f"stands where one of kind “{kind}” of {vault} belongs"
            )
        require_features(self.features, f"a record of kind “{kind}”")
        return self.body


def require_features(features: Sequence[str], what: str) -> None:
    """Refuse what this version cannot read rightly. Raises FeatureUnknown."""
    unknown = sorted(set(features) - KNOWN_FEATURES)
    if unknown:
        raise FeatureUnknown(
            f"{what} needs features that this vault does not know: {', '.join(unknown)}",
            safe="Nothing was changed; what is stored stays as it is.",
            hint="Install a newer vault and run the same command again.",
        )


def sign(
    kind: str, vault: str, body: bytes, signer: SigningKey, *, features: Sequence[str] = ()
) -> bytes:
    """Make a record."""
    header = msgspec.json.encode(_Header(kind, vault, signer.public_hex, tuple(features)))
    signed = b"".join(
        (_START.pack(MAGIC, VERSION, len(header)), header, _LENGTH.pack(len(body)), body)
    )
    return signed + signer.sign(signed)


def parse(data: bytes) -> Envelope:
    """Read a record and check its signature. Raises Corrupt; FeatureUnknown by its version."""
    if len(data) < _START.size or data[:8] != MAGIC:
        raise Corrupt("this is not a signed record")
    _, version, header_length = _START.unpack_from(data)
    if version != VERSION:
        raise FeatureUnknown(
            f"a signed record has layout {version}, this vault reads layout {VERSION}",
            hint="Install a newer vault and run the same command again.",
        )
    body_start = _START.size + header_length + _LENGTH.size
    if header_length > _HEADER_MAX or len(data) < body_start + SIGNATURE_SIZE:
        raise Corrupt("a signed record is cut short")
    (body_length,) = _LENGTH.unpack_from(data, body_start - _LENGTH.size)
    if body_start + body_length + SIGNATURE_SIZE != len(data):
        raise Corrupt("a signed record is not as long as it says")
    start = _START.size
    header = read_json(_Header, data[start : start + header_length], "a record's header")
    if not verify(header.key, data[-SIGNATURE_SIZE:], memoryview(data)[:-SIGNATURE_SIZE]):
        raise Corrupt("a record's signature does not fit")
    body = data[body_start:-SIGNATURE_SIZE]
    return Envelope(header.kind, header.vault, header.key, header.features, body)
