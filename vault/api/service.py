"""The server: uvicorn on loopback or on a unix socket, which tells who is at its other end."""

from __future__ import annotations

import socket
import struct
from asyncio import Transport
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from vault.api.application import RATE, create_app
from vault.api.identify import Peer

if TYPE_CHECKING:
    from vault.library import Vault

_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid: ucred of unix(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Where to listen: host and port (with TLS by two files), or the path of a unix socket."""

    host: str = "127.0.0.1"
    port: int = 9465
    unix: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    rate: float = RATE


class PeerProtocol(H11Protocol):
    """HTTP that knows the user at the other end of a unix socket."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Ask the kernel who connected."""
        super().connection_made(transport)
        end: Any = transport.get_extra_info("socket")
        if end is not None and end.family == socket.AF_UNIX:
            told = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            self.client = Peer("unix", _CREDENTIALS.unpack(told)[1])


def serve(open_vault: Callable[[], Vault], terms: Terms) -> None:
    """Answer until SIGTERM or SIGINT; requests under way are finished."""
    app = create_app(open_vault, rate=terms.rate)
    with app.state.pool.vault():
        pass  # what is wrong with the home is said before anybody connects
    config = uvicorn.Config(
        app,
        host=terms.host,
        port=terms.port,
        uds=str(terms.unix) if terms.unix else None,
        http=PeerProtocol,
        ssl_certfile=str(terms.certificate) if terms.certificate else None,
        ssl_keyfile=str(terms.key) if terms.key else None,
        server_header=False,
        proxy_headers=False,  # whoever is asked through a proxy knows callers by their tokens
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=30,
        h11_max_incomplete_event_size=16 * 1024,
    )
    uvicorn.Server(config).run()
