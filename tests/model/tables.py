"""The model's table of states, written from the code's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from vault.lifecycle.event import EventType
from vault.lifecycle.tombstone import TABLE, State
from vault.lifecycle.volume import VOLUME_TABLE

S = TypeVar("S", bound=StrEnum)

MODEL: Final = Path(__file__).with_name("vault.pml")
_BLOCK: Final = re.compile(r"(?<=/\* table: generated \*/\n).*(?=/\* table: end \*/)", re.DOTALL)
_EVENTS: Final = tuple(dict.fromkeys(event for _, event in TABLE))


def stated(model: str) -> str:
    """What stands in the model."""
    found = _BLOCK.search(model)
    assert found is not None
    return found[0]


def expected() -> str:
    """What has to: every step of a tombstone, and those of a volume that come of them."""
    of_volume = {step: to for step, to in VOLUME_TABLE.items() if step[1] in _EVENTS}
    volume_states = dict.fromkeys(
        state for (start, _), end in of_volume.items() for state in (start, end)
    )
    lines = [
        *_numbers("", State),
        *_numbers("E_", _EVENTS),
        *_numbers("V_", volume_states),
        *_inline("advance", "", TABLE),
        *_inline("advance_volume", "V_", of_volume),
    ]
    return "".join(f"{line}\n" for line in lines)


def _numbers(prefix: str, names: Iterable[StrEnum]) -> Iterator[str]:
    for number, name in enumerate(names):
        yield f"#define {prefix}{name.name} {number}"


def _inline(name: str, prefix: str, table: Mapping[tuple[S, EventType], S]) -> Iterator[str]:
    yield f"inline {name}(s, e) {{"
    yield "    moved = true;"
    yield "    if"
    for (state, event), result in table.items():
        start, end = prefix + state.name, prefix + result.name
        yield f"    :: s == {start} && e == E_{event.name} -> s = {end}"
    yield "    :: else -> moved = false"
    yield "    fi"
    yield "}"


if __name__ == "__main__":
    MODEL.write_text(_BLOCK.sub(lambda _: expected(), MODEL.read_text("utf-8")), "utf-8")
