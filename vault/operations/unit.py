"""What an operation may hold: one frozen value a role, so that types say who may do what."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vault import limits
from vault.clock import format_span
from vault.errors import AlreadyRunning, ClockDisagrees, ExtraMissing
from vault.settings import usable

if TYPE_CHECKING:
    from vault.catalog.database import Catalog
    from vault.clock import Clock
    from vault.codec.keyring import SigningKey, WriterKeys
    from vault.governance.principal import Principal
    from vault.governance.tracker import Tracker
    from vault.progress import Progress
    from vault.provider import Provider
    from vault.repository.authentic import Tampering
    from vault.repository.charter import Charter, Role
    from vault.repository.index import LocalIndex
    from vault.settings import Settings
    from vault.store.contract import Reader, ReapingStore, RecordingStore, WritableStore


class LocalUnit(msgspec.Struct, frozen=True, kw_only=True):
    """What needs no store: a home, its settings, its catalog; enough to say how things stand.

    `tracker` knows tasks that vault does not; None where there is none.
    """

    home: Path
    settings: Settings
    clock: Clock
    catalog: Catalog
    progress: Progress
    principal: Principal
    tracker: Tracker | None = None


class ReadUnit(LocalUnit, frozen=True, kw_only=True):
    """The right to look: the store's Reader, the charter, the adapters."""

    reader: Reader
    charter: Charter
    providers: Mapping[str, Provider]
    tampering: list[Tampering] = msgspec.field(default_factory=list)

    def provider(self, name: str) -> Provider:
        """The adapter of this name. Raises ExtraMissing."""
        try:
            return self.providers[name]
        except KeyError:
            raise ExtraMissing(
                f"no adapter named “{name}” is installed",
                safe="Nothing was changed.",
                hint=f"Installed are: {', '.join(sorted(self.providers)) or 'none'}.",
            ) from None


class RecordUnit(ReadUnit, frozen=True, kw_only=True):
    """A ReadUnit that may add signed records."""

    store: RecordingStore
    signer: SigningKey
    role: Role


class WriteUnit(RecordUnit, frozen=True, kw_only=True):
    """The daemon's and the operator's: create and extend, never delete."""

    store: WritableStore
    keys: WriterKeys
    index: LocalIndex


class CollectUnit(RecordUnit, frozen=True, kw_only=True):
    """The collector's: the only one that holds a Reaper; it records no more than what it did."""

    store: ReapingStore


@contextmanager
def exclusive(home: Path, name: str, *, wait: bool = True) -> Iterator[None]:
    """Hold this home's lock of that name; the kernel lets go of it when the process ends.

    Raises AlreadyRunning where another process holds it and `wait` is False.
    """
    folder = home / "locks"
    with usable(home):
        folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise AlreadyRunning(
                f"another process works on “{name}” of {home}",
                safe="Nothing was changed.",
                hint="Wait for it to end, or stop it, then try again.",
            ) from None
        yield
    finally:
        os.close(handle)


def window_of(unit: ReadUnit, environment: str) -> timedelta:
    """The undo window of an environment: the charter's floor or the settings' longer one.

    One that the charter does not know has the window of a protected one.
    """
    floor = unit.charter.window(environment) or limits.PROTECTED_WINDOW_FLOOR
    local = unit.settings.environments.get(environment)
    return max(floor, local.window) if local is not None else floor


def class_of(unit: ReadUnit, environment: str) -> str:
    """Protected or ephemeral; what the charter does not know is protected."""
    terms = unit.charter.environments.get(environment)
    return terms.kind if terms is not None else "protected"


def environments_here(unit: ReadUnit) -> list[str]:
    """The charter's, by name, that are there: whoever reaches one is told of no other."""
    scope = unit.catalog.environment
    return [name for name in sorted(unit.charter.environments) if scope in ("", name)]


def check_clocks(unit: ReadUnit) -> datetime:
    """The store's time, where this host's agrees with it. Raises ClockDisagrees."""
    now = unit.reader.now()
    apart = abs(now - unit.clock.now())
    if apart > limits.CLOCK_TOLERANCE:
        raise ClockDisagrees(
            f"store and host disagree about the time by {format_span(apart)}",
            safe="Nothing was deleted.",
            hint="Set the host's clock right, then try again.",
        )
    return now
