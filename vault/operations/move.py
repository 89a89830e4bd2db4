"""Move: a volume belongs to another environment from now on; its data and what is stored stay.

Nothing is forgotten by that: the purger counts the longest window of every environment in which a
volume ever was, and what was deleted before stays where it was deleted.
"""

from __future__ import annotations

from msgspec.structs import replace

from vault.errors import UsageError
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.lifecycle.volume import Volume, step_volume
from vault.operations.enroll import insist_free
from vault.operations.gate import admit, question_of
from vault.operations.identity import insist_own
from vault.operations.record import Draft, record, refresh
from vault.operations.unit import ReadUnit, WriteUnit, class_of, environments_here, exclusive


def move(unit: WriteUnit, name: str, environment: str, *, reason: str) -> Volume:
    """Let a volume belong to another environment.

    Raises VolumeUnknown, VolumeExists, VolumeElsewhere, TransitionRefused, UsageError: there is no
    such environment here; Denied; ApprovalNeeded: people agree before it leaves a protected one.
    """
    volume = unit.catalog.volumes.resolve(name)
    _insist_served(unit, environment)
    insist_own(unit, volume)
    with exclusive(unit.home, "volumes"), exclusive(unit.home, f"volume-{volume.id}"):
        events = refresh(unit, volume.id)
        volume, kind = unit.catalog.volumes.resolve(volume.id), EventType.VOLUME_MOVED
        step_volume(volume.state, kind)
        if volume.environment == environment:
            raise UsageError(f"“{volume.name}” is in {environment}", safe="It stays there.")
        for other in unit.catalog.volumes.all():
            if other.state != "removed":
                insist_free(other, volume.name, environment)
        question = question_of(Verb.MOVE, volume, reason=reason)
        admit(unit, replace(question, about=about_move(unit, volume.environment, environment)))
        details = {"environment": environment}
        draft = Draft(type=kind, volume=volume.id, reason=reason, details=details)
        record(unit, events[-1], draft)
        return unit.catalog.volumes.resolve(volume.id)


def about_move(unit: ReadUnit, former: str, environment: str) -> str:
    """What people read and sign: from where to where, and of which class that is."""
    return f"moves it from {former} to {environment} ({class_of(unit, environment)})"


def _insist_served(unit: WriteUnit, environment: str) -> None:
    """Nothing is moved to where this process or caller does not reach."""
    known = environments_here(unit)
    if environment not in known:
        raise UsageError(
            f"there is no environment “{environment}” here",
            safe="The volume stays where it is.",
            hint=f"There is: {', '.join(known)}. Where another home serves it, register the volume "
            "there (vault volume add), then remove it here (what is stored stays).",
        )
