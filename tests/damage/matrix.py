"""Every kind of damage on every kind of stored object, drawn by a seed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.promises.forgeries import STRANGER, draw, flipped, forged, newcomers
from vault.codec.envelope import parse, sign
from vault.store.names import named

Objects = Mapping[str, bytes]
Changes = Mapping[str, bytes | None]
"""New bytes of objects; None for gone."""


@dataclass(frozen=True)
class Damage:
    """What is done to objects of a kind, and how that is called, of whichever object it is."""

    kind: str
    how: str
    what: str
    changes: Changes


def of_kinds(objects: Iterable[str]) -> dict[str, list[str]]:
    """Keys by their kind, in order."""
    found: dict[str, list[str]] = {}
    for key in sorted(objects):
        found.setdefault(key.partition("/")[0], []).append(key)
    return found


def damages(objects: Objects, vault: str, seed: str) -> Iterator[Damage]:
    """Each kind of damage on each object."""
    for kind, keys in of_kinds(objects).items():
        for key in keys:
            for how, data in _alone(objects[key], vault, f"{seed} {kind} {key}"):
                yield Damage(kind, how, key, {key: data})
            if kind != "packs":
                yield from _signed_anew(objects, kind, key)
        for one, other in pairwise(keys):
            yield from _paired(objects, kind, one, other)
    for key, data in newcomers(vault, dict(objects)):
        how = "a true one under another name" if data in objects.values() else "a stranger beside"
        yield Damage(key.partition("/")[0], how, key, {key: data})


def _alone(data: bytes, vault: str, seed: str) -> Iterator[tuple[str, bytes | None]]:
    size, at = len(data), draw(seed, len(data))
    half = size // 2
    yield "the first bit", flipped(data, 0)
    yield "a bit", flipped(data, at * 8 + at % 8)
    yield "zeros", data[:at] + bytes(min(64, size - at)) + data[at + 64 :]
    yield "cut", data[:at]
    yield "emptied", b""
    yield "longer", data + b"\0"
    yield "twice", data + data
    yield "halves exchanged", data[half:] + data[:half]
    yield "noise", secrets.token_bytes(size)
    yield "a stranger's", forged(vault, data)
    yield "gone", None


def _signed_anew(objects: Objects, kind: str, key: str) -> Iterator[Damage]:
    envelope = parse(objects[key])
    other = sign(envelope.kind, envelope.vault, envelope.body, STRANGER)
    place = named(key[:-65], other)
    yield Damage(kind, "signed anew by a stranger", key, {key: None, place: other})
    yield Damage(kind, "signed by a stranger, beside", key, {place: other})


def _paired(objects: Objects, kind: str, one: str, other: str) -> Iterator[Damage]:
    a, b = objects[one], objects[other]
    what = f"{one} and {other}"
    yield Damage(kind, "swapped", what, {one: b, other: a})
    yield Damage(kind, "an older one's bytes", what, {other: a})
    yield Damage(kind, "half of each other", what, {one: a[: len(a) // 2] + b[len(b) // 2 :]})
    if kind != "packs":
        place = named(other[:-65], a)
        yield Damage(kind, "rolled back", what, {other: None, place: a})
        yield Damage(kind, "an older one beside", what, {place: a})


def one_of_each(cases: Iterable[Damage], seed: str) -> list[Damage]:
    """Of each kind of damage on each kind of object one, drawn by the seed."""
    found: dict[tuple[str, str], list[Damage]] = {}
    for case in cases:
        found.setdefault((case.kind, case.how), []).append(case)
    return [same[draw(f"{seed} {name}", len(same))] for name, same in sorted(found.items())]


def some(cases: Sequence[Damage], seed: str, most: int) -> list[Damage]:
    """At most so many, drawn by the seed."""
    return sorted(cases, key=lambda case: draw(f"{seed} {case.kind} {case.how}", 1 << 60))[:most]
