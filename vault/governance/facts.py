"""All that a decision looks at beside the request: gathered before, so that deciding is pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from vault.governance.request import Request


class TaskFact(StrEnum):
    """What is known of the task that a request names."""

    UNNAMED = "unnamed"
    UNKNOWN = "unknown"
    CLOSED = "closed"
    NOT_ASSIGNED = "not-assigned"
    NOT_COVERING = "not-covering"
    FITS = "fits"


class WindowFact(StrEnum):
    """Whether a maintenance window is open, where the environment asks for one."""

    NOT_ASKED = "not-asked"
    CLOSED = "closed"
    OPEN = "open"


class GrantFact(StrEnum):
    """Whether a grant covers the request."""

    NONE = "none"
    ASKED = "asked"  # nobody gave it yet
    EXPIRED = "expired"
    SPENT = "spent"
    FITS = "fits"


class ApprovalFact(StrEnum):
    """Whether people have agreed to this very request."""

    UNASKED = "unasked"
    WAITING = "waiting"
    REJECTED = "rejected"
    GIVEN = "given"


class Signal(msgspec.Struct, frozen=True):
    """Something unusual: `name` is a stable word, `number` what was measured, `says` in words."""

    name: str
    number: float
    says: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one request at one moment.

    `class_` is protected or ephemeral. `quorum` is how many approvals the environment wants for
    what is asked of it, 0 where no approver is enrolled. `over_budget` names each budget that
    this request would exceed; `frozen` and `panic` say why, and are empty for no. `why` says what
    is amiss with the task.
    """

    request: Request
    class_: str = "protected"
    in_scope: bool = True
    disabled: bool = False
    task: TaskFact = TaskFact.UNNAMED
    why: str = ""
    window: WindowFact = WindowFact.NOT_ASKED
    grant: GrantFact = GrantFact.NONE
    approval: ApprovalFact = ApprovalFact.UNASKED
    quorum: int = 0
    over_budget: tuple[str, ...] = ()
    frozen: str = ""
    panic: str = ""
    signals: tuple[Signal, ...] = ()


class FactsBody(msgspec.Struct, frozen=True):
    """The facts as a request's entry holds them, so that it can be judged again later."""

    class_: str = "protected"
    in_scope: bool = True
    disabled: bool = False
    task: TaskFact = TaskFact.UNNAMED
    why: str = ""
    window: WindowFact = WindowFact.NOT_ASKED
    grant: GrantFact = GrantFact.NONE
    approval: ApprovalFact = ApprovalFact.UNASKED
    quorum: int = 0
    over_budget: tuple[str, ...] = ()
    frozen: str = ""
    panic: str = ""
    signals: tuple[Signal, ...] = ()


def facts_body(facts: Facts) -> dict[str, Any]:
    """What a request's entry keeps of the facts."""
    kept = {name: getattr(facts, name) for name in FactsBody.__struct_fields__}
    body: dict[str, Any] = msgspec.to_builtins(FactsBody(**kept))
    return body


def read_facts(request: Request, body: dict[str, Any]) -> Facts:
    """What `facts_body` wrote, of this request. Raises msgspec.ValidationError."""
    kept = msgspec.convert(body, FactsBody)
    values = {name: getattr(kept, name) for name in FactsBody.__struct_fields__}
    return Facts(request=request, **values)
