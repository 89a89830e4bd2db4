"""Enroll: which places are protected volumes, and how. Nothing here touches their data."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec.structs import replace

from vault.errors import SourceOverlaps, UsageError, VolumeExists
from vault.governance.request import Verb
from vault.ids import new_id
from vault.lifecycle.due import check_schedule
from vault.lifecycle.event import EventType
from vault.lifecycle.retention import Keep, parse_keep
from vault.lifecycle.tombstone import OPEN
from vault.lifecycle.volume import Volume, step_volume
from vault.operations.gate import Question, admit, question_of
from vault.operations.identity import identity_text, owns, read_identity
from vault.operations.record import Draft, record, record_next, refresh
from vault.operations.unit import LocalUnit, WriteUnit, environments_here, exclusive
from vault.provider import Provider, SourceIdentity

_OTHERWISE_MEANT: Final = ("-", "vol_", "tomb_", "snap_")
"""How options and ids begin: a name that is another volume's id would be taken for it."""

_NAME_MOST: Final = 255
"""Characters of a name: what fits into a path of the HTTP interface."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """What a volume is to be: empty texts take the settings' defaults."""

    name: str
    path: str
    environment: str = ""
    provider: str = "directory"
    schedule: str = ""
    keep: str = ""


def enroll(unit: WriteUnit, wish: Enrolment) -> Volume:
    """Register a volume; it is protected from the first snapshot on.

    Raises VolumeExists, SourceOverlaps (another volume, the store, the vault's home),
    SourceVanished, UsageError (schedule, keep, environment).
    """
    wish = replace(wish, environment=wish.environment or unit.settings.environment)
    let_enroll(unit, wish)
    return register(unit, wish)


def let_enroll(unit: WriteUnit, wish: Enrolment) -> None:
    """Ask whether a volume may be registered so. Raises as `enroll` does."""
    _check_environment(unit, wish.environment)
    _check_words(unit, wish)
    admit(unit, Question(Verb.ADD, volume=wish.name, environment=wish.environment))


def register(unit: WriteUnit, wish: Enrolment) -> Volume:
    """Register what `let_enroll` has let pass. Raises VolumeExists and the like."""
    provider = unit.provider(wish.provider)
    with exclusive(unit.home, "volumes"):
        identity = provider.identify(wish.path)
        check_apart(unit, wish, identity)
        draft = Draft(
            type=EventType.VOLUME_ADDED,
            volume=new_id("vol", unit.clock.now()),
            details={
                "name": wish.name,
                "environment": wish.environment,
                "provider": wish.provider,
                "location": wish.path,
                "identity": identity_text(identity),
                "owner": unit.keys.signing.key_id,
                "schedule": wish.schedule or unit.settings.defaults.schedule,
                "keep": str(parse_keep(wish.keep or unit.settings.defaults.keep)),
            },
        )
        record(unit, None, draft)
        return unit.catalog.volumes.resolve(draft.volume)


def change(unit: WriteUnit, name: str, kind: EventType) -> Volume:
    """Pause, resume, acknowledge or remove a volume. Raises VolumeUnknown, TransitionRefused."""
    verbs = {
        EventType.VOLUME_PAUSED: Verb.PAUSE,
        EventType.VOLUME_RESUMED: Verb.RESUME,
        EventType.VOLUME_REMOVED: Verb.REMOVE,
        EventType.SOURCE_ACKNOWLEDGED: Verb.ACKNOWLEDGE,
    }
    volume = unit.catalog.volumes.resolve(name)
    with exclusive(unit.home, f"volume-{volume.id}"):
        volume = unit.catalog.volumes.resolve(volume.id)
        admit(unit, question_of(verbs[kind], volume))
        step_volume(volume.state, kind)
        takes_over = kind is EventType.SOURCE_ACKNOWLEDGED
        details = {"owner": unit.keys.signing.key_id} if takes_over else {}
        record_next(unit, Draft(type=kind, volume=volume.id, details=details))
        return unit.catalog.volumes.resolve(volume.id)


def keep(unit: WriteUnit, name: str, terms: str, *, reason: str = "") -> Volume:
    """Keep more or less of what is stored from now on; what is stored already goes on as before.

    Raises VolumeUnknown, TransitionRefused, UsageError, Denied; ApprovalNeeded: people agree to
    keeping less in a protected environment.
    """
    wish = parse_keep(terms)
    volume = unit.catalog.volumes.resolve(name)
    with exclusive(unit.home, f"volume-{volume.id}"):
        events = refresh(unit, volume.id)
        volume = unit.catalog.volumes.resolve(volume.id)
        kind, former = EventType.KEEP_CHANGED, parse_keep(volume.keep)
        step_volume(volume.state, kind)
        verb = Verb.KEEP if wish.at_least(former) == wish else Verb.SHORTEN
        question = question_of(verb, volume, reason=reason)
        admit(unit, replace(question, about=about_keep(wish, former)))
        draft = Draft(type=kind, volume=volume.id, reason=reason, details={"keep": str(wish)})
        record(unit, events[-1], draft)
        return unit.catalog.volumes.resolve(volume.id)


def about_keep(wish: Keep, former: Keep) -> str:
    """What people read and sign where less is to be kept."""
    return f"keeps {wish} of new snapshots, not {former}"


def store_folder(url: str) -> Path | None:
    """The folder of a `file://` store, None for stores elsewhere."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _check_environment(unit: WriteUnit, environment: str) -> None:
    known = environments_here(unit)
    if environment not in known:
        raise UsageError(
            f"there is no environment “{environment}”",
            safe="Nothing was registered.",
            hint=f"There is: {', '.join(known)}.",
        )


def _check_words(unit: WriteUnit, wish: Enrolment) -> None:
    if not _can_be_a_name(wish.name):
        raise UsageError(
            f"“{wish.name}” cannot be a volume's name",
            safe="Nothing was registered.",
            hint="Use letters, digits, dots, dashes and underscores, for example prod-db.",
        )
    if any("\ud800" <= character <= "\udfff" for character in wish.path):
        raise UsageError(
            f"the path {wish.path} is not UTF-8",
            safe="Nothing was registered.",
            hint="Rename the folder, for example by mv; the names inside it may stay as they are.",
        )
    check_schedule(wish.schedule or unit.settings.defaults.schedule)
    parse_keep(wish.keep or unit.settings.defaults.keep)


def check_apart(unit: WriteUnit, wish: Enrolment, identity: SourceIdentity | None) -> None:
    """Refuse a name or place that is taken; `identity` is None while nothing stands there yet.

    Where deleted data wait for an undelete is taken, too: as another volume they could be deleted.

    Raises VolumeExists, SourceOverlaps.
    """
    provider, whole = unit.provider(wish.provider), unit.catalog.whole()
    held = {t.volume: t.held_at for t in whole.tombstones.all() if t.state in OPEN and t.held_at}
    for other in whole.volumes.all():
        if other.state == "removed" and not _leaves_protection(unit, other, wish):
            continue
        insist_free(other, wish.name, wish.environment)
        if other.provider != wish.provider or not owns(unit, other):
            continue  # another host's places mean nothing here
        same = identity is not None and provider.is_same(identity, read_identity(other.identity))
        waits = other.id in held and provider.overlaps(wish.path, held[other.id])
        if same or waits or provider.overlaps(wish.path, other.location):
            own = unit.catalog.environment in ("", other.environment)
            what = f"the volume “{other.name}” at {other.location}" if own else "another volume"
            raise _overlap(wish.path, what)
    insist_apart(unit, provider, wish.path)


def insist_free(other: Volume, name: str, environment: str) -> None:
    """Refuse a name that another volume has there. Raises VolumeExists."""
    if _alike(other.name) == _alike(name) and other.environment == environment:
        raise VolumeExists(
            f"a volume named “{other.name}” is registered already, at {other.location}",
            safe="It stays as it is.",
            hint="Choose another name, or remove that volume first (what is stored stays).",
        )


def _can_be_a_name(name: str) -> bool:
    """One spelling of it, seen as it is, that is no option, no path, and none of our own marks."""
    seen = name.isprintable() and unicodedata.normalize("NFC", name) == name
    plain = not set(name) & set("/@* ") and name not in (".", "..")
    plain = plain and not name.casefold().startswith(_OTHERWISE_MEANT)
    return 0 < len(name) <= _NAME_MOST and seen and plain


def _alike(name: str) -> str:
    """What two names have in common that people take for one another: width and case apart."""
    return unicodedata.normalize("NFKC", name).casefold()


def _leaves_protection(unit: WriteUnit, former: Volume, wish: Enrolment) -> bool:
    """Whether what was protected would come back where less holds: removing is no way out."""
    terms = unit.charter.environments
    was, becomes = terms.get(former.environment), terms.get(wish.environment)
    protected = was is None or was.kind == "protected"
    return protected and becomes is not None and becomes.kind == "ephemeral"


def insist_apart(unit: LocalUnit, provider: Provider, path: str) -> None:
    """Refuse a place in the store or the vault's home, or around it. Raises SourceOverlaps."""
    folder = store_folder(unit.settings.store_url)
    for place, what in ((folder, "the store"), (unit.home, "the vault's home")):
        if place is not None and provider.overlaps(path, str(place)):
            raise _overlap(path, f"{what} at {place}")


def _overlap(path: str, other: str) -> SourceOverlaps:
    return SourceOverlaps(
        f"{path} and {other} lie in one another",
        safe="Nothing was changed.",
        hint="Protect disjoint places; keep the store outside of what it protects.",
    )
