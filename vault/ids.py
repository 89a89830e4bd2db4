"""Identifiers: a kind, an underscore, a ULID in lower case (`snap_01k…`, `tomb_…`, `vol_…`).

ULIDs sort by the millisecond they were made in (https://github.com/ulid/spec).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final, Literal

from vault.errors import IdAmbiguous

IdKind = Literal["snap", "tomb", "vol", "vault", "sess", "evt", "aud", "tok", "win", "grant", "ask"]

_SHAPE: Final = re.compile(
    r"(snap|tomb|vol|vault|sess|evt|aud|tok|win|grant|ask)_[0-9a-hjkmnp-tv-z]{26}"
)


_TIME: Final = 10
"""Characters of an id's time, which come first."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
BELIEVABLE: Final = "[0-6][0-9a-hjkmnp-tv-z]{25}"
"""What follows the kind in a stored id that others are to sort behind (a pattern).

Beyond it, from the year 9775 on, time runs out, and nothing could ever be recorded after it.
"""


def new_id(kind: IdKind, at: datetime) -> str:
    """Make a fresh id whose time part is `at` (aware)."""
    milliseconds = (at - _EPOCH) // _MILLISECOND  # seconds with a fraction would be rounded
    return f"{kind}_{str(_ulid().from_timestamp(milliseconds)).lower()}"


def next_id(kind: IdKind, at: datetime, *, after: str = "") -> str:
    """Make a fresh id that sorts behind `after` even where clocks stand still or step back.

    Events of a volume are folded in the order of their ids, and a store's clock counts seconds.
    """
    if after:
        at = max(at, id_time(after) + _MILLISECOND)
    return new_id(kind, at)


def earliest_id(kind: IdKind, at: datetime) -> str:
    """What sorts before every id that was made at `at` or later, and behind all earlier ones."""
    return new_id(kind, at)[: len(kind) + 1 + _TIME]


def id_time(identifier: str) -> datetime:
    """The moment an id was made in, to the millisecond."""
    milliseconds: int = _ulid().from_str(_bare(identifier).upper()).milliseconds
    return _EPOCH + milliseconds * _MILLISECOND


def is_id(text: str, kind: IdKind) -> bool:
    """Tell whether `text` is a whole id of this kind."""
    return text.startswith(kind + "_") and _SHAPE.fullmatch(text) is not None


def match_prefix(prefix: str, candidates: Iterable[str]) -> str | None:
    """Find the one id that `prefix` (with or without its kind) begins; None where there is none.

    Raises IdAmbiguous where there are several.
    """
    found = sorted({c for c in candidates if c.startswith(prefix) or _bare(c).startswith(prefix)})
    if prefix in found:
        return prefix
    if len(found) > 1:
        raise IdAmbiguous(
            f"“{prefix}” fits {len(found)} ids: {', '.join(found[:4])}{' …' * (len(found) > 4)}",
            safe="Nothing was changed.",
            hint="Give more characters of the id you mean.",
        )
    return found[0] if found else None


def _bare(identifier: str) -> str:
    return identifier.partition("_")[2]


def _ulid() -> Any:
    """The library's class; it takes a while to load, and who only reads needs none of it."""
    return import_module("ulid").ULID
