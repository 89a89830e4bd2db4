"""Routes about volumes, snapshots and tombstones: what a platform's delete handler calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from starlette.exceptions import HTTPException

from vault.api.identify import Caller, Known
from vault.api.models import Deletion, Keeping, Links, Listing, Reasoned, Registration, Undoing
from vault.api.problems import documented, header
from vault.clock import parse_span
from vault.errors import ApprovalNeeded, Denied, UsageError, VolumeTombstoned
from vault.operations.enroll import Enrolment
from vault.operations.items import SnapshotItem, TombstoneItem, VolumeItem

router = APIRouter(prefix="/v1")

_Item = TypeVar("_Item")
Named = Annotated[str, Path(max_length=255, description="A name, an id, or the beginning of one.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items.")]
After = Annotated[str, Query(max_length=64, description="The `next` of the page before.")]
Reason = Annotated[str, Header(alias="Vault-Reason", max_length=2000)]
Task = Annotated[str, Header(alias="Vault-Task", max_length=200)]


Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="Sent again with the same request, it gets the same answer; for a week.",
    ),
]


@dataclass(frozen=True, slots=True)
class _Intent:
    """Why, for which task, and the key by which a repeated request is known."""

    reason: Reason = ""
    task: Task = ""
    key: Key = ""


Intent = Annotated[_Intent, Depends()]


@router.get("/volumes", responses=documented(), tags=["volumes"])
def list_volumes(who: Known, limit: Limit = 100, after: After = "") -> Listing[VolumeItem]:
    """The volumes of the caller's environment."""
    with who.vault() as vault:
        return page("volumes", vault.volumes(), limit, after)


@router.get("/volumes/{name}", responses=documented(404, 409), tags=["volumes"])
def show_volume(who: Known, name: Named) -> VolumeItem:
    """One volume. What is in another environment is not there."""
    with who.vault() as vault:
        return vault.volume(name)


@router.put("/volumes/{name}", responses=documented(409), tags=["volumes"])
def register_volume(who: Known, name: Named, wish: Registration) -> VolumeItem:
    """Register a volume: it is protected from its first snapshot on, which is due at once."""
    with who.vault() as vault:
        environment = who.principal.environment or wish.environment
        if wish.environment not in ("", environment):
            raise UsageError(f"there is no environment “{wish.environment}”")
        enrolment = Enrolment(
            name=name,
            path=wish.path,
            environment=environment,
            schedule=wish.schedule,
            keep=wish.keep,
        )
        return vault.add_volume(enrolment)


@router.delete(
    "/volumes/{name}",
    status_code=202,
    responses=documented(404, 409, 422)
    | {202: {"headers": {"Location": header("The tombstone, or what waits for people.")}}},
    tags=["volumes"],
)
def delete_volume(who: Known, response: Response, name: Named, intent: Intent) -> Deletion:
    """Turn a volume into a tombstone that can be undone, or let people decide about it.

    Nothing that a request says shortens the time in which it can be undone.
    """
    answer = _delete(who, name, _Intent(_words(intent.reason), _words(intent.task), intent.key))
    response.headers["Location"] = answer.links.self if answer.tombstone else answer.links.approval
    return answer


def _words(header: str) -> str:
    """What a header says: clients send UTF-8, which HTTP hands on byte by byte."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _delete(who: Caller, name: str, intent: _Intent) -> Deletion:
    words = {"reason": intent.reason, "task": intent.task, "key": intent.key}
    with who.vault() as vault:
        try:
            made = vault.delete(name, **words)
        except ApprovalNeeded as waits:
            return Deletion(
                state="awaiting_approval",
                volume=name,
                approval=waits.ask,
                detail=waits.message,
                links=Links(self=f"/v1/volumes/{name}", approval=f"/v1/approvals/{waits.ask}"),
            )
        except UsageError as error:
            if not intent.key:
                raise
            raise HTTPException(422, error.message) from error
        except (VolumeTombstoned, Denied):
            done = vault.deleted_by_caller(name, **words)
            if done is None:
                raise
            made = done
    there = f"/v1/tombstones/{made.id}"
    return Deletion(
        state="tombstoned",
        volume=made.volume,
        tombstone=made.id,
        undo_until=made.undo_until,
        detail="The data are set aside, and come back by undelete.",
        links=Links(self=there, undelete=f"{there}/undelete"),
    )


@router.post("/volumes/{name}/snapshots", responses=documented(404, 409), tags=["volumes"])
def take_snapshot(who: Known, name: Named) -> SnapshotItem:
    """Take a snapshot now; on the answer it is stored, read back and locked."""
    with who.vault() as vault:
        return vault.snapshot(name)


@router.post("/volumes/{name}/keep", responses=documented(404, 409), tags=["volumes"])
def keep_snapshots(who: Known, name: Named, what: Keeping) -> VolumeItem:
    """Keep more or less of what is stored from now on; for people.

    Keeping less in a protected environment waits until people have agreed: then ask again with the
    same words. What is stored already stays as long as before.
    """
    with who.vault() as vault:
        return vault.keep(name, what.keep, reason=what.reason)


@router.post("/volumes/{name}/undelete", responses=documented(404, 409), tags=["volumes"])
def undelete_volume(who: Known, name: Named) -> TombstoneItem:
    """Bring a deleted volume back to its place."""
    with who.vault() as vault:
        volume = vault.volume(name)
        made = [t for t in vault.tombstones() if t.volume == volume.name]
        if not made:
            raise UsageError(f"“{volume.name}” is not deleted", safe="It stays as it is.")
        return vault.undelete([made[-1].id])[0]


@router.get("/snapshots", responses=documented(404, 409), tags=["snapshots"])
def list_snapshots(
    who: Known,
    volume: Annotated[str, Query(max_length=255)] = "",
    limit: Limit = 100,
    after: After = "",
) -> Listing[SnapshotItem]:
    """The snapshots of the caller's environment, or of one volume, the oldest first."""
    with who.vault() as vault:
        return page("snapshots", vault.snapshots(volume or None), limit, after)


@router.get("/tombstones", responses=documented(), tags=["tombstones"])
def list_tombstones(who: Known, limit: Limit = 100, after: After = "") -> Listing[TombstoneItem]:
    """What was deleted, and until when it can be undone."""
    with who.vault() as vault:
        return page("tombstones", vault.tombstones(), limit, after)


@router.get("/tombstones/{tombstone}", responses=documented(404, 409), tags=["tombstones"])
def show_tombstone(who: Known, tombstone: Named) -> TombstoneItem:
    """One tombstone."""
    with who.vault() as vault:
        return vault.tombstone(tombstone)


@router.post(
    "/tombstones/{tombstone}/undelete", responses=documented(404, 409), tags=["tombstones"]
)
def undelete_tombstone(who: Known, tombstone: Named) -> TombstoneItem:
    """Bring what was deleted back to its place."""
    with who.vault() as vault:
        return vault.undelete([tombstone])[0]


@router.post("/tombstones/{tombstone}/hold", responses=documented(404, 409), tags=["tombstones"])
def hold_tombstone(who: Known, tombstone: Named, why: Reasoned) -> TombstoneItem:
    """Keep it from being purged until a person releases it."""
    with who.vault() as vault:
        return vault.hold(tombstone, why.reason)


@router.post("/undelete", responses=documented(404, 409), tags=["tombstones"])
def undelete_many(who: Known, what: Undoing) -> Listing[TombstoneItem]:
    """Bring back all that was deleted in a span, by one identity or by anybody."""
    with who.vault() as vault:
        back = vault.undelete_since(parse_span(what.since), by=what.by)
    return Listing(kind="tombstones", items=list(back))


def page(kind: str, items: tuple[_Item, ...], limit: int, after: str) -> Listing[_Item]:
    """The items behind an id, at most so many; ids rise. People's is their name."""
    rest = sorted((item for item in items if _id(item) > after), key=_id)
    shown = rest[:limit]
    more = _id(shown[-1]) if len(rest) > limit else None
    return Listing(kind=kind, items=shown, next=more)


def _id(item: object) -> str:
    return str(getattr(item, "id", "") or getattr(item, "name", ""))
