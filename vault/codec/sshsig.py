"""SSH signatures over texts (`ssh-keygen -Y sign`), with keys in files and keys that need a touch.

Formats: PROTOCOL.sshsig and PROTOCOL.u2f of OpenSSH. Ed25519 and ECDSA P-256, plain and `sk-`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from vault.errors import SignatureRefused, UsageError

NAMESPACE: Final = "approval@vault"
_MAGIC: Final = b"SSHSIG"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_LONGEST: Final = 16_384
_ED25519: Final = "ssh-ed25519"
_ECDSA: Final = "ecdsa-sha2-nistp256"
_SK_ED25519: Final = "sk-ssh-ed25519@openssh.com"
_SK_ECDSA: Final = "sk-ecdsa-sha2-nistp256@openssh.com"
_CURVE: Final = b"nistp256"
_KINDS: Final = (_ED25519, _ECDSA, _SK_ED25519, _SK_ECDSA)
_PRESENT: Final = 0x01
"""The flag that says that somebody touched the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An SSH public key; `touch` where its private half is in a device that wants a touch."""

    line: str
    kind: str
    blob: bytes

    @property
    def touch(self) -> bool:
        """Whether each signature shows that a person was there."""
        return self.kind in (_SK_ED25519, _SK_ECDSA)


class _Wire:
    """Reads what SSH packs: lengths of four bytes before strings."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise ValueError("it is cut short")
        self._at += count
        return taken

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "big"))

    def number(self) -> int:
        return int.from_bytes(self.string(), "big")

    def end(self) -> None:
        if self._at != len(self._data):
            raise ValueError("something follows its end")


def read_public_key(line: str) -> PublicKey:
    """A key as it stands in a `.pub` file. Raises UsageError: another kind, or no key."""
    kind, *rest = line.split() or [""]
    try:
        if kind not in _KINDS:
            raise ValueError(f"its kind is “{kind}”")
        blob = base64.b64decode("".join(rest[:1]), validate=True)
        _public_of(kind, blob)
    except ValueError as error:
        raise UsageError(
            f"this is no SSH public key that counts here: {error}",
            safe="Nothing was changed.",
            hint=f"One of {', '.join(_KINDS)}: ssh-keygen -t ed25519-sk",
        ) from None
    return PublicKey(f"{kind} {base64.b64encode(blob).decode()}", kind, blob)


def is_by(key: PublicKey, armored: str) -> bool:
    """Whether a signature says that it is by this key; `check_signature` tells whether it is true.

    Raises SignatureRefused where it is none at all.
    """
    try:
        return _begun(armored).string() == key.blob
    except ValueError as error:
        raise _refused(str(error)) from None


def check_signature(key: PublicKey, text: bytes, armored: str) -> None:
    """Whether this key signed this text for approvals. Raises SignatureRefused, saying why not.

    A key that wants a touch counts only where the signature says that it was touched.
    """
    try:
        wire = _begun(armored)
        blob, namespace = wire.string(), wire.string()
        reserved, digest_name = wire.string(), wire.string().decode("ascii")
        signature = _Wire(wire.string())
        wire.end()
        if blob != key.blob:
            raise ValueError("another key made it")
        if namespace != NAMESPACE.encode():
            raise ValueError(f"it was made for {namespace!r}, not for {NAMESPACE}")
        if digest_name not in ("sha256", "sha512"):
            raise ValueError("it uses a digest that is not known here")
        if signature.string().decode("ascii") != key.kind:
            raise ValueError("its kind is not its key's")
        told = hashlib.new(digest_name, text).digest()
        parts = (namespace, reserved, digest_name.encode(), told)
        _verify(key, _MAGIC + b"".join(map(_packed, parts)), signature)
    except ValueError as error:
        raise _refused(str(error)) from None
    except InvalidSignature:
        raise _refused("it does not fit the text") from None


def _verify(key: PublicKey, signed: bytes, signature: _Wire) -> None:
    public, application = _public_of(key.kind, key.blob)
    raw = signature.string()
    if key.touch:
        flags, counter = signature.take(1), signature.take(4)
        if not flags[0] & _PRESENT:
            raise ValueError("nobody touched the key")
        told = hashlib.sha256(signed).digest()
        signed = hashlib.sha256(application).digest() + flags + counter + told
    signature.end()
    if isinstance(public, Ed25519PublicKey):
        public.verify(raw, signed)
    else:
        numbers = _Wire(raw)
        made = encode_dss_signature(numbers.number(), numbers.number())
        numbers.end()
        public.verify(made, signed, ECDSA(SHA256()))


def _public_of(kind: str, blob: bytes) -> tuple[Ed25519PublicKey | EllipticCurvePublicKey, bytes]:
    """The key in a blob of this kind and, of one in a device, the application it is for."""
    wire = _Wire(blob)
    if wire.string() != kind.encode():
        raise ValueError("it says two kinds")
    public: Ed25519PublicKey | EllipticCurvePublicKey
    if kind in (_ECDSA, _SK_ECDSA):
        if wire.string() != _CURVE:
            raise ValueError("its curve is not known here")
        public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), wire.string())
    else:
        public = Ed25519PublicKey.from_public_bytes(wire.string())
    application = wire.string() if kind in (_SK_ED25519, _SK_ECDSA) else b""
    wire.end()
    return public, application


def _begun(armored: str) -> _Wire:
    """What stands in the armor, behind its magic and version."""
    wire = _Wire(_unarmored(armored))
    if wire.take(len(_MAGIC)) != _MAGIC or int.from_bytes(wire.take(4), "big") != 1:
        raise ValueError("it is no SSH signature of version 1")
    return wire


def _unarmored(text: str) -> bytes:
    lines = [line.strip() for line in text.strip().splitlines()]
    if len(text) > _LONGEST or len(lines) < 3 or (lines[0], lines[-1]) != (_BEGIN, _END):
        raise ValueError("it does not look like one: ssh-keygen -Y sign writes it")
    return base64.b64decode("".join(lines[1:-1]), validate=True)


def _packed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _refused(detail: str) -> SignatureRefused:
    return SignatureRefused(
        f"this signature does not count: {detail}",
        hint="Sign the very text that vault approvals shows; a key that wants a touch, touched.",
    )
