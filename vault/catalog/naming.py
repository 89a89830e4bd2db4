"""Which row a person means by an id or the beginning of one."""

from __future__ import annotations

from typing import Final

from vault.catalog.connection import Connection
from vault.ids import IdKind, is_id, match_prefix

_SHORTEST: Final = 4
_SHORTEST_BARE: Final = 6
"""So many characters of the id at least, more without its kind: “v” is not whatever begins so."""


def find_id(connection: Connection, kind: IdKind, text: str, environment: str) -> str | None:
    """The one id in this environment (any where empty) that `text` is or begins.

    Raises IdAmbiguous.
    """
    table = {"vol": "volumes", "tomb": "tombstones", "snap": "snapshots"}[kind]
    bare = text.removeprefix(kind + "_").lower()
    shortest = _SHORTEST if text.startswith(kind + "_") else _SHORTEST_BARE
    if len(bare) < shortest or not bare.isalnum():
        return None
    prefix = f"{kind}_{bare}"
    rows = connection.rows(
        f"SELECT id FROM {table} WHERE id >= ? AND id < ? AND (? = '' OR environment = ?)",
        prefix,
        prefix + "~",
        environment,
        environment,
    )
    found = match_prefix(prefix, (row["id"] for row in rows))
    return found if found is not None and is_id(found, kind) else None
