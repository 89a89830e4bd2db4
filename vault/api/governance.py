"""Routes about who may do what: oneself, grants, approvals, the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from vault.api.identify import Known
from vault.api.models import GrantRequest, Listing, Reasoned, Signature, Whoami
from vault.api.problems import documented
from vault.api.volumes import After, Limit, Named, page
from vault.clock import parse_span, parse_time
from vault.errors import Denied
from vault.operations.approve import ApprovalItem
from vault.operations.audit_items import AuditEntryItem
from vault.operations.grants import GrantItem, GrantWish
from vault.operations.history import AuditFilter

router = APIRouter(prefix="/v1")


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Which entries of the log are meant."""

    since: Annotated[AwareDatetime | None, Query(description="Those from this time on.")] = None
    by: Annotated[str, Query(max_length=255, description="Those by this caller.")] = ""
    volume: Annotated[str, Query(max_length=255, description="Those about this volume.")] = ""
    kind: Annotated[str, Query(max_length=64, description="Those of this kind.")] = ""


Fitting = Annotated[_Fitting, Depends()]


@router.get("/whoami", responses=documented(), tags=["governance"])
def whoami(who: Known) -> Whoami:
    """Who the credential stands for."""
    principal = who.principal
    with who.vault() as vault:
        frozen = [item.reason for item in vault.oversight.frozen() if item.name == principal.name]
    return Whoami(
        name=principal.name,
        kind=principal.kind,
        via=principal.via,
        environment=principal.environment,
        verbs=None if principal.verbs is None else sorted(principal.verbs),
        volumes=None if principal.volumes is None else sorted(principal.volumes),
        expires_at=principal.expires_at,
        frozen="; ".join(frozen),
    )


@router.get("/grants", responses=documented(), tags=["governance"])
def list_grants(who: Known, limit: Limit = 100, after: After = "") -> Listing[GrantItem]:
    """The grants of the caller's environment, the oldest first, and what became of them."""
    with who.vault() as vault:
        return page("grants", vault.oversight.grants(), limit, after)


@router.post("/grants", status_code=201, responses=documented(409), tags=["governance"])
def request_grant(who: Known, wish: GrantRequest) -> GrantItem:
    """Ask for a grant for oneself; a person gives it."""
    with who.vault() as vault:
        return vault.oversight.request_grant(
            GrantWish(
                environment=who.principal.environment or wish.environment or "production",
                volumes=tuple(wish.volumes),
                reason=wish.reason,
                task=wish.task,
                verbs=tuple(wish.verbs),
                life=parse_span(wish.lasts),
                uses=wish.uses,
                bytes=wish.bytes,
                starts_at=parse_time(wish.starts_at) if wish.starts_at else None,
            )
        )


@router.post("/grants/{grant}/give", responses=documented(404, 409), tags=["governance"])
def give_grant(who: Known, grant: Named) -> GrantItem:
    """Give what was asked for; for people."""
    with who.vault() as vault:
        return vault.oversight.give_grant(grant)


@router.post("/grants/{grant}/revoke", responses=documented(404, 409), tags=["governance"])
def revoke_grant(who: Known, grant: Named) -> GrantItem:
    """Take a grant back; for people."""
    with who.vault() as vault:
        return vault.oversight.revoke_grant(grant)


@router.get("/approvals", responses=documented(), tags=["governance"])
def list_approvals(
    who: Known,
    everything: Annotated[bool, Query(alias="all")] = False,
    limit: Limit = 100,
    after: After = "",
) -> Listing[ApprovalItem]:
    """What waits for people, with the text that they sign, the oldest first."""
    with who.vault() as vault:
        found = vault.oversight.approvals(everything=everything)
        return page("approvals", found, limit, after)


@router.get("/approvals/{approval}", responses=documented(404, 409), tags=["governance"])
def show_approval(who: Known, approval: Named) -> ApprovalItem:
    """One request that waits, or waited, for people."""
    with who.vault() as vault:
        return vault.oversight.approval(approval)


@router.post(
    "/approvals/{approval}/signatures", responses=documented(404, 409), tags=["governance"]
)
def approve(who: Known, approval: Named, what: Signature) -> ApprovalItem:
    """Bring an approver's signature: it is the signature that agrees, whoever brings it."""
    with who.vault() as vault:
        return vault.oversight.approve(approval, what.signature)


@router.post("/approvals/{approval}/reject", responses=documented(404, 409), tags=["governance"])
def reject(who: Known, approval: Named, why: Reasoned) -> ApprovalItem:
    """Refuse what waits: people may, and whoever asked."""
    with who.vault() as vault:
        return vault.oversight.reject(approval, reason=why.reason)


@router.get("/audit", responses=documented(), tags=["governance"])
def show_audit(
    who: Known, fitting: Fitting, limit: Limit = 100, after: After = ""
) -> Listing[AuditEntryItem]:
    """The entries of the caller's environment that fit, the oldest first; for people."""
    if who.principal.kind != "human":
        raise Denied("the log is for people", hint="Ask one of them to look.")
    wish = AuditFilter(
        since=fitting.since, by=fitting.by, volume=fitting.volume, kind=fitting.kind, after=after
    )
    with who.vault() as vault:
        found = tuple(islice(vault.oversight.audit_show(wish), limit + 1))
    return page("audit", found, limit, after)
