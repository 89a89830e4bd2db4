"""What is sent and answered: the same field names as the command line's --json."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

_Item = TypeVar("_Item")

Name = Annotated[str, Field(min_length=1, max_length=255)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]


class Listing(BaseModel, Generic[_Item]):
    """Items of one kind; `next` is what to give as `after` for those that follow, if any do."""

    version: int = 1
    kind: str
    items: list[_Item]
    next: str | None = None


class Links(BaseModel):
    """Where to go on: what undoes it, what people sign."""

    self: str
    undelete: str = ""
    approval: str = ""


class Deletion(BaseModel):
    """What became of a delete: `tombstoned`, or `awaiting_approval` with nothing changed."""

    version: int = 1
    kind: str = "deletion"
    state: str
    volume: str
    tombstone: str = ""
    approval: str = ""
    undo_until: datetime | None = None
    detail: str
    links: Links


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Registration(_Sent):
    """A volume to register: its place on the daemon's host."""

    path: Annotated[str, Field(min_length=1, max_length=4096, pattern="^/")]
    environment: Annotated[str, Field(max_length=64)] = ""
    schedule: Annotated[str, Field(max_length=100)] = ""
    keep: Annotated[str, Field(max_length=200)] = ""


class Keeping(_Sent):
    """How many of new snapshots to keep, as daily=7,weekly=5; keeping less needs a reason."""

    keep: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=2000)] = ""


class Undoing(_Sent):
    """What to bring back: all that an identity (or anybody) deleted in a span such as 10m."""

    since: Annotated[str, Field(pattern=r"^\d{1,6}[smhd]$")]
    by: Annotated[str, Field(max_length=64)] = ""


class Reasoned(_Sent):
    """A reason, for people and for the log."""

    reason: Words


class GrantRequest(_Sent):
    """A grant to ask for, for oneself; `lasts` is a span such as 1h.

    `bytes` is how much at most in all, 0 for no limit; it begins at `starts_at` (RFC 3339), or now.
    """

    volumes: Annotated[list[Name], Field(min_length=1, max_length=50)]
    reason: Words
    task: Annotated[str, Field(max_length=200)] = ""
    verbs: Annotated[list[str], Field(min_length=1, max_length=10)] = ["delete"]
    lasts: Annotated[str, Field(pattern=r"^\d{1,6}[smhd]$")] = "1h"
    uses: Annotated[int, Field(ge=1, le=1000)] = 1
    bytes: Annotated[int, Field(ge=0, le=10**18)] = 0
    starts_at: Annotated[str, Field(max_length=40)] = ""
    environment: Annotated[str, Field(max_length=64)] = ""


class Signature(_Sent):
    """An approver's signature of the text that the approval shows, as ssh-keygen -Y sign writes."""

    signature: Annotated[str, Field(min_length=1, max_length=16384)]


class Site(_Sent):
    """The site of the page that asks, as the browser names it: `https://vault.example.org`."""

    origin: Annotated[str, Field(min_length=1, max_length=300)]


class Created(Site):
    """What `navigator.credentials.create` gave there, as JSON (`toJSON`)."""

    response: dict[str, Any]


class Challenge(BaseModel):
    """What a browser's `navigator.credentials` is called with, as JSON (`publicKey`)."""

    version: int = 1
    kind: str = "challenge"
    public_key: dict[str, Any]


class Whoami(BaseModel):
    """Who the credential stands for, and what it is limited to."""

    name: str
    kind: str
    via: str
    environment: str
    verbs: list[str] | None
    volumes: list[str] | None
    expires_at: datetime | None
    frozen: str


class Health(BaseModel):
    """That the door answers."""

    status: str = "ok"
