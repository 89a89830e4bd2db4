"""Whose a volume is: which source it is at its place, if it is there, and which host's."""

from __future__ import annotations

from vault.errors import SourceVanished, VolumeElsewhere, VolumeTombstoned, VolumeUnknown
from vault.lifecycle.volume import Volume, VolumeState
from vault.operations.unit import WriteUnit
from vault.provider import Provider, SourceIdentity


def identity_text(identity: SourceIdentity) -> str:
    """The identity as events and headers carry it: `directory device=2049 inode=131`."""
    return " ".join([identity.kind, *(f"{name}={value}" for name, value in identity.terms)])


def read_identity(text: str) -> SourceIdentity:
    """What `identity_text` wrote."""
    kind, *terms = text.split(" ")
    pairs = (term.partition("=") for term in terms)
    return SourceIdentity(kind, tuple((name, value) for name, _, value in pairs))


def found_at(provider: Provider, location: str) -> SourceIdentity | None:
    """Who stands there; None for nobody. Raises SourceDenied."""
    try:
        return provider.identify(location)
    except SourceVanished:
        return None


def is_registered(provider: Provider, found: SourceIdentity | None, volume: Volume) -> bool:
    """Whether who was found is the volume: disks may have been numbered anew since."""
    return found is not None and provider.is_same(found, read_identity(volume.identity))


def owns(unit: WriteUnit, volume: Volume) -> bool:
    """Whether this host looks after the volume: it added it, or was the last to acknowledge it."""
    return volume.owner in ("", unit.keys.signing.key_id)


def insist_own(unit: WriteUnit, volume: Volume) -> None:
    """Refuse to judge another host's volume by this one's disks. Raises VolumeElsewhere."""
    if not owns(unit, volume):
        raise VolumeElsewhere(
            f"“{volume.name}” is looked after by another host, or by a former home of this one",
            safe="Nothing was changed.",
            hint=f"Do this there; to take it over here: vault volume acknowledge {volume.name}",
        )


def refuse_closed(volume: Volume) -> None:
    """Raise VolumeTombstoned or VolumeUnknown for a volume that is not in its place by right."""
    if volume.state is VolumeState.TOMBSTONED:
        raise VolumeTombstoned(
            f"“{volume.name}” is deleted",
            safe="Its data wait in quarantine, its snapshots are stored.",
            hint=f"Bring it back with: vault undelete {volume.tombstone}",
        )
    if volume.state is VolumeState.REMOVED:
        raise VolumeUnknown(
            f"“{volume.name}” is protected no longer",
            safe="What is stored of it stays.",
            hint=f"Protect it again: vault volume add {volume.name} {volume.location}",
        )
