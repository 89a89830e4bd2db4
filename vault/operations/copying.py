"""Copy: a snapshot as a new volume of an ephemeral environment, to work on instead of the original.

Order: who may, and whether name and place are free → the contents → the volume is registered. What
fails on the way leaves a folder that is no volume, and the original untouched.
"""

from __future__ import annotations

from dataclasses import dataclass

from vault.errors import UsageError
from vault.governance.request import Verb
from vault.operations.enroll import Enrolment, check_apart, let_enroll, register
from vault.operations.gate import Question, admit
from vault.operations.items import RestoreRequest
from vault.operations.restore import RestorePlan
from vault.operations.unit import ReadUnit, WriteUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """A restore whose outcome is to be a volume: what it is from, and what it becomes."""

    restore: RestorePlan
    becomes: Enrolment


def plan_copy(unit: ReadUnit, plan: RestorePlan, request: RestoreRequest) -> CopyPlan:
    """What the copy is to be; without effect. Raises UsageError."""
    if plan.in_place or plan.include:
        raise UsageError(
            "a copy is whole, and has a place of its own",
            safe="Nothing was written.",
            hint="Give --to DIR with --environment, and neither --in-place nor --include.",
        )
    header, scope = plan.record.header, unit.catalog.environment
    terms = unit.charter.environments.get(request.environment)
    # One that is not there is told so by whoever registers: in the same words as ever.
    if terms is not None and terms.kind != "ephemeral" and scope in ("", request.environment):
        raise UsageError(
            f"“{request.environment}” is protected: a copy to work on belongs into an ephemeral"
            " environment",
            safe="Nothing was written.",
            hint="Make one: vault environment add preview --ephemeral --window 1h",
        )
    becomes = Enrolment(
        name=request.name or f"{header.volume_name}-copy",
        path=plan.target,
        environment=request.environment,
        provider=header.adapter,
    )
    return CopyPlan(restore=plan, becomes=becomes)


def let_copy(unit: WriteUnit, plan: CopyPlan) -> None:
    """Ask the gate, where the contents are from and where they go, and look whether there is room.

    Raises Denied, ApprovalNeeded, UsageError, VolumeExists, SourceOverlaps; then nothing changed.
    """
    header, wish = plan.restore.record.header, plan.becomes
    about = f"a copy of {header.id} as “{wish.name}” in {wish.environment}, at {wish.path}"
    from_where = (header.volume_name, header.volume, header.environment)
    admit(unit, Question(Verb.RESTORE, *from_where, about=about))
    let_enroll(unit, wish)
    check_apart(unit, wish, None)


def register_copy(unit: WriteUnit, plan: CopyPlan) -> str:
    """Make the restored contents a volume; its id. Raises VolumeExists, SourceOverlaps."""
    return register(unit, plan.becomes).id
