"""What every entry of every snapshot is made of, as scripts/rescue.py finds it: so what a damage
costs is reckoned without vault.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.damage.matrix import Changes, Objects

RESCUE: Final = Path(__file__).parents[2] / "scripts" / "rescue.py"
_PAGE, _TABLE = 1, 2
_ROW: Final = 2  # the first pieces of a path hold its entry


@dataclass(frozen=True)
class Piece:
    """Sealed bytes in a pack, and the session whose keys open them."""

    pack: str
    start: int
    end: int
    session: str


@dataclass(frozen=True)
class Held:
    """A snapshot's object, its session, and of each path the pieces that it needs.

    These are part and page of the table, and what holds its content.
    """

    key: str
    session: str
    volume: str
    pieces: Mapping[bytes, tuple[Piece, ...]]
    links: Mapping[bytes, bytes]


def survey(url: str, kit: Path) -> dict[str, Held]:
    """Look at all snapshots of a store that is whole, oldest first."""
    program = runpy.run_path(str(RESCUE), run_name="rescue")
    vault = program["Vault"](program["Files"](url), kit.read_text())
    read, opened = vault.chunk, dict[int, list[Any]]()

    def chunk(ref: list[Any], kind: int) -> bytes:
        opened[kind] = ref
        return bytes(read(ref, kind))

    vault.chunk = chunk
    found = {}
    for record in vault.records("snapshots/", "snapshot"):
        head, pieces, links = json.loads(record.head), {}, {}
        for entry, content in vault.entries(record, []):
            refs = (opened[_TABLE], opened[_PAGE], *(ref for ref, _, _ in content))
            pieces[entry.path] = tuple(map(_piece, refs))
            if entry.link is not None:
                links[entry.path] = entry.link
        found[head["id"]] = Held(record.key, head["session"], head["volume_name"], pieces, links)
    return found


def _piece(ref: list[Any]) -> Piece:
    _, (digest, session, _), (_, _, start, length, *_) = ref
    pack = digest.hex()
    return Piece(f"packs/{pack[:2]}/{pack}", start, start + length, session)


def lost(held: Held, objects: Objects, changes: Changes) -> set[bytes]:
    """The paths that no reader brings back as they were: they or the file they link to are lost."""
    broken = {path for path, pieces in held.pieces.items() if _broken(pieces, objects, changes)}
    return broken | {path for path, link in held.links.items() if link in broken}


def remade(held: Held, objects: Objects, changes: Changes) -> set[bytes]:
    """The folders that are lost, while an entry of something below them can be read."""
    rows = {path: pieces[:_ROW] for path, pieces in held.pieces.items()}
    unread = {path for path, pieces in rows.items() if _broken(pieces, objects, changes)}
    return unread & {above for path in rows.keys() - unread for above in _above(path)}


def _broken(pieces: tuple[Piece, ...], objects: Objects, changes: Changes) -> bool:
    def is_broken(piece: Piece) -> bool:
        data = changes.get(piece.pack, objects[piece.pack]) or b""
        whole = objects[piece.pack][piece.start : piece.end]
        return data[piece.start : piece.end] != whole or keys_lost(piece.session, objects, changes)

    return any(map(is_broken, pieces))


def _above(path: bytes) -> list[bytes]:
    """The folders that a path lies in, the root first, which itself lies in none."""
    parts = path.split(b"/") if path else []
    return [b"/".join(parts[:count]) for count in range(len(parts))]


def keys_lost(session: str, objects: Objects, changes: Changes) -> bool:
    """Whether what stood under a session's name is no longer what it was."""
    return any(
        changes.get(key, data) != data
        for key, data in objects.items()
        if key.startswith(f"keys/{session}-")
    )
