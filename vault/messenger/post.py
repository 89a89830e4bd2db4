"""One POST to somebody else's server: bounded in time and size, and not led elsewhere."""

from __future__ import annotations

import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

from vault.limits import NOTICE_SECONDS

_LONGEST: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a body, or a fault in words."""

    body: bytes = b""
    fault: str = ""


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Send a body; any 2xx is an answer, everything else a fault. Never raises."""
    try:
        request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
        with _OPENER.open(request, timeout=NOTICE_SECONDS) as answer:
            return Reply(body=answer.read(_LONGEST))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(fault=f"it answered {error.code}")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", "") or error
        return Reply(fault=f"it cannot be reached: {reason}")


def post_within(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """The same, within limits.NOTICE_SECONDS in all: also where bytes come in one by one."""
    replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
    thread = threading.Thread(
        target=lambda: replies.put(post(url, body, headers)), name="post", daemon=True
    )
    thread.start()
    try:
        return replies.get(timeout=NOTICE_SECONDS)
    except queue.Empty:
        return Reply(fault=f"it did not answer within {NOTICE_SECONDS:g} s")


class _Staying(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: a redirected POST arrives as a GET, or at another's."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """See HTTPRedirectHandler: None is an error with the status that was answered."""


_OPENER: Final = urllib.request.build_opener(_Staying)
