"""What lies in a vault's home, and writing it durably: settings, keys, the pinned root, the kit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vault import codec
from vault.clock import Clock
from vault.errors import KitMissing, KitWrong, NotInitialised, SettingsError
from vault.store.durable import make_directories, sync_directory

if TYPE_CHECKING:
    from vault.codec.keyring import RecoveryKit, SigningKey, WriterKeys

SETTINGS = "vault.toml"
ROOT = "root.pub"
VAULT = "vault.id"
KIT = "recovery.kit"
RULES = "policy.cedar"
WRITER_KEY = "keys/writer.key"
PURGER_KEY = "keys/purger.key"
COLLECTOR_KEY = "keys/collector.key"
PROCESS_KEYS: Mapping[Literal["purger", "collector"], str] = {
    "purger": PURGER_KEY,
    "collector": COLLECTOR_KEY,
}
"""By what the processes sign beside the writers."""
ISSUING_KEY = "keys/issuing.key"


def make_private(folder: Path) -> None:
    """Make sure that a folder that only its owner enters is there, durably."""
    make_directories(folder, 0o700)
    with suppress(PermissionError):  # where others made it, it is as durable as they wanted
        sync_directory(folder.parent)


def write_private(path: Path, text: str) -> None:
    """Make sure that a file that only its owner reads is there, durably; never replaces one."""
    make_private(path.parent)
    if not path.exists():
        replace_private(path, text)
    sync_directory(path.parent)


def replace_private(path: Path, text: str) -> None:
    """Make a file that only its owner reads say this, durably: the former text or this one."""
    make_private(path.parent)
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_directory(path.parent)


def read_root(home: Path) -> str:
    """The root's public key (64 hex digits) that this home trusts. Raises NotInitialised."""
    return _read(home / ROOT, home).strip()


def read_vault_id(home: Path) -> str:
    """The vault's id (`vault_…`) that this home works on. Raises NotInitialised."""
    return _read(home / VAULT, home).strip()


def read_writer_keys(home: Path) -> WriterKeys:
    """This host's writer keys. Raises NotInitialised, SettingsError."""
    return codec.keyring.parse_writer_keys(_read(home / WRITER_KEY, home))


def read_role_key(path: Path) -> SigningKey:
    """A role's signing key. Raises NotInitialised, SettingsError."""
    try:
        text = _read(path, path.parent)
    except NotInitialised as error:
        raise NotInitialised(
            f"{error.message}: what this process does could not be entered in the audit log",
            safe="Nothing was changed.",
            hint=f"Hand over the one of the writer's home. To make one: vault key make {path.stem}",
        ) from None
    return codec.keyring.parse_role_key(text)


def default_kit(home: Path) -> Path | None:
    """The kit that `init` wrote, while it is still there."""
    path = home / KIT
    return path if path.exists() else None


def read_kit(path: Path | None) -> RecoveryKit:
    """Read the kit given. Raises KitMissing, KitWrong."""
    if path is None:
        raise KitMissing(
            "reading contents needs the recovery kit, and none is here",
            safe="Everything stored is untouched; undelete works without the kit.",
            hint="Give it with --kit FILE or VAULT_RECOVERY_KIT.",
        )
    try:
        return codec.keyring.parse_kit(path.read_text("utf-8"))
    except FileNotFoundError:
        raise KitMissing(
            f"there is no recovery kit at {path}",
            safe="Everything stored is untouched.",
            hint="Give the kit's own path with --kit FILE or VAULT_RECOVERY_KIT.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KitWrong(
            f"{path} cannot be read as a recovery kit: {error}",
            safe="Everything stored is untouched.",
            hint="Give the file that `vault init` wrote.",
        ) from error


def insist(settings: Path) -> None:
    """Raise NotInitialised where there is no vault.toml."""
    _read(settings, settings.parent)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A home that is gone when its context ends."""
    return tempfile.TemporaryDirectory(prefix="vault-")


def check_year(clock: Clock) -> None:
    """Refuse to make keys and ids with a clock that cannot be right."""
    if clock.now().year < 2026:
        raise SettingsError(
            f"this host's clock says {clock.now():%Y-%m-%d}",
            safe="Nothing was written.",
            hint="Set the clock, then try again.",
        )


def _read(path: Path, home: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise NotInitialised(
            f"there is no {path.name} in {home}",
            safe="Nothing was changed.",
            hint="Make one: vault init. On another machine: vault rebuild --store URL --kit FILE",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {getattr(error, 'strerror', 'it is damaged')}",
            safe="Nothing was changed.",
            hint="Run this as the user that the file belongs to, and see whether the disk is well.",
        ) from error
