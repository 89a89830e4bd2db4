"""Who asks: a bearer token, or on the unix socket the user at its other end."""

from __future__ import annotations

import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from msgspec.structs import replace

from vault.errors import TokenInvalid
from vault.governance.principal import Principal, PrincipalKind, Via

if TYPE_CHECKING:
    from vault.api.pool import Pool
    from vault.library import Vault

_bearer = HTTPBearer(
    auto_error=False,
    bearerFormat="vlt_…",
    description="A token: vault token make NAME. On the unix socket the user there is known.",
)


class Peer(NamedTuple):
    """The client of a connection by unix socket, in an address's place: the kernel named its user.

    A class of its own, since an address can come to be what some header said.
    """

    host: str
    uid: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known, and the way to a vault that acts for them."""

    principal: Principal
    pool: Pool

    @contextmanager
    def vault(self) -> Iterator[Vault]:
        """A vault that does what this caller may, in their environment alone."""
        with self.pool.vault() as vault:
            yield vault.acting_as(self.principal)


def identify(
    request: Request,
    shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    """Who asks; `identified` in the request's state where it was by a token.

    Raises TokenInvalid, the same for whatever is amiss.
    """
    pool: Pool = request.app.state.pool
    if shown is not None:
        with pool.vault() as vault:
            principal = vault.authenticate(shown.credentials, request.app.state.issuers)
        request.state.identified = True
        return Caller(replace(principal, origin=_origin(request)), pool)
    peer = request.scope.get("client")
    if isinstance(peer, Peer):
        return Caller(person(peer.uid), pool)
    raise TokenInvalid("this request shows no token", hint="Send one: Authorization: Bearer vlt_…")


def _origin(request: Request) -> str:
    """The address at the other end, as the log keeps it."""
    return "socket" if request.client is None else request.client.host


def person(uid: int) -> Principal:
    """The person that a user of this host stands for: they look, protect, undo, and ask."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid-{uid}"
    return Principal(PrincipalKind.HUMAN, f"{name}@{socket.gethostname()}", Via.UID)


Known = Annotated[Caller, Depends(identify)]
