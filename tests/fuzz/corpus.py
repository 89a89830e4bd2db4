"""Valid inputs of every parser: what a small vault stores, and what people write."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.fuzz.sealing import KEYS, SNAPSHOT
from tests.unit.lifecycle.builders import DETAILS
from tests.unit.repository.founding import (
    IDENTITY,
    RECIPIENT,
    ROOT,
    SESSION,
    VAULT,
    WRITER,
    charter,
    event,
    header,
)
from tests.unit.repository.scene import Scene
from vault.codec.keyring import RecoveryKit, WriterKeys
from vault.ids import new_id
from vault.lifecycle.event import EventType, encode_event
from vault.testing.clock import START

WRITER_KEYS = WriterKeys(VAULT, "host", WRITER, b"k" * 32, b"i" * 32)


@dataclass(frozen=True)
class Stored:
    """A vault of two snapshots: objects by kind, its baseline and index files."""

    objects: dict[str, list[bytes]]
    baseline: bytes
    parent: str
    index: bytes


@cache
def stored() -> Stored:
    """Made once a process."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        tree = {b"a": b"1" * 5000, b"b/c": bytes(70_000), b"d": b"text " * 900}
        first = scene.record(tree)
        scene.site.pass_time(hours=1)
        second = scene.record(tree | {b"e": b"new"}, parent=first)
        objects: dict[str, list[bytes]] = {}
        for key in scene.keys(""):
            objects.setdefault(key.partition("/")[0], []).append(scene.store.get(key))
        scene.index.close()
        (baseline,) = (Path(folder) / "baselines").iterdir()
        index = (Path(folder) / "index.db").read_bytes()
        return Stored(objects, baseline.read_bytes(), second.header.id, index)


def value(encoded: bytes) -> Any:
    """JSON as the plain values that mutations work on."""
    return msgspec.json.decode(encoded)


def charters() -> list[Any]:
    """Bodies of charters."""
    return [value(msgspec.json.encode(charter()))]


def sessions() -> list[Any]:
    """[open head, sealed part] of a session."""
    keys = {name: getattr(KEYS, name).hex() for name in ("data_key", "chunk_id_key", "index_key")}
    sealed = {"vault": VAULT, "session": SESSION, "writer": WRITER.public_hex, **keys}
    return [[{"session": SESSION, "name": "host"}, sealed]]


def events() -> list[Any]:
    """Histories: lists of bodies of events of one volume and tombstone."""
    tombstone, told = new_id("tomb", START), {}
    for number, kind in enumerate(EventType):
        plain = event(
            kind,
            id=new_id("evt", START + timedelta(seconds=number)),
            tombstone=tombstone,
            details=dict(DETAILS.get(kind, {})),
            reason="because",
        )
        told[kind] = value(encode_event(plain))
    deleted = [
        told[kind]
        for kind in (
            *(EventType.VOLUME_ADDED, EventType.DELETE_REQUESTED, EventType.QUARANTINE_STARTED),
            *(EventType.QUARANTINED, EventType.FINAL_SNAPSHOT, EventType.UNDELETE_STARTED),
        )
    ]
    return [deleted[:1], deleted, list(told.values())]


def snapshots() -> list[Any]:
    """[header, body] of snapshots."""
    plain = value(msgspec.json.encode(header(id=SNAPSHOT)))
    ref = [b"c" * 32, [b"p" * 32, SESSION, b"s" * 32], [b"p" * 32, 0, 89, 50, 40, True]]
    return [[plain, {"table": [ref], "findings": [["changing", b"x", "it moved"]]}]]


def indexes() -> list[Any]:
    """Bodies of index objects."""
    rows = [[bytes([n]) * 32, 0, 89 + 50 * n, 50, 40, True] for n in range(3)]
    return [[[[b"p" * 32, SESSION, b"s" * 32], "v1", 1_777_777_777, rows]]]


def pages() -> list[Any]:
    """Pages: one of everything that an entry can be, and one of many small files."""
    common = [0o644, 1, 1, 5]
    rich = [
        [[b"", 1, *common], [], 0, 1],
        [[b"d", 1, *common, 0, 6, 7, 8, 2], [], 0, 1],
        [
            [b"d/f", 0, *common, 20, 6, 8, 8, 2, None, None, 0, [[b"user.a", b"1"]]],
            [[0, 5, 20]],
            0,
            1,
        ],
        [[b"d/g", 0, *common, 20, 6, 8, 8, 2, b"d/f"], [], 0, 1],
        [
            [b"hole", 0, *common, 900, 6, 9, 8, 1, None, None, 0, [], [[0, 3], [500, 4]]],
            [[1, 0, 7]],
            0,
            1,
        ],
        [[b"link", 2, *common, 0, 6, 10, 8, 1, None, b"../x"], [], 0, 1],
        [[b"long", 0, *common, 60], [[0, 0, 30]], 0, 2],
        [[b"long", 0, *common, 60], [[1, 0, 30]], 1, 2],
        [[b"node", 4, *common, 0, 6, 11, 8, 1, None, None, 259], [], 0, 1],
        [[b"torn", 0, *common, 30, 6, 12, 8, 1, None, None, 0, [], None, True], [[0, 0, 9]], 0, 1],
    ]
    many = [[[b"%04d" % n, 0, *common, 9], [[n % 3, n, 9]], 0, 1] for n in range(40)]
    return [[_heads(), [_chunk(0), _chunk(1)], rich], [_heads(), [*map(_chunk, range(3))], many]]


def table_parts() -> list[Any]:
    """Parts of page tables."""
    return [[_heads(), [[b"%04d" % n if n else b"", _chunk(n)] for n in range(5)]]]


def _heads() -> list[Any]:
    return [[b"p" * 32, SESSION, b"s" * 32]]


def _chunk(number: int) -> list[Any]:
    return [bytes([number]) * 32, 0, number, 89 + 50 * number, 50, 100, True]


def recipients() -> list[str]:
    """Those of age and of SSH."""
    key = "AAAAC3NzaC1lZDI1NTE5AAAAILXiVV6rxo2JBtZKjlmYMf55RRmEDAJyx53yHGrIM7G1"
    return [RECIPIENT, f"ssh-ed25519 {key} user@host"]


def kits() -> list[str]:
    """Recovery kits: with and without the root's secret."""
    full = RecoveryKit(VAULT, "file:///x", ROOT, ROOT.public_hex, (IDENTITY,))
    return [full.text(), RecoveryKit(VAULT, "s3://b/p", None, ROOT.public_hex, ()).text()]
