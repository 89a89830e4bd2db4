"""Whatever cannot be read is Corrupt."""

from __future__ import annotations

import msgspec
import pytest

from vault.codec.decoding import read_json, read_msgpack
from vault.errors import Corrupt


class Shape(msgspec.Struct):
    """Something to read."""

    a: str
    b: list[int] = []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": "x"} {}',
        b'{"a": "x", "z": ' + b"[" * 100_000,
        b'{"a": "x", "b": [1e400]}',
    ],
)
def test_bad_json(data: bytes) -> None:
    """Wrong types, wrong text, too deep, too much."""
    with pytest.raises(Corrupt, match="the thing"):
        read_json(Shape, data, "the thing")


@pytest.mark.parametrize(
    "data", [b"", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\x91\xa1\xff", b"\x90\x90", b"\xc1"]
)
def test_bad_msgpack(data: bytes) -> None:
    """A length of four thousand million costs nothing."""
    with pytest.raises(Corrupt):
        read_msgpack(list[str], data, "the thing")


def test_unknown_fields_are_ignored() -> None:
    """What must not be ignored is a feature."""
    assert read_json(Shape, b'{"a": "x", "later": 1}', "it") == Shape("x")
