"""Folders whose own entries are lost with a page: what lies in them and is intact comes back, by
vault and by scripts/rescue.py, and nothing is ever written outside of the target.
"""

from __future__ import annotations

import os
import runpy
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.damage.hostile import CONTENT, ELSEWHERE, Rogue, file, folder, symlink
from tests.fuzz import sealing
from tests.golden.reading import RESCUE, present
from vault.library import Vault
from vault.operations.items import RestoreRequest
from vault.operations.render import meant

ROTTEN = b"no page"
NO_PART = b"no part"
ROOT = folder(b"")


@dataclass(frozen=True)
class Case:
    """Pages, ROTTEN in the place of one, NO_PART in that of a part of their table; what is then
    made anew, and what else is there and is not.

    `lost` are paths that both name one by one, beside all that was in the page.
    """

    pages: tuple[Any, ...]
    remade: frozenset[bytes]
    there: frozenset[bytes]
    lost: frozenset[bytes] = frozenset()


def paths(*names: bytes) -> frozenset[bytes]:
    """The paths of a case."""
    return frozenset(names)


CASES = {
    "nested": Case(
        ([ROOT, folder(b"a")], ROTTEN, [file(b"a/b/c/f"), file(b"a/b/g"), folder(b"z")]),
        paths(b"a/b", b"a/b/c"),
        paths(b"", b"a", b"a/b/c/f", b"a/b/g", b"z"),
    ),
    "the root": Case(
        (ROTTEN, [file(b"a/f"), folder(b"b"), file(b"b/f")]),
        paths(b"", b"a"),
        paths(b"a/f", b"b", b"b/f"),
    ),
    "a part of the table": Case(
        ([ROOT, folder(b"a")], NO_PART, [file(b"a/b/c/f"), file(b"a/b/g")], [folder(b"z")]),
        paths(b"a/b", b"a/b/c"),
        paths(b"", b"a", b"a/b/c/f", b"a/b/g", b"z"),
    ),
    "the first part of the table, and a page": Case(
        (NO_PART, [file(b"a/f"), folder(b"b")], ROTTEN, [file(b"b/c/f")]),
        paths(b"", b"a", b"b/c"),
        paths(b"a/f", b"b", b"b/c/f"),
    ),
    "two gaps in one folder": Case(
        ([ROOT], ROTTEN, [file(b"d/f")], ROTTEN, [file(b"d/i/f"), file(b"d/j")]),
        paths(b"d", b"d/i"),
        paths(b"", b"d/f", b"d/i/f", b"d/j"),
    ),
    "a link to what was in a lost folder": Case(
        ([ROOT], ROTTEN, [file(b"d/f"), file(b"x", (), link=b"d/f"), file(b"y", (), link=b"d/e")]),
        paths(b"d"),
        paths(b"", b"d/f", b"x"),
        paths(b"y"),
    ),
    "a symlink in its place": Case(
        ([ROOT], ROTTEN, [symlink(b"s", b"../outside"), file(b"s/precious"), file(b"s/x/y")]),
        paths(),
        paths(b"", b"s"),
        paths(b"s/precious", b"s/x/y"),
    ),
    "a symlink in its place, before it is lost": Case(
        ([ROOT, symlink(b"s", b"../outside")], ROTTEN, [file(b"s/precious"), file(b"s/x/y")]),
        paths(),
        paths(b"", b"s"),
        paths(b"s/precious", b"s/x/y"),
    ),
    "a file in its place": Case(
        ([ROOT, file(b"x")], ROTTEN, [file(b"x/f"), file(b"y")]),
        paths(),
        paths(b"", b"x", b"y"),
        paths(b"x/f"),
    ),
    "no page is lost": Case(
        ([ROOT], [file(b"no/such/folder"), file(b"y")]),
        paths(),
        paths(b"", b"y"),
        paths(b"no/such/folder"),
    ),
}


@pytest.fixture
def rogue(tmp_path: Path) -> Rogue:
    """A vault, and beside it what no restore may touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("as it was")
    return Rogue(tmp_path)


def lay(rogue: Rogue, pages: tuple[Any, ...]) -> None:
    """A snapshot of these pages; of one that is rotten, only where it was is left."""
    parts, first = list[list[tuple[bytes, bytes]]]([[]]), b""
    for number, rows in enumerate(pages):
        if rows is NO_PART:
            parts += [[], []] if parts[-1] else [[]]
        elif rows is ROTTEN:
            parts[-1].append((first, b"%s %d" % (ROTTEN, number)))
        else:
            parts[-1].append((rows[0][0][0], rogue.page(rows)))
            first = rows[-1][0][0]
    rogue.of_parts(*parts)


def by_vault(rogue: Rogue, target: Path) -> tuple[set[bytes], set[bytes]]:
    """What it says that it made anew, and what it names as lost."""
    with Vault.from_store(rogue.url, rogue.kit) as vault:
        request = RestoreRequest(what=sealing.SNAPSHOT, to=target, kit=rogue.kit)
        findings = vault.restore(request).findings
    made = {meant(found.path) for found in findings if found.what == "folder-lost"}
    named = [found for found in findings if found.what == "not-restored"]
    lost = {meant(found.path) for found in named if not found.detail.startswith("owner: ")}
    return {path.removeprefix(b".") for path in made}, lost - {b""}


Rescue = Callable[[Rogue, Path], tuple[set[bytes], str]]


@pytest.fixture
def by_rescue(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rescue:
    """What scripts/rescue.py says that it made anew, and all that it says."""

    def rescue(rogue: Rogue, target: Path) -> tuple[set[bytes], str]:
        words = ("--store", rogue.url, "--kit", str(rogue.kit), "--snapshot", sealing.SNAPSHOT)
        monkeypatch.setattr("sys.argv", [str(RESCUE), *words, "--to", str(target)])
        with suppress(SystemExit):
            runpy.run_path(str(RESCUE), run_name="__main__")
        told = capsys.readouterr().err
        lines = [line.split("'") for line in told.splitlines() if "its own entry is lost" in line]
        return {os.fsencode(line[1]) for line in lines}, told

    return rescue


@pytest.mark.parametrize("name", CASES)
def test_what_is_intact_comes_back(rogue: Rogue, name: str, by_rescue: Rescue) -> None:
    """The folders are made for their owner alone, and named; nothing goes through a symlink."""
    case = CASES[name]
    lay(rogue, case.pages)
    one, other = rogue.root / "by-vault", rogue.root / "by-rescue"
    made, lost = by_vault(rogue, one)
    assert made == case.remade
    assert lost == case.lost
    made, told = by_rescue(rogue, other)
    assert made == case.remade, told
    assert all(f"not whole: '{path.decode()}'" in told for path in case.lost)
    for target in (one, other):
        assert present(target) == case.remade | case.there
        for path in case.remade:
            info = os.lstat(os.path.join(os.fsencode(target), path))
            assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o700, os.geteuid())
        for found in target.rglob("f"):
            assert found.read_bytes() == CONTENT[:10]
    assert (rogue.root / "outside" / "precious").read_text() == "as it was"
    assert os.listdir(rogue.root / "outside") == ["precious"]


_PATHS = (
    *(b"../outside/x", b"..", b".", b"a/../../outside/x", b"/etc/hostile/x", b"//x", b"x/"),
    *(b"x\0y/z", b"a//b", b"./x", b"n" * 300 + b"/x", b"../new/x"),
)


@pytest.mark.parametrize("path", _PATHS, ids=lambda path: repr(path[:20]))
def test_paths_behind_a_lost_page_are_looked_at_as_closely(
    rogue: Rogue, path: bytes, by_rescue: Rescue
) -> None:
    """No folder is made for one that leads out of the target, or that no walk yields."""
    lay(rogue, ([ROOT], ROTTEN, [file(path), file(b"zz-sound")]))
    one, other = rogue.root / "by-vault", rogue.root / "by-rescue"
    by_vault(rogue, one)
    by_rescue(rogue, other)
    assert present(one) - {b"a", b"x"} == present(other) - {b"a", b"x"} == {b"", b"zz-sound"}
    assert not any(map(os.path.lexists, ELSEWHERE))
    assert set(os.listdir(rogue.root)) == {
        *("outside", "store", "recovery.kit", "by-vault", "by-rescue")
    }
    assert os.listdir(rogue.root / "outside") == ["precious"]
