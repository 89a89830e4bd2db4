"""Repositories that are well sealed and hostile: nothing outside the target is touched, no process
swells or hangs, and what is sound is restored.

The writer was admitted by the charter, so all signatures and seals are good. The same is asked of
scripts/rescue.py.
"""

from __future__ import annotations

import ast
import io
import os
import re
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.damage.hostile import CONTENT, ELSEWHERE, PAGE, TABLE, Rogue, file, folder, symlink
from tests.fuzz import sealing
from tests.golden.reading import RESCUE, present
from vault.library import Vault
from vault.operations.items import RestoreRequest
from vault.operations.render import meant

ROOT: Final = folder(b"")
SOUND: Final = file(b"zz-sound")
MEMORY: Final = 450 << 10
"""KiB that reading the worst page may take: 16 MiB of it, in Python's own objects."""


@pytest.fixture
def rogue(tmp_path: Path) -> Rogue:
    """A vault, and beside it what no restore may touch."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("as it was")
    (outside / "precious").chmod(0o640)
    return Rogue(tmp_path)


def untouched(root: Path) -> bool:
    """Whether all beside the targets is as it was, and nothing stands at the system's root."""
    precious = root / "outside" / "precious"
    held = precious.stat()
    return (
        not any(map(os.path.lexists, ELSEWHERE))
        and set(os.listdir(root)) <= {"outside", "store", "recovery.kit", "by-vault", "by-rescue"}
        and os.listdir(root / "outside") == ["precious"]
        and precious.read_text() == "as it was"
        and (stat.S_IMODE(held.st_mode), held.st_nlink) == (0o640, 1)
    )


def restored(rogue: Rogue) -> tuple[tuple[set[bytes], set[bytes]], tuple[set[bytes], set[bytes]]]:
    """What is there afterwards, and what each said is not: the library, and rescue.py."""
    targets = rogue.root / "by-vault", rogue.root / "by-rescue"
    with Vault.from_store(rogue.url, rogue.kit) as vault:
        request = RestoreRequest(what=sealing.SNAPSHOT, to=targets[0], kit=rogue.kit)
        report = vault.restore(request)
    assert {found.what for found in report.findings} == {"not-restored"}
    told = {meant(found.path) for found in report.findings}
    words = ("--store", rogue.url, "--kit", str(rogue.kit), "--snapshot", sealing.SNAPSHOT)
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said):
        patch.setattr("sys.argv", [str(RESCUE), *words, "--to", str(targets[1])])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(RESCUE), run_name="__main__")
    lines = said.getvalue().splitlines()
    named = {ast.literal_eval(line[1]) for line in map(_NOT_WHOLE.match, lines) if line}
    assert end.value.code == (3 if lines else 0)
    return (present(targets[0]), present(targets[1])), (told, {*map(os.fsencode, named)})


_NOT_WHOLE: Final = re.compile("not whole: ('.*?'|\".*?\"): ")


_PATHS: Final = (
    *(b"../outside/x", b"..", b".", b"a/../../outside/x", b"/etc/hostile", b"//x", b"x/"),
    *(b"x\0y", b"a//b", b"./x", b"n" * 300, b"no/such/folder", b"x/" * 3000 + b"x"),
)


@pytest.mark.parametrize("path", _PATHS, ids=lambda path: repr(path[:20]))
def test_paths(rogue: Rogue, path: bytes) -> None:
    """That no walk yields, or no file system holds, are named; the rest is restored."""
    there, told = restored(rogue.of(ROOT, file(path), SOUND))
    assert there == ({b"", b"zz-sound"},) * 2
    assert told == ({path},) * 2
    assert untouched(rogue.root)


_HUGE: Final = 2**63 - 1
_ENTRIES: Final[dict[str, Callable[[bytes], list[Any]]]] = {
    "a symlink as a folder": lambda out: [symlink(b"s", out), file(b"s/precious"), file(b"s/x")],
    "a link to outside": lambda out: [file(b"x", link=out + b"/precious")],
    "a link up": lambda out: [file(b"x", link=b"../outside/precious")],
    "a link through a symlink": lambda out: [symlink(b"s", out), file(b"x", link=b"s/precious")],
    "a link to itself": lambda out: [file(b"x", link=b"x")],
    "a link to a folder": lambda out: [folder(b"d"), file(b"x", link=b"d")],
    "a path twice": lambda out: [file(b"x"), file(b"x", ((0, 10, 10),))],
    "a file as a folder": lambda out: [file(b"x"), file(b"x/y")],
    "a file after a symlink": lambda out: [symlink(b"x", out + b"/precious"), file(b"x")],
    "the wrong order": lambda out: [folder(b"d"), file(b"d/x"), file(b"c")],
    "a size too large": lambda out: [file(b"x", size=11)],
    "a size too small": lambda out: [file(b"x", size=9)],
    "a size below nothing": lambda out: [file(b"x", size=-1)],
    "a size beyond all": lambda out: [file(b"x", size=_HUGE)],
    "an extent beyond its chunk": lambda out: [file(b"x", ((0, len(CONTENT), 10),))],
    "an extent before its chunk": lambda out: [file(b"x", ((0, -10, 10),))],
    "an extent that is huge": lambda out: [file(b"x", ((0, 0, _HUGE),), size=_HUGE)],
    "an extent below nothing": lambda out: [file(b"x", ((0, 5, -5),))],
    "segments that overlap": lambda out: [file(b"x", segments=[[0, 6], [4, 4]])],
    "segments beyond the end": lambda out: [file(b"x", segments=[[_HUGE, 10]])],
    "a kind that is none": lambda out: [file(b"x", kind=9)],
    "a name of attributes with NUL": lambda out: [file(b"x", xattrs=[[b"user.\0", b""]])],
    "an owner that is none": lambda out: [
        [[b"x", 0, 420, -1, 2**32 - 1, *file(b"")[0][5:]], [], 0, 1]
    ],
}


_NAMED: Final = {
    "a symlink as a folder": {b"s/precious", b"s/x"},
    "a file as a folder": {b"x/y"},
    "the wrong order": {b"c"},
}
"""What is lost of each; of all others it is `x`."""
_BELIEVED: Final = {"the wrong order", "a size too small", "a kind that is none"}
"""What rescue.py restores as far as it is told, and says nothing of."""


@pytest.mark.parametrize("malice", _ENTRIES)
def test_entries(rogue: Rogue, malice: str) -> None:
    """That lie about what they are, are named; the rest is restored."""
    rows: list[Any] = _ENTRIES[malice](os.fsencode(rogue.root / "outside"))
    there, told = restored(rogue.of(ROOT, *rows, SOUND))
    lost = _NAMED.get(malice, {b"x"})
    assert told == (lost, set() if malice in _BELIEVED else lost)
    assert b"zz-sound" in there[0] & there[1]
    assert {b"s/x", b"s/precious", b"x/y", b"c"}.isdisjoint(there[0])
    assert untouched(rogue.root)
    for target in ("by-vault", "by-rescue"):
        place = rogue.root / target / "x"
        if place.is_file() and not place.is_symlink():
            assert CONTENT.startswith(place.read_bytes().rstrip(b"\0"))


def test_names_that_only_look_alike(rogue: Rogue) -> None:
    """Case and composition tell files apart; what a terminal would obey is only a name."""
    names = (b"A", "e\u0301".encode(), b"a", b"new\nline", b"\x1b[2J", "é".encode(), b"\xff")
    rows = [file(name) for name in sorted(names)]
    there, told = restored(rogue.of(ROOT, *rows, file(b"zz/lost")))
    assert there == ({b"", *names},) * 2
    assert told == ({b"zz/lost"},) * 2


def test_parts_of_two_files_make_none(rogue: Rogue) -> None:
    """What lay between them is lost with a page."""
    begun, ended = (
        [file(name, size=20)[0], [(0, 0, 10)], n, 2] for n, name in enumerate((b"a", b"b"))
    )
    pages = rogue.page([ROOT, begun]), b"no page", rogue.page([ended, SOUND])
    there, told = restored(rogue.of_pages(*zip((b"", b"a", b"b"), pages, strict=True)))
    assert there == ({b"", b"zz-sound"},) * 2
    assert told == ({b""}, set())


def nested(levels: int) -> bytes:
    """MessagePack of lists in lists."""
    return b"\x91" * levels + b"\x90"


def of_page(rogue: Rogue, body: bytes) -> None:
    """A snapshot of a sound page and, behind it, one of these bytes."""
    rogue.of_pages((b"", rogue.page([ROOT, file(b"a")])), (b"b", body))


def repeated(rogue: Rogue) -> None:
    """A table of very many parts that are one, of very many pages that are one."""
    page = rogue.pack([rogue.page([ROOT, file(b"a")])], PAGE).refs[0]
    rogue.snapshot([rogue.table([(b"", page)] * 50_000)] * 1000)


def in_circles(rogue: Rogue) -> None:
    """A table that names the data and itself where pages should be."""
    page = rogue.pack([rogue.page([ROOT, file(b"a")])], PAGE).refs[0]
    inner = rogue.table([(b"c", rogue.data.refs[0])])
    rogue.snapshot([rogue.table([(b"", page), (b"b", rogue.data.refs[0]), (b"d", inner)]), inner])


def bomb(payload: bytes, size: int) -> Callable[[Rogue], None]:
    """A sound page, and one that expands to more than it says."""

    def lay(rogue: Rogue) -> None:
        sound = rogue.pack([rogue.page([ROOT, file(b"a")])], PAGE).refs[0]
        packed = rogue.keep(sealing.pack([(b"x", payload, size, True)], kind=PAGE)).refs[0]
        rogue.snapshot([rogue.table([(b"", sound), (b"b", packed)])])

    return lay


def bomb_table(rogue: Rogue) -> None:
    """A page table that announces a terabyte."""
    packed = sealing.pack([(b"x", FRAME_OF_A_TERABYTE, 1 << 20, True)], kind=TABLE)
    rogue.snapshot(rogue.keep(packed).refs)


FRAME_OF_A_TERABYTE: Final = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x03\0\0"


@dataclass(frozen=True)
class Hollow:
    """What is laid, what the library says of it, and with what rescue.py begins.

    Where `looks`, the library lists and does not restore.
    """

    lay: Callable[[Rogue], None]
    told: str = "2 written, 1 findings: not-restored"
    rescued: str = "the entries from 'b' on: "
    looks: bool = False


def many(count: int, row: Callable[[int], Any]) -> Callable[[Rogue], None]:
    """A page of very many rows."""
    return lambda rogue: of_page(rogue, rogue.page(row(number) for number in range(count)))


_HOLLOW: Final = {
    "a table that repeats pages": Hollow(repeated, rescued="the entries after 'a': "),
    "a table that goes in circles": Hollow(in_circles),
    "a page of a terabyte": Hollow(bomb(FRAME_OF_A_TERABYTE, 1 << 20)),
    "a page of zeros": Hollow(bomb(FRAME_OF_A_TERABYTE, 1 << 40)),
    "a table of a terabyte": Hollow(
        bomb_table, "0 written, 1 findings: not-restored", "the entries after '': "
    ),
    "a deeply nested page": Hollow(lambda rogue: of_page(rogue, nested(1_000_000))),
    "a page that announces 2^32 rows": Hollow(
        lambda rogue: of_page(rogue, b"\x93\x90\x90\xdd\xff\xff\xff\xff")
    ),
    "a page of very many rows": Hollow(
        many(300_000, lambda number: [[b"b%06d" % number, 0, 420, 0, 0, 5], []]),
        "300002 entries",
        looks=True,
    ),
    "a page of very many files that are one": Hollow(
        many(100_000, lambda _: file(b"b", (), link=b"n")), "100002 entries", "'b': ", looks=True
    ),
    "a page of four million extents": Hollow(
        many(470, lambda number: file(b"b%06d" % number, [(0, 0, 0)] * 8192)),
        "472 entries",
        "'b000000': ",
        looks=True,
    ),
    "a row of four million extents": Hollow(many(1, lambda _: file(b"b", [(0, 0, 0)] * 3_900_000))),
    "a page of very many paths that are one": Hollow(
        many(100_000, lambda _: [[b"../b", 0, 420, 0, 0, 5], []]),
        "2 written, 10001 findings: not-restored",
    ),
}


@pytest.mark.parametrize("malice", _HOLLOW)
def test_neither_memory_nor_patience_ends(rogue: Rogue, malice: str) -> None:
    """In processes of their own; the sound page before it is restored."""
    case = _HOLLOW[malice]
    case.lay(rogue)
    words = (rogue.url, str(rogue.kit), sealing.SNAPSHOT)
    targets = [rogue.root / "by-vault", rogue.root / "by-rescue"]
    told, _ = in_a_child(*words, "ls" if case.looks else str(targets[0]))
    assert told == case.told
    told, said = in_a_child(str(RESCUE), *words, str(targets[1]))
    assert told == "status 3"
    assert said.startswith(f"not whole: {case.rescued}")
    for target in targets[case.looks :]:
        if malice != "a table of a terabyte":
            assert (target / "a").read_bytes() == CONTENT[:10]
    assert untouched(rogue.root)


def in_a_child(*words: str) -> tuple[str, str]:
    """What a process of bounded time and memory told, and its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.damage.child", *words],
        cwd=RESCUE.parents[1],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, peak = done.stdout.splitlines()
    assert int(peak) < MEMORY, told
    return told, done.stderr
