"""Strict reading of JSON and MessagePack into declared types; whatever is amiss is Corrupt.

Fields that a type does not declare are ignored: what must not be ignored is named as a feature.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from vault.codec.buffers import Buffer
from vault.errors import Corrupt

T = TypeVar("T")


def read_json(shape: type[T], data: Buffer, what: str) -> T:
    """Decode JSON into `shape`; `what` names the bytes in the error. Raises Corrupt."""
    return cast(T, _read(_json_decoder(cast(Any, shape)), data, what))


def read_msgpack(shape: type[T], data: Buffer, what: str) -> T:
    """Decode MessagePack into `shape`; `what` names the bytes in the error. Raises Corrupt."""
    return cast(T, _read(_msgpack_decoder(cast(Any, shape)), data, what))


def _read(
    decoder: msgspec.json.Decoder[object] | msgspec.msgpack.Decoder[object],
    data: Buffer,
    what: str,
) -> object:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        # ValueError covers invalid UTF-8, RecursionError nesting made to exhaust the stack.
        raise Corrupt(f"{what} cannot be read: {error}") from error


@lru_cache(maxsize=64)
def _json_decoder(shape: type[object]) -> msgspec.json.Decoder[object]:
    return msgspec.json.Decoder(shape)


@lru_cache(maxsize=64)
def _msgpack_decoder(shape: type[object]) -> msgspec.msgpack.Decoder[object]:
    return msgspec.msgpack.Decoder(shape)
