"""Keys as people and files hold them: recovery kit, writer's keys, role keys, age identities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pyrage  # type: ignore[import-untyped]

from vault.codec.signing import SigningKey, is_public_hex
from vault.errors import KitWrong, SettingsError, UsageError
from vault.ids import is_id

__all__ = [
    "RecoveryKit",
    "SessionKeys",
    "SigningKey",
    "WriterKeys",
    "check_recipient",
    "new_identity",
    "parse_kit",
    "parse_role_key",
    "parse_writer_keys",
    "recipient_of",
    "role_key_text",
    "unwrap",
    "wrap",
]

_KIT_HINT: Final = "Give the file that `vault init` wrote, whole and unchanged, with --kit."
_PEM_BEGIN: Final = "-----BEGIN "
_PEM_END: Final = "-----END "
_SECRET: Final = re.compile(r"[0-9a-f]{64}")

_Identity: TypeAlias = pyrage.x25519.Identity | pyrage.ssh.Identity
_Recipient: TypeAlias = pyrage.x25519.Recipient | pyrage.ssh.Recipient


@dataclass(frozen=True, slots=True)
class RecoveryKit:
    """What opens a vault with nothing else left: its place, its root key, identities that read.

    `root` is None in a kit that reads and cannot sign charters. An identity is an
    `AGE-SECRET-KEY-1…` or an OpenSSH private key without passphrase, as text.
    """

    vault: str
    store: str
    root: SigningKey | None
    root_public: str
    identities: tuple[str, ...] = field(repr=False)

    def text(self) -> str:
        """The kit as a file's text; `parse_kit` reads it."""
        lines = [
            "# vault recovery kit: whoever holds it reads everything. Keep it offline.",
            f"vault {self.vault}",
            f"store {self.store}",
            f"root-public {self.root_public}",
        ]
        if self.root is not None:
            lines.append(f"root-secret {self.root.seed.hex()}")
        return "\n".join([*lines, *self.identities]) + "\n"


@dataclass(frozen=True, slots=True)
class WriterKeys:
    """What a daemon holds for good: signs, names chunks, seals indexes; opens no content."""

    vault: str
    name: str
    signing: SigningKey
    chunk_id_key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)

    def text(self) -> str:
        """The keys as a file's text; `parse_writer_keys` reads it."""
        return (
            "# vault writer key: signs this host's records. It cannot read what is stored.\n"
            f"vault {self.vault}\n"
            f"name {self.name}\n"
            f"signing {self.signing.seed.hex()}\n"
            f"chunk-id {self.chunk_id_key.hex()}\n"
            f"index {self.index_key.hex()}\n"
        )


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of one writing session; `writer` is the public key (hex) that signed it."""

    session: str
    writer: str
    data_key: bytes = field(repr=False)
    chunk_id_key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)


def parse_kit(text: str) -> RecoveryKit:
    """Read a kit. Raises KitWrong, naming what is missing or wrong and never a secret."""
    plain, identities = _split_identities(text)
    fields = _fields(plain)
    vault, public = fields.get("vault", ""), fields.get("root-public", "")
    secret = fields.get("root-secret")
    if not is_id(vault, "vault"):
        raise KitWrong("the kit names no vault", hint=_KIT_HINT)
    if not is_public_hex(public):
        raise KitWrong("the kit has no usable root-public line", hint=_KIT_HINT)
    if secret is not None and not _SECRET.fullmatch(secret):
        raise KitWrong("the kit's root-secret line is damaged", hint=_KIT_HINT)
    root = None if secret is None else SigningKey(bytes.fromhex(secret))
    if root is not None and root.public_hex != public:
        raise KitWrong("the kit's root-secret does not belong to its root-public", hint=_KIT_HINT)
    for identity in identities:
        _identity(identity)
    return RecoveryKit(vault, fields.get("store", ""), root, public, identities)


def parse_writer_keys(text: str) -> WriterKeys:
    """Read a writer's key file. Raises SettingsError."""
    fields = _fields(text.splitlines())
    vault, name = fields.get("vault", ""), fields.get("name", "")
    if not is_id(vault, "vault") or not name:
        raise SettingsError("the writer's key file names no vault or no writer")
    signing, chunk_ids, index = (_secret(fields, k) for k in ("signing", "chunk-id", "index"))
    return WriterKeys(vault, name, SigningKey(signing), chunk_ids, index)


def role_key_text(key: SigningKey, role: str) -> str:
    """The key file of a purger or collector; `parse_role_key` reads it."""
    return f"# vault {role} key\nsigning {key.seed.hex()}\n"


def parse_role_key(text: str) -> SigningKey:
    """Read the key file of a purger or collector. Raises SettingsError."""
    return SigningKey(_secret(_fields(text.splitlines()), "signing"))


def new_identity() -> tuple[str, str]:
    """A fresh age identity: (secret `AGE-SECRET-KEY-1…`, recipient `age1…`)."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def recipient_of(identity: str) -> str:
    """The recipient `age1…` of an age identity. Raises KitWrong for one that has none."""
    own = _identity(identity)
    if not isinstance(own, pyrage.x25519.Identity):
        raise KitWrong("an SSH key does not tell its own recipient", hint="Give its .pub line.")
    return str(own.to_public())


def check_recipient(text: str) -> None:
    """Raise UsageError unless `text` is an age or SSH public key that `wrap` can use."""
    _recipient(text)


def wrap(data: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt to all of the recipients (`age1…`, `ssh-ed25519 …`, `ssh-rsa …`); age's own format.

    Raises UsageError for what is no recipient.
    """
    if not recipients:
        raise UsageError("there is nobody to encrypt to", hint="Name at least one recipient.")
    sealed: bytes = pyrage.encrypt(data, [_recipient(text) for text in recipients])
    return sealed


def unwrap(data: bytes, identities: Sequence[str]) -> bytes:
    """Decrypt with whichever identity fits. Raises KitWrong."""
    try:
        opened: bytes = pyrage.decrypt(data, [_identity(text) for text in identities])
    except pyrage.DecryptError as error:
        raise KitWrong(
            "no identity in the recovery kit opens this",
            safe="What is stored is untouched.",
            hint="Use the kit of this vault; `vault key check --kit FILE` tells whether it is.",
        ) from error
    return opened


def _recipient(text: str) -> _Recipient:
    parser = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return parser.Recipient.from_str(text.strip())
    except (pyrage.RecipientError, UnicodeEncodeError) as error:
        raise UsageError(
            f"“{text}” is no recipient: {error}",
            hint="A recipient is age1…, or the line of an ssh-ed25519 or ssh-rsa public key.",
        ) from error


def _identity(text: str) -> _Identity:
    try:
        if text.startswith(_PEM_BEGIN):
            return pyrage.ssh.Identity.from_buffer(text.encode())
        return pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError as error:
        # The library's words might quote the secret.
        raise KitWrong("an identity in the kit is damaged", hint=_KIT_HINT) from error


def _split_identities(text: str) -> tuple[list[str], tuple[str, ...]]:
    """Part a kit's lines from its identities; a PEM block counts as one."""
    plain: list[str] = []
    identities: list[str] = []
    block: list[str] = []
    for line in text.splitlines():
        if block or line.startswith(_PEM_BEGIN):
            block.append(line)
            if line.startswith(_PEM_END):
                identities.append("\n".join(block) + "\n")
                block = []
        elif line.strip().startswith("AGE-SECRET-KEY-"):
            identities.append(line.strip())
        else:
            plain.append(line)
    if block:
        raise KitWrong("a private key in the kit has no end", hint=_KIT_HINT)
    return plain, tuple(identities)


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """`name value` lines; blank ones and those with # in front say nothing."""
    pairs = (line.strip().partition(" ") for line in lines if not line.lstrip().startswith("#"))
    return {name: value.strip() for name, _, value in pairs if name}


def _secret(fields: dict[str, str], name: str) -> bytes:
    value = fields.get(name, "")
    if not _SECRET.fullmatch(value):
        raise SettingsError(f"a key file has no usable {name} line")
    return bytes.fromhex(value)
