"""How people agree: the keys of approvers, SSH keys and passkeys, and what those have signed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from vault.codec import sshsig
from vault.errors import ExtraMissing

if TYPE_CHECKING:
    from vault.codec import passkeys

    Key = sshsig.PublicKey | passkeys.Passkey

_PASSKEY: Final = "webauthn@vault "


def read_key(line: str) -> Key:
    """An approver's key by its line. Raises UsageError, ExtraMissing."""
    if line.strip().startswith(_PASSKEY):
        return cast("Key", loaded().read_passkey(line))
    return sshsig.read_public_key(line)


def wants_touch(key: Key) -> bool:
    """Whether each signature of a key shows that a person was there; passkeys verify them, too."""
    return key.touch if isinstance(key, sshsig.PublicKey) else True


def is_by(key: Key, signature: str) -> bool:
    """Whether a signature says that it is by this key. Raises SignatureRefused for none at all."""
    asserted = signature.lstrip().startswith("{")
    if isinstance(key, sshsig.PublicKey):
        return not asserted and sshsig.is_by(key, signature)
    return asserted and bool(loaded().is_by(key, signature))


def check(key: Key, text: bytes, signature: str) -> None:
    """Whether this key agreed to this text. Raises SignatureRefused, saying why not."""
    if isinstance(key, sshsig.PublicKey):
        sshsig.check_signature(key, text, signature)
    else:
        loaded().check_assertion(key, text, signature)


def loaded() -> Any:
    """The module of passkeys, which needs an extra. Raises ExtraMissing."""
    try:
        return import_module("vault.codec.passkeys")
    except ImportError:
        raise ExtraMissing(
            "passkeys need a library that is not installed",
            safe="Nothing was changed.",
            hint="Install it: pip install 'vault-softdelete[webauthn]'",
        ) from None
