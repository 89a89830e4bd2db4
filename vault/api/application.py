"""The application: routes, who asks, limits, and errors as problem documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from vault.api import governance, passkeys, volumes
from vault.api.keys import IssuerKeys
from vault.api.limiting import Limits
from vault.api.models import Health
from vault.api.pool import Pool
from vault.api.problems import Problem, answer, problems
from vault.clock import Clock, SystemClock
from vault.errors import VaultError
from vault.process.logs import PolicyLog, open_log

if TYPE_CHECKING:
    from vault.library import Vault

THREADS: Final = 8
"""Requests answered at the same time; more wait. Each has a vault and its connections."""

RATE: Final = 50.0
"""Requests a second of one caller; twice as many may come at once."""


def create_app(
    open_vault: Callable[[], Vault], *, rate: float = RATE, clock: Clock | None = None
) -> FastAPI:
    """The ASGI application over vaults that `open_vault` opens, one for each thread."""
    clock = clock or SystemClock()
    pool = Pool(open_vault, clock, PolicyLog(open_log("api")))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        pool.close()

    app = FastAPI(
        title="vault",
        version="1",
        summary="Soft delete, undelete and write-once backups.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
    )
    app.state.pool = pool
    app.state.issuers = IssuerKeys(lambda: clock.boot_time().seconds)
    for kind in (VaultError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
    app.include_router(volumes.router)
    app.include_router(governance.router)
    app.include_router(passkeys.router)
    app.add_api_route("/healthz", _health, methods=["GET"], tags=["health"], responses=problems())
    app.add_middleware(Limits, rate=rate, seconds=lambda: clock.boot_time().seconds)
    _with_problems(app)
    return app


def _health() -> Health:
    """Whether the door answers; says nothing about the store."""
    return Health()


def _with_problems(app: FastAPI) -> None:
    """Let the document describe problems, which no route answers by itself.

    What FastAPI says of requests that do not fit, it says of answers that are never given here.
    """
    made = app.openapi()
    schemas = made["components"]["schemas"]
    for unsaid in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unsaid, None)
    for answers in _answers(made):
        if "HTTPValidationError" in str(answers.get("422")):
            del answers["422"]
    schemas["Problem"] = Problem.model_json_schema()
    app.openapi_schema = made


def _answers(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The answers of each operation."""
    for path in document["paths"].values():
        for operation in path.values():
            yield operation["responses"]
