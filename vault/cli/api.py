"""The HTTP interface as a process: api."""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vault.cli.command import Call, command
from vault.errors import ExtraMissing, UsageError

app: Final = typer.Typer()


@command(
    app,
    "vault api --environment staging",
    "vault api --listen 0.0.0.0:9465 --tls-cert server.pem --tls-key server.key",
    "vault api --socket /run/vault/api.sock",
)
def api(
    call: Call,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to answer.")
    ] = "127.0.0.1:9465",
    unix: Annotated[
        Path | None, typer.Option("--socket", metavar="PATH", help="Answer there instead.")
    ] = None,
    environment: Annotated[
        str, typer.Option(help="Serve this environment alone; no other is there for it.")
    ] = "",
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its certificate.", readable=False)
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate's key.", readable=False)
    ] = None,
    rate: Annotated[float, typer.Option(help="Requests a second of one caller.")] = 50.0,
) -> None:
    """Answer HTTP: what platforms call from their own delete endpoints.

    Callers show tokens (vault token make). Beyond loopback it wants TLS.
    """
    host, _, port = listen.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise UsageError(f"“{listen}” is not host:port", hint="As in: 127.0.0.1:9465")
    if host not in ("127.0.0.1", "localhost", "[::1]") and not (tls_cert and tls_key):
        raise UsageError(
            "tokens do not travel in the clear: beyond loopback this wants TLS",
            hint="Add --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy.",
        )
    service = _service()
    terms = service.Terms(
        host=host.strip("[]"),
        port=int(port),
        unix=unix,
        certificate=tls_cert,
        key=tls_key,
        rate=rate,
    )
    service.serve(partial(call.own, environment=environment), terms)


def _service() -> Any:
    try:
        return importlib.import_module("vault.api.service")
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"the HTTP interface needs more than is installed: {error.name}",
            safe="Nothing was started.",
            hint="Install it: pip install 'vault-softdelete[api]'",
        ) from None
