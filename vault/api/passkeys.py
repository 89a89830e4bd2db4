"""Routes for the page on which people make passkeys, and agree by them to what waits."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query

from vault.api.identify import Known
from vault.api.models import Challenge, Created, Listing, Site
from vault.api.problems import documented
from vault.api.volumes import After, Limit, Named, page
from vault.operations.roster import ApproverItem

router = APIRouter(prefix="/v1", tags=["governance"])


@router.get("/approvers", responses=documented())
def list_approvers(who: Known, limit: Limit = 100, after: After = "") -> Listing[ApproverItem]:
    """The people who may agree, with their public keys, by name."""
    with who.vault() as vault:
        return page("approvers", vault.oversight.approvers(), limit, after)


@router.post("/approvers/{name}/passkey/creation", responses=documented(501))
def begin_passkey(who: Known, name: Named, site: Site) -> Challenge:
    """What the person's browser makes a passkey with; nobody is enrolled by it."""
    with who.vault() as vault:
        options = vault.oversight.passkey_creation(name, origin=site.origin)
    return Challenge(public_key=_object(options))


@router.post("/approvers/{name}/passkey", responses=documented(501))
def finish_passkey(who: Known, name: Named, made: Created) -> ApproverItem:
    """The public key that the browser made, checked, as a line for: vault approver add.

    Nobody is enrolled by it: that takes the recovery kit, or the approvers there are.
    """
    with who.vault() as vault:
        response = json.dumps(made.response)
        return vault.oversight.passkey_made(name, response, origin=made.origin)


@router.get("/approvals/{approval}/challenge", responses=documented(404, 409, 501))
def challenge(
    who: Known,
    approval: Named,
    approver: Annotated[str, Query(max_length=64, description="The person who is to agree.")],
) -> Challenge:
    """What an approver's browser agrees with; its answer, as text, is the signature."""
    with who.vault() as vault:
        options = vault.oversight.passkey_challenge(approval, name=approver)
    return Challenge(public_key=_object(options))


def _object(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
