"""P6: however many versions and markers lie over a key, reading takes bounded memory and calls.

The crowd is told by the store's listing and held nowhere: to lay it on a real server takes hours.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from tests.promises.embedded import Embedded, embed
from vault.errors import ObjectMissing
from vault.library import Vault
from vault.operations.items import RestoreRequest
from vault.store.contract import ObjectVersion
from vault.store.directory import DirectoryStore
from vault.testing.trees import read_tree

CROWD: Final = 100_000
"""Versions, and as many markers."""
PASSES: Final = 4
"""Of the whole crowd, by a restore or a verification."""
READS: Final = 4
MEMORY: Final = 500_000
"""Bytes more than without the crowd."""


@pytest.fixture
def site(tmp_path: Path) -> Embedded:
    """A vault with a snapshot."""
    site = embed(tmp_path / "site")
    with site.vault() as vault:
        vault.snapshot("db")
    return site


def restored(site: Embedded, to: Path) -> None:
    """From store and kit alone, and equal."""
    kit = site.home / "recovery.kit"
    with Vault.from_store(f"file://{site.store}?immutable=no", kit) as vault:
        report = vault.restore(RestoreRequest(what="db", to=to, kit=kit))
    assert report.findings == ()
    assert read_tree(to) == read_tree(site.source)


def verified(site: Embedded) -> set[tuple[str, str]]:
    """What a verification finds."""
    with site.vault() as vault:
        return {(found.what, found.path) for found in vault.verify(deep=True).findings}


def bury(patch: pytest.MonkeyPatch, key: str) -> Counter[str]:
    """Let a crowd lie over a key, as a bucket would tell it; counts calls, and passes of it all."""
    calls = Counter[str]()
    plain_list, plain_get = DirectoryStore.list, DirectoryStore.get

    def listed(store: DirectoryStore, prefix: str) -> Iterator[ObjectVersion]:
        calls["list"] += 1
        for version in plain_list(store, prefix):
            if version.key != key:
                yield version
                continue
            later = version.modified + timedelta(seconds=1)
            for n in range(2 * CROWD):
                yield ObjectVersion(key, f"crowd-{n}", version.size, later, n % 2 == 0, n == 0)
            calls["passes"] += 1
            yield replace(version, latest=False)

    def got(store: DirectoryStore, name: str, *words: Any, version: str | None = None) -> bytes:
        calls["get"] += 1
        if name == key and version is None:
            raise ObjectMissing(f"{key} is hidden by a marker")
        if version is not None and version.startswith("crowd-"):
            return b"of the crowd"
        return plain_get(store, name, *words, version=version)

    patch.setattr(DirectoryStore, "list", listed)
    patch.setattr(DirectoryStore, "get", got)
    return calls


def measured(calls: Counter[str], work: Callable[[], object]) -> tuple[object, Counter[str], int]:
    """What it gave, the calls that it made, and its peak of memory."""
    calls.clear()
    tracemalloc.start()
    try:
        given = work()
        return given, calls.copy(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


_SOME: Final = ("packs", "snapshots")
_LONG: Final = [
    pytest.param(kind, marks=pytest.mark.long) for kind in ("charter", "keys", "events", "audit")
]


@pytest.mark.parametrize("kind", [*_SOME, *_LONG])
def test_a_crowd_costs_passes_and_no_room(site: Embedded, tmp_path: Path, kind: str) -> None:
    """Of a restore, which is equal, and a verification, which names the crowd and nothing else."""
    root = site.store / "objects"
    key = min(p.relative_to(root).as_posix() for p in (root / kind).rglob("*") if p.is_file())
    works: dict[str, Callable[[], object]] = {
        "restore": lambda: restored(site, tmp_path / str(len(list(tmp_path.iterdir())))),
        "verify": lambda: verified(site),
    }
    for work in works.values():
        work()  # what is loaded once is there
    with pytest.MonkeyPatch.context() as patch:
        calls = bury(patch, "none")
        plain = {name: measured(calls, work) for name, work in works.items()}
    with pytest.MonkeyPatch.context() as patch:
        calls = bury(patch, key)
        buried = {name: measured(calls, work) for name, work in works.items()}
    assert plain["verify"][0] == set()
    assert buried["verify"][0] == {("marker", key), ("overwritten", key)}
    for name, (_, made, peak) in buried.items():
        _, before, room = plain[name]
        assert made["passes"] <= PASSES
        assert made["get"] <= before["get"] + READS
        assert made["list"] <= before["list"] + READS
        assert peak <= room + MEMORY
