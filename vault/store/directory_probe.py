"""What a directory does and does not enforce, tried on a canary; for attestation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vault.clock import Clock
from vault.store.address import Address
from vault.store.attest import Check, Volumes
from vault.store.directory import DirectoryStore, open_at
from vault.store.directory_files import translated
from vault.store.durable import draft, is_sealed, unseal

_NAME: Final = "canary"


def tries(address: Address, profile: str | None, clock: Clock) -> Iterator[Check]:
    """What this process could do to the store's files, going around vault.

    The canary is a file made like any object; it is removed afterwards.
    """
    store = open_at(address, profile, clock)
    next(store.list(""), None)
    with translated(store.address):
        for name, attempt in _ATTEMPTS:
            canary = _lay(store, clock)
            held = "immutable" if is_sealed(canary) else "read-only"
            try:
                attempt(canary)
            except OSError as error:
                yield Check(name, "refused", f"{error.strerror}; the file is {held}")
            else:
                yield Check(name, "accepted", "the files' owner and root can do it")
            finally:
                _remove(canary)
    yield Check("lock beyond the ceiling", "not enforced", "by vault alone")


def apart(address: Address, volumes: Volumes) -> Check:
    """Never isolated; says whether at least the device is another one."""
    root = Path("/", address.path)
    device = root.stat().st_dev
    places = [(name, Path(place)) for name, place in volumes]
    same = [name for name, place in places if place.exists() and place.stat().st_dev == device]
    where = f"on the same device as {', '.join(same)}" if same else "on another device, this host"
    return Check("apart from the volumes", "not enforced", f"{where}: NOT ISOLATED")


def _lay(store: DirectoryStore, clock: Clock) -> Path:
    place = store.root / "incoming"
    canary = place / f"{_NAME}-{os.getpid()}"
    with draft(b"canary", beside=place, spares=place, modified=clock.now()) as file:
        file.publish(canary, immutable=store.immutable)
    return canary


def _remove(canary: Path) -> None:
    for path in (canary, _moved(canary)):
        if path.exists():
            unseal(path)
            path.unlink()


def _moved(canary: Path) -> Path:
    return canary.with_name(canary.name + "-moved")


def _overwrite(canary: Path) -> None:
    with canary.open("r+b") as file:
        file.write(b"other")


def _lift(canary: Path) -> None:
    unseal(canary)
    canary.chmod(0o600)
    _overwrite(canary)


_ATTEMPTS: Final[tuple[tuple[str, Callable[[Path], object]], ...]] = (
    ("overwrite", _overwrite),
    ("delete", Path.unlink),
    ("rename", lambda canary: canary.rename(_moved(canary))),
    ("lift the protection, then overwrite", _lift),
)
