"""Doctor: look at everything that has to be right, and say what to do where it is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from typing import Final

from vault import limits
from vault.clock import format_span
from vault.errors import VaultError
from vault.lifecycle.volume import VolumeState
from vault.operations import homes, policy, tell
from vault.operations.identity import is_registered
from vault.operations.isolation import reachable
from vault.operations.items import CheckItem
from vault.operations.unit import LocalUnit, ReadUnit

_SCRIPT_MOST: Final = 4096
"""No console script is longer."""


def doctor(unit: LocalUnit, reach: Callable[[], ReadUnit]) -> tuple[CheckItem, ...]:
    """Run every check; one that fails does not keep the others from running.

    `reach` opens the store, when it is first needed.
    """
    local = (item for name, check in _LOCAL for item in _guarded(name, partial(check, unit)))
    return (
        *_guarded("store", lambda: _store(reach())),
        *local,
        *_guarded("volumes", lambda: _volumes(reach())),
    )


def _guarded(name: str, check: Callable[[], tuple[CheckItem, ...]]) -> tuple[CheckItem, ...]:
    try:
        return check()
    except VaultError as error:
        return (CheckItem(name=name, ok=False, detail=error.message, hint=error.hint),)


def _store(unit: ReadUnit) -> tuple[CheckItem, ...]:
    apart = abs(unit.reader.now() - unit.clock.now())
    return (
        CheckItem(name="store", ok=True, detail=f"{unit.reader.address} answers"),
        CheckItem(
            name="clock",
            ok=apart <= limits.CLOCK_TOLERANCE,
            detail=f"host and store differ by {format_span(apart)}",
            hint="Set the host's clock; purging waits until both agree.",
        ),
        _collector(unit),
    )


def _collector(unit: ReadUnit) -> CheckItem:
    """Whether any home has a key that its entries count by; the charter says so, wherever it is."""
    now = unit.reader.now()
    has_key = any(unit.charter.allows(m.key, "collector", now) for m in unit.charter.members)
    return CheckItem(
        name="collector",
        ok=has_key,
        detail="it has a key of its own"
        if has_key
        else "it has no key of its own: deletes nothing",
        hint="Once: vault key make collector --kit FILE, then hand it over: docs/operations.md",
    )


def _catalog(unit: LocalUnit) -> tuple[CheckItem, ...]:
    unit.catalog.check()
    count = len(unit.catalog.snapshots.all())
    return (CheckItem(name="catalog", ok=True, detail=f"sound, {count} snapshots"),)


def _records(unit: LocalUnit) -> tuple[CheckItem, ...]:
    """Signed events that the state tables did not allow: they changed nothing, and look odd."""
    odd = [line for volume in unit.catalog.volumes.all() for line in volume.refused]
    odd += [line for tombstone in unit.catalog.tombstones.all() for line in tombstone.refused]
    return (
        CheckItem(
            name="records",
            ok=not odd,
            detail=f"{len(odd)} events do not fit, the last: {odd[-1]}" if odd else "all fit",
            hint="They changed nothing; find out which host wrote them.",
        ),
    )


def _isolation(unit: LocalUnit) -> tuple[CheckItem, ...]:
    found = reachable(unit.home, unit.settings)
    return (
        CheckItem(
            name="isolation",
            ok=not found,
            detail="NOT ISOLATED: " + "; ".join(found) if found else "credentials are kept apart",
            hint="See docs/operations.md: one user and one credential for each process.",
        ),
    )


def _kit(unit: LocalUnit) -> tuple[CheckItem, ...]:
    kit = homes.default_kit(unit.home)
    return (
        CheckItem(
            name="recovery kit",
            ok=kit is None,
            detail=f"still on this host: {kit}" if kit else "not on this host",
            hint="Copy it to two places offline, prove a copy: vault key check; delete it here.",
        ),
    )


def _volumes(unit: ReadUnit) -> tuple[CheckItem, ...]:
    items = []
    for volume in unit.catalog.volumes.all():
        if volume.state in (VolumeState.REMOVED, VolumeState.TOMBSTONED):
            continue
        try:
            provider = unit.provider(volume.provider)
            found = provider.identify(volume.location)
            same = is_registered(provider, found, volume)
            fault = "" if same else "another source stands in its place"
        except VaultError as error:
            fault = error.message
        items.append(
            CheckItem(
                name=f"volume {volume.name}",
                ok=not (fault or volume.alarm),
                detail=fault or volume.alarm or f"{volume.location} is as it was registered",
                hint=f"Look at it, then: vault volume acknowledge {volume.name}",
            )
        )
    return tuple(items)


def _policy(unit: LocalUnit) -> tuple[CheckItem, ...]:
    amiss = policy.complaint(unit)
    return (
        CheckItem(
            name="policy",
            ok=not amiss,
            detail=amiss or "the rules are valid",
            hint=f"Mend {unit.home / policy.FILE}, then: vault policy check FILE",
        ),
    )


def _namesake(_unit: LocalUnit) -> tuple[CheckItem, ...]:
    """HashiCorp Vault's client has the same name; the one that stands first on PATH is run."""
    found = _on_path("vault")
    others = [path for path in found if not _is_own(path)]
    detail = f"“vault” on PATH is {found[0] if found else 'not there'}"
    if others and others[0] != found[0]:
        detail += f"; another program of that name stands behind it: {others[0]}"
    return (
        CheckItem(
            name="command",
            ok=not (others and others[0] == found[0]),
            detail=detail,
            hint="Another program of that name comes first: call this one by its full path.",
        ),
    )


def _on_path(name: str) -> list[str]:
    """Every program of that name, the one that is run first."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = (shutil.which(name, path=folder) for folder in folders if folder)
    return list(dict.fromkeys(path for path in found if path is not None))


def _is_own(path: str) -> bool:
    """Whether a program is a console script of ours, in whatever environment."""
    try:
        with open(path, "rb") as file:
            return b"vault.cli" in file.read(_SCRIPT_MOST)
    except OSError:
        return False


_LOCAL: Final = (
    ("catalog", _catalog),
    ("records", _records),
    ("isolation", _isolation),
    ("recovery kit", _kit),
    ("policy", _policy),
    ("notify", tell.check),
    ("command", _namesake),
)
