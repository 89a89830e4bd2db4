"""Isolation: whether this process could load what must stay with another one (P1)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vault.operations import homes
from vault.settings import Settings
from vault.store.opening import credential_loads
from vault.store.profiles import named_profiles

_OTHERS: Final = ("purger", "collector", "provisioner")
"""The provisioner is no role of ours: it made the bucket, and could empty what is not locked."""


def reachable(home: Path, settings: Settings) -> tuple[str, ...]:
    """What of the purger's, the collector's and the bucket owner's this process can load, in words.

    An embedded store (`file://`) has no credentials to keep apart: it is never isolated.
    """
    if settings.store_url.startswith("file:"):
        return ("the store is a directory on this host",)
    found = []
    if os.access(home / homes.PURGER_KEY, os.R_OK):
        found.append(f"the purger's key, {home / homes.PURGER_KEY}")
    for role, profile in _profiles(settings):
        if credential_loads(profile):
            found.append(f"the {role}'s credential profile “{profile}”")
    return tuple(found)


def _profiles(settings: Settings) -> Iterator[tuple[str, str]]:
    """The others' profiles: as vault.toml names them, and those there are by their usual names.

    Each process's vault.toml may name its own alone.
    """
    there = named_profiles(os.environ)
    own = settings.roles["writer"].profile
    given: dict[str, str] = {role: terms.profile for role, terms in settings.roles.items()}
    for role in _OTHERS:
        usual = {role, f"vault-{role}", own.replace("writer", role) if "writer" in own else role}
        named = {given[role]} - {""} if role in given else set()
        for profile in sorted(named | (usual & there)):
            yield role, profile
