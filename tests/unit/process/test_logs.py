"""Logs as JSON lines."""

from __future__ import annotations

import io
import json

from vault.errors import StoreUnreachable
from vault.process.logs import facts, open_log


def test_one_object_a_line() -> None:
    """Each names its process, level, time and event."""
    stream = io.StringIO()
    log = open_log("daemon", stream)
    log.info("duty_done", task="capture", detail="3 files\nin all")
    log.error("duty_failed", **facts(StoreUnreachable("gone", hint="wait")))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["process"] == "daemon"
    assert first["level"] == "info"
    assert first["at"].endswith("Z")
    assert first["detail"] == "3 files\nin all"
    assert second["code"] == "store_unreachable"
    assert second["retryable"] is True


def test_the_unexpected_brings_its_traceback_and_no_secret() -> None:
    """What nobody foresaw can be looked into later; what a frame held stays out of the log."""
    stream, secret = io.StringIO(), "AGE-SECRET" + "-KEY-1"
    try:
        assert secret
        raise ZeroDivisionError("odd")
    except ZeroDivisionError as error:
        open_log("daemon", stream).error("duty_failed", **facts(error))
    line = json.loads(stream.getvalue())
    assert secret not in stream.getvalue()
    assert line["code"] == "unexpected"
    assert line["exception"][0]["exc_type"] == "ZeroDivisionError"
