"""The local copy of a volume's last manifest."""

from __future__ import annotations

import errno
import io
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.codec.damage import damaged
from tests.unit.repository.founding import VAULT, WRITER
from tests.unit.repository.test_pages import cut, files
from vault.codec.keyring import WriterKeys
from vault.repository.baseline import BaselineWriter, compressed, read_baseline
from vault.repository.manifest import StoredEntry
from vault.repository.pages import read_page

KEYS = WriterKeys(VAULT, "host", WRITER, b"k" * 32, b"i" * 32)
SNAPSHOT = "snap_01kzzzzzzzzzzzzzzzzzzzzzz1"
STORED = files(1500)


def write(path: Path, snapshot: str = SNAPSHOT) -> BaselineWriter:
    """A baseline of STORED, not yet made current."""
    writer = BaselineWriter(path, KEYS, snapshot)
    for page in cut(STORED):
        writer.append(compressed(page.body))
    return writer


def read(path: Path, snapshot: str = SNAPSHOT) -> list[StoredEntry] | None:
    """What is remembered."""
    frames = read_baseline(path, KEYS, snapshot)
    if frames is None:
        return None
    with closing(frames):
        return [row for frame in frames for row in read_page(frame.body)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a whole baseline."""
    path = tmp_path_factory.mktemp("whole") / "v.baseline"
    write(path).commit()
    return path.read_bytes()


def test_a_committed_baseline_is_read_back(tmp_path: Path) -> None:
    """Entry by entry; the draft is gone."""
    path = tmp_path / "deep" / "v.baseline"
    write(path).commit()
    assert read(path) == STORED
    assert [file.name for file in path.parent.iterdir()] == ["v.baseline"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_before_the_commit_the_former_one_holds(tmp_path: Path) -> None:
    """Also where the new one is given up."""
    path = tmp_path / "v.baseline"
    write(path).commit()
    later = write(path, "snap_01kzzzzzzzzzzzzzzzzzzzzzz2")
    assert read(path) == STORED
    later.discard()
    assert read(path) == STORED
    assert [file.name for file in tmp_path.iterdir()] == ["v.baseline"]


def test_leftovers_of_a_crash_go_with_the_next_commit(tmp_path: Path) -> None:
    """A killed process leaves its draft behind."""
    path = tmp_path / "v.baseline"
    write(path, "snap_01kzzzzzzzzzzzzzzzzzzzzzz0")
    write(path).commit()
    assert [file.name for file in tmp_path.iterdir()] == ["v.baseline"]


def test_another_snapshots_baseline_is_none(tmp_path: Path) -> None:
    """It is only good for the parent that it was made with."""
    path = tmp_path / "v.baseline"
    assert read(path) is None
    write(path).commit()
    assert read(path, SNAPSHOT[:-1] + "2") is None


def test_another_writers_baseline_says_nothing(tmp_path: Path) -> None:
    """It is sealed under the writer's index key."""
    path = tmp_path / "v.baseline"
    write(path).commit()
    entries = read_baseline(path, WriterKeys(VAULT, "h", WRITER, b"k" * 32, b"o" * 32), SNAPSHOT)
    assert entries is not None
    with closing(entries):
        assert list(entries) == []


def test_names_cannot_be_read_without_the_key(whole: bytes) -> None:
    """Neither paths nor ids stand in the open."""
    assert STORED[0].path not in whole
    assert STORED[0].extents[0].chunk.chunk_id not in whole


@given(st.data())
def test_damage_ends_it_early_and_changes_nothing(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """What is read of a damaged one is a beginning of the whole one."""
    path = tmp_path_factory.mktemp("damaged") / "v.baseline"
    path.write_bytes(data.draw(damaged(whole)))
    entries = read(path)
    assert entries is None or entries == STORED[: len(entries)]


class _Failing(io.BytesIO):
    """A file on a disk that fails from some byte on."""

    good = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > self.good:
            raise OSError(errno.EIO, "Input/output error")
        return data


@pytest.mark.parametrize("good", [0, 60, 75, 100, 100_000])
def test_a_disk_that_fails_ends_it_early(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: int
) -> None:
    """A cache that cannot be read keeps nothing from being captured."""
    file = _Failing(whole)
    file.good = good
    monkeypatch.setattr(Path, "open", lambda *_: file)
    entries = read(tmp_path / "v.baseline")
    assert entries is None or entries == STORED[: len(entries)]
    assert file.closed


def test_a_full_disk_costs_the_baseline_only(tmp_path: Path) -> None:
    """The former one stays; nothing is raised."""
    path = tmp_path / "v.baseline"
    write(path).commit()
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    lost = BaselineWriter(blocked / "v.baseline", KEYS, SNAPSHOT)
    lost.append(compressed(b"page"))
    lost.commit()
    lost.discard()
    assert read(path) == STORED
