"""Who asks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class PrincipalKind(StrEnum):
    """What kind of someone it is; an agent never approves."""

    HUMAN = "human"
    AGENT = "agent"
    SERVICE = "service"


class Via(StrEnum):
    """How somebody was known. A uid is anybody's who runs under it, a coding agent's too."""

    UID = "uid"
    TOKEN = "token"
    WORKLOAD = "workload"
    PROCESS = "process"


class Principal(msgspec.Struct, frozen=True):
    """One identity as a request shows it: `name` is unique, for example `ann@host` or `deploy-bot`.

    `environment` is the only one that it reaches (empty: all of this home's). `verbs` and
    `volumes` (names or ids) are what its credential is limited to, None for no limit. `token` is
    the id of the token shown, `lineage` that of the token which it was narrowed from, or its own;
    it was made at `made_at` and is good until `expires_at` (aware). `origin` is the address that
    the request came from.
    """

    kind: PrincipalKind
    name: str
    via: Via = Via.UID
    environment: str = ""
    verbs: frozenset[str] | None = None
    volumes: frozenset[str] | None = None
    token: str = ""
    lineage: str = ""
    made_at: datetime | None = None
    expires_at: datetime | None = None
    origin: str = ""
