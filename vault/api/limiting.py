"""Limits of the door itself: how large a request is, and how many come from one caller."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from vault.api.identify import Peer
from vault.api.problems import RETRY_SECONDS, problem
from vault.errors import TokenInvalid
from vault.governance.biscuits import root_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MOST: Final = 64 * 1024
"""No request of this interface needs more."""

_TOO_LARGE: Final = "the body is too large"

_CALLERS: Final = 4096
"""Callers remembered; the one not seen for longest is forgotten first."""


class Limits:
    """ASGI middleware: 413 for too large a body, 429 for too many requests of one caller.

    `rate` is requests a second; twice as many may come at once. A caller goes by its token, however
    that is narrowed, once it has counted here; until then, and without one, by its address: whoever
    shows a made-up token each time is one caller.
    """

    def __init__(self, app: ASGIApp, rate: float, seconds: Callable[[], float]) -> None:
        self._app = app
        self._rate = rate
        self._seconds = seconds
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(reversed(scope["headers"]))  # of several the first, which is the one shown
        place = _place(scope.get("client")).encode()
        token = _token(headers.get(b"authorization", b"")) or place
        who = token if token in self._buckets else place
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_MOST:
            await problem(413, "too_large", _TOO_LARGE)(scope, receive, send)
        elif not self._passes(who):
            later = problem(
                429,
                "too_many_requests",
                "too many requests at once",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
            await later(scope, receive, send)
        else:
            state = scope.setdefault("state", {})
            await self._app(scope, _counted(receive), send)
            if who != token and state.get("identified"):
                self._give_back(place)
                self._passes(token)

    def _passes(self, who: bytes) -> bool:
        now, most = self._seconds(), 2 * self._rate
        left, last = self._buckets.pop(who, (most, now))
        left = min(most, left + (now - last) * self._rate)
        passes = left >= 1
        self._buckets[who] = (left - passes, now)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
        return passes

    def _give_back(self, who: bytes) -> None:
        if who in self._buckets:
            left, last = self._buckets[who]
            self._buckets[who] = (left + 1, last)


def _token(authorization: bytes) -> bytes:
    """What tells a token from others: a biscuit's root, of any other kind its end."""
    shown = authorization.rpartition(b" ")[2]
    try:
        return root_id(shown.decode("latin-1")).encode()
    except TokenInvalid:
        return shown[-128:]


def _place(client: tuple[str, int] | None) -> str:
    """Where somebody without a token calls from: a host, or a user of this one."""
    if isinstance(client, Peer):
        return f"{client.host} {client.uid}"
    return client[0] if client else ""


def _counted(receive: Receive) -> Receive:
    """A body without a stated length is refused where it gets too large (HTTPException, 413)."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > BODY_MOST:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return counted
