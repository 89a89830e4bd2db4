"""P7: damaged, cut, swapped, replayed and forged objects never become a wrong byte.

A vault is made once, in a directory. Its objects are then laid down anew with one damage, as the
only version of what they are, in a directory and in a bucket, and everything is restored from
there: what comes out is what was there, or an error or a finding says that it is not whole.

The damage is drawn: VAULT_TEST_SEED repeats a run, and every failure names its seed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.promises.forgeries import STRANGER, draw, flipped, forged
from tests.rgw import fresh_bucket
from vault.clock import SystemClock
from vault.codec.envelope import parse, sign
from vault.errors import VaultError
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest
from vault.store.address import parse_address
from vault.store.names import named
from vault.store.s3_bucket import Bucket
from vault.testing.rgw import Server
from vault.testing.trees import Tree, read_tree

SEED = os.environ.get("VAULT_TEST_SEED") or ("ci" if os.environ.get("CI") else secrets.token_hex(4))
_BYTES = ("kind", "size", "content", "target", "device")
Changes = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Origin:
    """A vault as it should be: its objects, and what each snapshot holds, oldest first."""

    objects: dict[str, bytes]
    trees: dict[str, Tree]
    kit: Path
    vault: str


class Place(Protocol):
    """A store whose objects the attacker lays down as he likes."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def profile(self) -> str | None:
        """The credential to read it with."""

    def put(self, key: str, data: bytes | None) -> None:
        """Let these bytes (None: nothing) be all that there is of a key."""


class Folder:
    """A directory store."""

    profile: str | None = None

    def __init__(self, root: Path, objects: Mapping[str, bytes]) -> None:
        self.url = f"file://{root}?immutable=no"
        self._objects = root / "objects"
        (root / "incoming").mkdir(parents=True)
        (root / "vault-store").touch()
        for key, data in sorted(objects.items()):
            self.put(key, data)

    def put(self, key: str, data: bytes | None) -> None:
        """See Place."""
        path = self._objects / key
        path.unlink(missing_ok=True)
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


class Cloud:
    """A bucket, written by its owner, without locks."""

    profile: str | None = "reader"

    def __init__(self, server: Server, objects: Mapping[str, bytes]) -> None:
        bucket = fresh_bucket(server)
        self.url, self._name = bucket.url, bucket.name
        self._client: Any = Bucket(parse_address(bucket.url), "provisioner", SystemClock()).client
        self._versions: dict[str, str] = {}
        for key, data in sorted(objects.items()):
            self.put(key, data)

    def put(self, key: str, data: bytes | None) -> None:
        """See Place."""
        where = {"Bucket": self._name, "Key": f"main/{key}"}
        if key in self._versions:
            self._client.delete_object(**where, VersionId=self._versions.pop(key))
        if data is not None:
            self._versions[key] = self._client.put_object(**where, Body=data)["VersionId"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """A small volume with two snapshots, in a directory."""
    root = tmp_path_factory.mktemp("origin")
    source, home = root / "srv" / "db", root / "home"
    source.mkdir(parents=True)
    for number in range(12):
        (source / f"small-{number:02}").write_bytes(secrets.token_bytes(100 * number))
    (source / "large").write_bytes(secrets.token_bytes(3_000_000))
    (source / "text").write_bytes(b"compressible, line by line\n" * 40_000)
    (source / "link").symlink_to("large")
    os.truncate(source / "small-03", 1 << 20)
    Vault.init(home, store=f"file://{root}/store?immutable=no")
    trees = {}
    with Vault.open(home) as vault:
        vault.add_volume(Enrolment(name="db", path=str(source)))
        trees[vault.snapshot("db").id] = read_tree(source)
        (source / "text").write_bytes(b"other lines, of the same length...\n" * 31_000)
        (source / "small-07").unlink()
        trees[vault.snapshot("db").id] = read_tree(source)
    objects = root / "store" / "objects"
    stored = {
        str(p.relative_to(objects)): p.read_bytes() for p in objects.rglob("*") if p.is_file()
    }
    name = (home / "vault.id").read_text().strip()
    return Origin(stored, trees, home / "recovery.kit", name)


def damages(origin: Origin) -> Iterator[tuple[str, Changes]]:
    """Each kind of damage on objects of each kind."""
    by_kind: dict[str, list[str]] = {}
    for key in sorted(origin.objects):
        by_kind.setdefault(key.partition("/")[0], []).append(key)
    kinds = {"audit", "charter", "events", "index", "keys", "packs", "snapshots"}
    assert by_kind.keys() == kinds
    assert len(by_kind["packs"]) >= 4
    for kind, keys in by_kind.items():
        for key in keys:
            yield from _alone(origin, kind, key)
        for one, other in pairwise(keys):
            a, b = origin.objects[one], origin.objects[other]
            yield f"{kind}: {one} and {other} swapped", {one: b, other: a}
            yield f"{kind}: {other} gives way to {one}", {other: a}
            yield f"{kind}: half of each other", {one: a[: len(a) // 2] + b[len(b) // 2 :]}
    yield from _replayed(origin, by_kind)


def _alone(origin: Origin, kind: str, key: str) -> Iterator[tuple[str, Changes]]:
    data = origin.objects[key]
    size, at = len(data), draw(f"{SEED} {kind} {key}", len(data))
    half = size // 2
    for label, changed in (
        ("first bit", flipped(data, 0)),
        (f"bit {at * 8 + at % 8}", flipped(data, at * 8 + at % 8)),
        (f"zeros from {at}", data[:at] + bytes(min(64, size - at)) + data[at + 64 :]),
        (f"cut at {at}", data[:at]),
        ("emptied", b""),
        ("longer", data + b"\0"),
        ("halves exchanged", data[half:] + data[:half]),
        ("a stranger's", forged(origin.vault, data)),
        ("gone", None),
    ):
        yield f"{kind}: {key}: {label}", {key: changed}


def _replayed(origin: Origin, by_kind: Mapping[str, list[str]]) -> Iterator[tuple[str, Changes]]:
    """Under names that fit their contents: true records as newer ones, and a stranger's instead."""
    older, newer = sorted(by_kind["snapshots"])
    stem = newer.rpartition("-")[0]
    data = origin.objects[older]
    yield "the older snapshot replayed as the newer", {newer: None, named(stem, data): data}
    yield "the older snapshot beside the newer, under its id", {named(stem, data): data}
    for kind in ("charter", "events", "keys", "snapshots"):
        for key in by_kind[kind]:
            envelope = parse(origin.objects[key])
            other = sign(envelope.kind, envelope.vault, envelope.body, STRANGER)
            yield f"{key} signed anew by a stranger", {key: None, named(key[:-65], other): other}
    first, second = sorted(by_kind["keys"])
    data = origin.objects[first]
    beside = named(second[:-65], data)
    yield "keys of one session as another's", {second: None, beside: data}
    yield "keys of one session beside another's", {beside: data}


def check(origin: Origin, place: Place, case: tuple[str, Changes], folder: Path) -> list[str]:
    """Restore from a place all that should be there; what is wrong, in words."""
    what, changes = case
    shutil.rmtree(folder, ignore_errors=True)
    wrong = []
    older, newest = origin.trees
    # Of a snapshot that left no trace in the store only a catalog could tell.
    untold = any(newest in key and data is None for key, data in changes.items())
    for asked, snapshot in [*zip(origin.trees, origin.trees, strict=True), ("db", newest)]:
        target = folder / asked
        said = _restored(origin, place, asked, target)
        found = read_tree(target).facts if target.exists() else {}
        wanted = origin.trees[snapshot].facts
        if said == "older" or (untold and said is None and asked == "db"):
            wanted = origin.trees[older].facts
        if said is not None and found != wanted:
            # It was said that something is missing; what is there must still be right.
            cut = {p: {k: f.get(k) for k in _BYTES} for p, f in found.items()}
            right = {p: {k: f.get(k) for k in _BYTES} for p, f in wanted.items()}
            bad = sorted(path for path, facts in cut.items() if right.get(path) != facts)
            wrong += [f"{what}: {asked}: {path!r} is wrong, after {said}" for path in bad]
        elif found != wanted:
            wrong.append(f"{what}: {asked}: not what it was, and nothing was said")
    return wrong


def _restored(origin: Origin, place: Place, asked: str, target: Path) -> str | None:
    """What was said against the restored: nothing, or an error, or findings."""
    try:
        with Vault.from_store(place.url, origin.kit, profile=place.profile) as vault:
            request = RestoreRequest(what=asked, to=target, kit=origin.kit)
            report = vault.restore(request)
    except VaultError as error:
        return error.code
    if report.snapshot != (list(origin.trees)[-1] if asked == "db" else asked):
        return "older" if report.findings else None
    return "findings" if report.findings else None


def sampled(origin: Origin, share: float) -> list[tuple[str, Changes]]:
    """So much of all damage, drawn by the seed."""
    cases = list(damages(origin))
    cases.sort(key=lambda case: draw(f"{SEED} {case[0]}", 1 << 60))
    return cases[: round(len(cases) * share)]


def run(origin: Origin, place: Place, cases: list[tuple[str, Changes]], folder: Path) -> None:
    """One damage after the other, each put right again; all that went wrong at once."""
    assert check(origin, place, ("undamaged", {}), folder) == []
    wrong = []
    for what, changes in cases:
        for key, data in changes.items():
            place.put(key, data)
        wrong += check(origin, place, (what, changes), folder)
        # Snapshots are told apart by when they were stored: all are put back, in their order.
        for key in sorted({*changes, *(k for k in origin.objects if k.startswith("snapshots/"))}):
            place.put(key, origin.objects.get(key))
    assert wrong == [], f"VAULT_TEST_SEED={SEED}"


@pytest.mark.parametrize("share", [0.4, pytest.param(1, marks=pytest.mark.long)])
def test_in_a_directory(origin: Origin, tmp_path: Path, share: float) -> None:
    place = Folder(tmp_path / "store", origin.objects)
    run(origin, place, sampled(origin, share), tmp_path / "back")


@pytest.mark.rgw
@pytest.mark.parametrize("share", [0.1, pytest.param(1, marks=pytest.mark.long)])
def test_in_a_bucket(origin: Origin, rgw: Server, tmp_path: Path, share: float) -> None:
    place = Cloud(rgw, origin.objects)
    run(origin, place, sampled(origin, share), tmp_path / "back")
