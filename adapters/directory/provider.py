"""The provider of directories: the port's calls, each led to its part, OSError translated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adapters import directory
from adapters.directory import identity
from adapters.directory.failures import as_failure
from adapters.directory.scan import DirectoryCapture
from vault.clock import Clock
from vault.provider import (
    Capability,
    Capture,
    PurgePermit,
    Quarantine,
    Restoration,
    SourceIdentity,
    Whereabouts,
)

_CAPABILITIES: Final = frozenset(Capability)


class DirectoryProvider:
    """See vault.provider.Provider. A location is the path of a directory."""

    name = "directory"
    capabilities = _CAPABILITIES

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def identify(self, location: str) -> SourceIdentity:
        """See Provider. Raises SourceVanished, SourceDenied."""
        with _translated(f"look at “{location}”"):
            fd, path = identity.open_volume(location)
            try:
                return identity.identity_at(fd, path)
            finally:
                os.close(fd)

    def is_same(self, one: SourceIdentity, other: SourceIdentity) -> bool:
        """See Provider."""
        return identity.is_same(one, other)

    def overlaps(self, location: str, other: str) -> bool:
        """See Provider; bind mounts are seen through."""
        with _translated(f"compare “{location}” and “{other}”"):
            return identity.overlap(location, other)

    def capture(self, location: str) -> Capture:
        """See Provider."""
        with _translated(f"open “{location}”"):
            return DirectoryCapture(location, self._clock)

    def restoration(self, target: str, *, in_place: bool) -> Restoration:
        """See Provider."""
        return directory.restoration.DirectoryRestoration(target, in_place=in_place)

    def plan_quarantine(self, location: str, tombstone: str) -> Quarantine:
        """See Provider."""
        with _translated(f"look at “{location}”"):
            return directory.quarantine.plan(location, tombstone)

    def quarantine(self, place: Quarantine) -> None:
        """See Provider."""
        directory.quarantine.set_aside(place)

    def undelete(self, place: Quarantine) -> None:
        """See Provider."""
        with _translated(f"bring back “{place.location}”"):
            directory.quarantine.bring_back(place)

    def whereabouts(self, place: Quarantine) -> Whereabouts:
        """See Provider."""
        with _translated(f"look for “{place.location}”"):
            return directory.quarantine.whereabouts(place)

    def purge(self, permit: PurgePermit) -> None:
        """See Provider. Taken up again after a crash; done before, it does nothing."""
        with _translated(f"purge “{permit.quarantine.location}”"):
            directory.quarantine.purge(permit)


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise as_failure(error, doing) from error
