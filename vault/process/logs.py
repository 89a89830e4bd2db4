"""Logs of a process: one JSON object a line on standard error."""

from __future__ import annotations

import sys
import threading
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


class PolicyLog:
    """Lines about the home's own rules: one whenever what is wrong with them has changed."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._said = ""
        self._guard = threading.Lock()

    def say(self, amiss: str) -> None:
        """What is wrong with them now; empty for nothing, which is said where something was."""
        with self._guard:
            before, self._said = self._said, amiss
        if amiss and amiss != before:
            self._log.warning("policy_invalid", detail=amiss)
        elif before and not amiss:
            self._log.info("policy_valid")


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
