"""Logs of a process: one JSON object a line on standard error."""

from __future__ import annotations

import sys
from typing import Any, TextIO, cast

import structlog

from vault.clock import SystemClock, format_time
from vault.errors import VaultError


def open_log(process: str, stream: TextIO | None = None) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines name the process; configures nothing that others share."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            _add_time,
            structlog.processors.ExceptionRenderer(
                # Without locals: what a frame holds may be a key.
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        process=process,
    )
    return cast("structlog.typing.FilteringBoundLogger", logger)


def facts(error: BaseException) -> dict[str, Any]:
    """What a log line says of an error."""
    if isinstance(error, VaultError):
        return {
            "code": error.code,
            "error": error.message,
            "safe": error.safe,
            "hint": error.hint,
            "retryable": error.retryable,
        }
    return {"code": "unexpected", "error": repr(error), "exc_info": error}


def _add_time(_logger: Any, _method: str, event: Any) -> Any:
    event["at"] = format_time(SystemClock().now())
    return event
