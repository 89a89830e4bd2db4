"""Mutations of what is valid: of bytes, of text, and of the values that JSON and MessagePack hold.

All chance comes from the Random that is passed in, so that what was found is found again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgspec

_NUMBERS: Final = (0, 1, -1, 2**7, 2**8, 2**15, 2**16, 2**24, 2**31, 2**32, 2**53, 2**62)
_EDGES: Final = (*_NUMBERS, *(n - 1 for n in _NUMBERS), 2**63 - 1, -(2**63), 2**64 - 1)
_TEXTS: Final = (
    *("", " ", "\0", "/", "..", "../..", "~", "*", "%s", "{}", "'", '"', "\n", "\x1b[2J", "\u202e"),
    *("é", "e\u0301", "\U0001f5d1", "\udcff", "²", "٣", "０", "9" * 25, "9" * 5000, "-1", "1e999"),
    *("nan", "inf", "0x1f", "1_0", "None", "true", "a" * 70_000, "snap_", "vol_" + "z" * 26),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01", "2026-01-01T00:00"),
)
_DEEP: Final = 3000
_SMALL: Final = 10_000  # bytes: what is larger is not made a hundred times as large


def mutate_bytes(dice: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Bytes that differ from `data` in one to four places; parts may come from `others`."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        data = dice.choice(_BYTE_MUTATIONS)(dice, data, others)
    return data


def _flip(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(dice, data)
    return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :] if data else data


def _truncate(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: _place(dice, data)]


def _remove(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(dice, data)
    return data[:at] + data[at + dice.choice((1, 2, 4, 8, 32, 64)) :]


def _insert(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(dice, data)
    return data[:at] + dice.randbytes(dice.choice((1, 1, 2, 4, 40))) + data[at:]


def _number(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    size, at = dice.choice((1, 2, 4, 8)), _place(dice, data)
    value = dice.choice(_EDGES) % (1 << 8 * size)
    return data[:at] + value.to_bytes(size, dice.choice(("big", "little"))) + data[at + size :]


def _repeat(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at, end = sorted((_place(dice, data), _place(dice, data)))
    times = dice.choice((1, 2, 100 if len(data) < _SMALL else 1))
    return data[:end] + data[at:end] * times + data[end:]


def _exchange(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    a, b, c = sorted(_place(dice, data) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _splice(dice: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = dice.choice(others) if others else data
    return data[: _place(dice, data)] + other[_place(dice, other) :]


def _random(dice: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return dice.randbytes(dice.choice((0, 1, 7, 64, len(data))))


_Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]
_BYTE_MUTATIONS: Final[Sequence[_Mutation]] = (
    *(_flip, _flip, _flip, _truncate, _remove, _insert, _number, _number),
    *(_repeat, _exchange, _splice, _random),
)


def _place(dice: Random, data: bytes) -> int:
    """A place in `data`: often near its ends, where headers and trailers are."""
    near = min(len(data), dice.choice((8, 64, len(data) or 1)))
    at = dice.randrange(near) if near else 0
    return at if dice.randrange(4) or not data else len(data) - 1 - at


def mutate_text(dice: Random, text: str, others: Sequence[str] = ()) -> str:
    """A text that differs from `text`; lines and words may come from `others`."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        at, end = sorted((dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)))
        kind = dice.randrange(7)
        if kind == 0:
            text = text[:at] + dice.choice(_TEXTS) + text[at:]
        elif kind == 1:
            text = text[:at] + text[end:]
        elif kind == 2:
            text = (
                text[:at] + chr(dice.choice((0, 9, 32, 127, 255, 0x300, 0x2028))) + text[at + 1 :]
            )
        elif kind == 3:
            text = text[:end] + text[at:]
        elif kind == 4:
            words = text.split(" ")
            words[dice.randrange(len(words))] = dice.choice(_TEXTS)
            text = " ".join(words)
        elif kind == 5:
            lines = [*text.splitlines(), *dice.choice(others or ("",)).splitlines()]
            dice.shuffle(lines)
            text = "\n".join(lines)
        else:
            text = text[:at] + str(dice.choice(_EDGES)) + text[end:]
    return text


def mutate_value(dice: Random, value: Any) -> Any:
    """A value of lists, dicts, texts, bytes and numbers that differs in one to three places."""
    for _ in range(dice.choice((1, 1, 2, 3))):
        value = _changed(dice, value)
    return value


def _changed(dice: Random, value: Any) -> Any:
    if isinstance(value, dict | list) and value and dice.randrange(8):
        copy: Any = value.copy()
        place = dice.choice(list(copy)) if isinstance(copy, dict) else dice.randrange(len(copy))
        kind = dice.randrange(10)
        if kind == 0:
            del copy[place]
        elif kind == 1 and isinstance(copy, list):
            copy.insert(place, dice.choice(copy))
        elif kind == 2 and isinstance(copy, list):
            dice.shuffle(copy)
        elif kind == 2:
            copy[place] = dice.choice(list(copy.values()))
        else:
            copy[place] = _changed(dice, copy[place])
        return copy
    return _leaf(dice, value)


def _leaf(dice: Random, value: Any) -> Any:
    kind = dice.randrange(12)
    if kind == 0:
        return dice.choice((None, True, False, [], {}, "", b"", 0.5, -1, [[]], {"": None}))
    if kind == 1:
        return deep(dice.choice((1, 5, _DEEP)))
    if isinstance(value, bool) or kind == 2:
        return dice.choice(_EDGES)
    if isinstance(value, int | float):
        return dice.choice((*_EDGES, value + 1, value - 1, -value, value * 2))
    if isinstance(value, bytes):
        return mutate_bytes(dice, value)
    if isinstance(value, str):
        return mutate_text(dice, value)
    return dice.choice(_TEXTS)


def deep(levels: int) -> Any:
    """Lists in lists."""
    nested: Any = []
    for _ in range(levels):
        nested = [nested]
    return nested


def as_json(value: Any) -> bytes:
    """JSON of a mutated value; what JSON cannot say becomes null."""
    return _encoded(msgspec.json.encode, value, b"null")


def as_msgpack(value: Any) -> bytes:
    """MessagePack of a mutated value; what it cannot say becomes nil."""
    return _encoded(msgspec.msgpack.encode, value, b"\xc0")


def _encoded(encode: Callable[[Any], bytes], value: Any, otherwise: bytes) -> bytes:
    try:
        return encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return otherwise
