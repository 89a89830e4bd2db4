"""Names of stored objects: each carries the BLAKE3 digest of its content.

    charter/<number, 8 digits>-<digest>
    keys/<session id>-<digest>
    packs/<first 2 hex digits>/<digest>
    index/<writer>/<session id>-<sequence, 6 digits>-<digest>
    snapshots/<volume id>/<snapshot id>-<digest>
    events/<volume id>/<event id>-<digest>
    audit/<log>/<first index, 12 digits>-<digest>
    stamps/<log>/<size, 12 digits>-<digest>
    canary/<ulid>-<digest>

Digests are 64 hex digits. Ids are those of `vault.ids`; writers and logs are named by the first 16
hex digits of the BLAKE3 of their public key.
"""

from __future__ import annotations

import re
from typing import Final

from blake3 import blake3

from vault.errors import StoreError

_DIGEST: Final = re.compile(r"(?:^|[-/])([0-9a-f]{64})$")
_KEY: Final = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


def content_digest(data: bytes) -> str:
    """The BLAKE3 of `data`, 64 hex digits."""
    return blake3(data).hexdigest()


def digest_of(key: str) -> str | None:
    """The digest that a key carries; None where it carries none."""
    found = _DIGEST.search(key)
    return found[1] if found else None


def named(stem: str, data: bytes) -> str:
    """The key of `data` under a stem such as `events/vol_…/evt_…`."""
    return f"{stem}-{content_digest(data)}"


def pack_key(digest: str) -> str:
    """The key of a pack by its digest."""
    return f"packs/{digest[:2]}/{digest}"


def is_key(key: str) -> bool:
    """Tell whether `key` has the shape that the contract allows."""
    return (
        _KEY.fullmatch(key) is not None
        and len(key) <= 512
        and not any(part in (".", "..") for part in key.split("/"))
    )


def require_key(key: str) -> str:
    """Give `key` back where it has the shape that the contract allows. Raises StoreError."""
    if not is_key(key):
        raise StoreError(f"“{key}” cannot be the name of an object", safe="Nothing was touched.")
    return key
