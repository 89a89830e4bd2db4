"""URLs: whether what is sent to one stays unread on its way."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def is_confidential(url: str) -> bool:
    """Whether nobody on the way reads what is sent there: https, or http on this very host."""
    try:
        parts = urlsplit(url)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        return bool(parts.hostname) and (local or parts.scheme == "https")
    except ValueError:  # brackets that hold no address
        return False
