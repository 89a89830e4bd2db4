"""The local index: right, or forgetful, and never wrong."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.repository.founding import LOCK
from vault.errors import RepositoryError
from vault.repository.index import IndexedPack, LocalIndex
from vault.repository.pack import ChunkPlace, PackedChunk, PackHead

WRITE_FOREVER = """
import itertools, sys
from pathlib import Path
from tests.unit.repository.test_index import pack
from vault.repository.index import LocalIndex
index = LocalIndex(Path(sys.argv[1]))
for n in itertools.count():
    index.add_pack(pack(n))
    print(n, flush=True)
"""


def pack(n: int, chunks: int = 3, version: str = "v1") -> IndexedPack:
    """A pack whose ids follow from its number."""
    rng = random.Random(n)
    head = PackHead(rng.randbytes(32), "sess_" + "0" * 26, rng.randbytes(32))
    places = tuple(
        PackedChunk(rng.randbytes(32), i % 3, ChunkPlace(head.digest, i, 89 + i, 20, 4, i % 2 == 0))
        for i in range(chunks)
    )
    return IndexedPack(head, places, version, LOCK)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LocalIndex]:
    """A fresh one."""
    index = LocalIndex(tmp_path / "index.db")
    yield index
    index.close()


def assert_found(index: LocalIndex, known: IndexedPack) -> None:
    """All of its chunks are known, by their own kind only."""
    for chunk in known.chunks:
        assert index.find(chunk.chunk_id, chunk.kind) == (known.head, chunk.place)
        assert index.find(chunk.chunk_id, chunk.kind + 1) is None


def test_what_was_added_is_found(index: LocalIndex, tmp_path: Path) -> None:
    """By this object and by the next one."""
    assert index.find(bytes(32), 0) is None
    index.add_pack(pack(1))
    assert_found(index, pack(1))
    digest = pack(1).head.digest
    assert (index.version(digest), index.locked_until(digest)) == ("v1", LOCK)
    index.close()
    again = LocalIndex(tmp_path / "index.db")
    assert_found(again, pack(1))
    again.close()


def test_locks_only_grow(index: LocalIndex) -> None:
    """As in the store; what is unknown stays so."""
    index.add_pack(pack(1))
    digest, later = pack(1).head.digest, LOCK + timedelta(days=10)
    index.set_locked(digest, later)
    index.set_locked(digest, LOCK)
    index.add_pack(pack(1))
    assert index.locked_until(digest) == later
    index.set_locked(bytes(32), later)
    assert index.locked_until(bytes(32)) is None
    assert index.version(bytes(32)) is None


def test_a_forgotten_pack_takes_its_chunks_along(index: LocalIndex) -> None:
    """And others stay; stored anew, they are found at their new place."""
    index.add_pack(pack(1))
    index.add_pack(pack(2))
    index.forget_pack(pack(1).head.digest)
    assert all(index.find(chunk.chunk_id, chunk.kind) is None for chunk in pack(1).chunks)
    assert_found(index, pack(2))
    index.add_pack(pack(1, version="v2"))
    assert_found(index, pack(1))
    assert index.version(pack(1).head.digest) == "v2"


def test_objects_are_loaded_whole_or_not_at_all(index: LocalIndex) -> None:
    """An error on the way leaves nothing behind."""

    def broken() -> Iterator[IndexedPack]:
        yield pack(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        index.load_object("index/a", broken())
    assert index.find(pack(1).chunks[0].chunk_id, 0) is None
    assert index.known_objects() == frozenset()
    index.load_object("index/a", [pack(1), pack(2)])
    assert index.known_objects() == {"index/a"}
    assert_found(index, pack(2))


def test_another_owner_begins_anew(index: LocalIndex) -> None:
    """What one store holds, another may not."""
    index.claim("one")
    index.add_pack(pack(1))
    index.claim("one")
    assert_found(index, pack(1))
    index.claim("other")
    assert index.locked_until(pack(1).head.digest) is None
    index.claim("other")


@pytest.mark.parametrize("junk", [b"", b"junk" * 1000, b"SQLite format 3\0" + bytes(5000)])
def test_a_file_that_is_no_index_is_replaced(tmp_path: Path, junk: bytes) -> None:
    """Whatever it is."""
    path = tmp_path / "index.db"
    path.write_bytes(junk)
    index = LocalIndex(path)
    index.add_pack(pack(1))
    assert_found(index, pack(1))
    index.close()


def test_a_newer_layout_is_replaced(tmp_path: Path) -> None:
    """It is a cache."""
    path = tmp_path / "index.db"
    LocalIndex(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    index = LocalIndex(path)
    index.add_pack(pack(1))
    assert_found(index, pack(1))
    index.close()


@pytest.mark.parametrize("seed", range(100))
def test_damage_anywhere_gives_no_wrong_answer(tmp_path: Path, seed: int) -> None:
    """Bits flipped all over the file: a right answer, or none; and it works on."""
    path = tmp_path / "index.db"
    index = LocalIndex(path)
    packs = [pack(n, chunks=20) for n in range(10)]
    for known in packs:
        index.add_pack(known)
    index.close()
    rng, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 5, 200))):
        data[rng.randrange(100, len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    index = LocalIndex(path)
    for known in packs:
        assert index.locked_until(known.head.digest) in (None, LOCK)
        for chunk in known.chunks:
            assert index.find(chunk.chunk_id, chunk.kind) in (None, (known.head, chunk.place))
    index.add_pack(pack(99))
    assert_found(index, pack(99))
    index.close()


def test_a_place_that_cannot_hold_it_says_so(tmp_path: Path) -> None:
    """Not as an error of SQLite."""
    (tmp_path / "index.db").mkdir()
    with pytest.raises(RepositoryError, match=r"index\.db"):
        LocalIndex(tmp_path / "index.db")


def test_any_thread_may_call(index: LocalIndex) -> None:
    """Look-ups and additions at once."""

    def work(n: int) -> None:
        index.add_pack(pack(n))
        assert_found(index, pack(n))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(100)))
    for n in range(100):
        assert_found(index, pack(n))


def test_two_processes_may_share_it(tmp_path: Path) -> None:
    """One sees what the other has added."""
    one, two = LocalIndex(tmp_path / "index.db"), LocalIndex(tmp_path / "index.db")
    for n in range(20):
        (one, two)[n % 2].add_pack(pack(n))
    assert_found(one, pack(19))
    assert_found(two, pack(18))
    one.close()
    two.close()


def test_kill_leaves_what_was_committed(tmp_path: Path) -> None:
    """At any instant."""
    path = tmp_path / "index.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        seen = -1
        for line in process.stdout:
            seen = int(line)
            if seen >= 25:
                process.send_signal(signal.SIGKILL)
                break
    index = LocalIndex(path)
    for n in range(seen + 1):
        assert_found(index, pack(n))
    index.close()
