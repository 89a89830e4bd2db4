"""The protocol, checked exhaustively by spin within the bounds that the model states."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.model.tables import MODEL, expected, stated

_SUMMARY: Final = re.compile(r"errors: (\d+)\n\s*(\d+) states, stored")
_SMALL: Final = ("DELETES=1", "END=2")
_DEEP: Final = "1000000"

# What the code checks, and what spin is to find where it does not.
FAULTS: Final = {
    "GUARD_WINDOW_STORE": "since",
    "GUARD_HOLD": "told_held",
    "GUARD_NOTHING_NEW": "told_held",
    "GUARD_HELD_IN_TIME": "told_held",
    "GUARD_FINAL_LOCK": "p_locked",
    "GUARD_NEWEST": "(closed|purged)",
    "GUARD_CLOSED": "closed",
    "GUARD_NEEDED": "snapshot",
    "GUARD_FRESH": "snapshot",
    "GUARD_LAPSED": "(snapshot|pack)",
    "GUARD_RENAME": "undeleted",
    "GUARD_BORN_LOCKED": "pack",
}
_TAKEN_BACK: Final = "        :: atomic { where == IN_PLACE -> goto idle }\n"
_NEVER_SO: Final = ("GUARD_NEWEST", "GUARD_CLOSED", "GUARD_NEEDED")


@pytest.fixture(scope="session", autouse=True)
def spin() -> None:
    """Debian's spin, which needs a C compiler."""
    missing = [name for name in ("spin", "gcc") if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"the model cannot be checked without {' and '.join(missing)}")
    if missing:
        pytest.skip(f"the model is not checked: apt-get install {' '.join(missing)}")


def check(
    folder: Path, *bounds: str, model: str | None = None, fair: bool = False
) -> tuple[int, int, str]:
    """Errors, states, and what spin said, of the model within bounds."""
    text = MODEL.read_text("utf-8") if model is None else model
    (folder / "vault.pml").write_text(text, "utf-8")
    _run(folder, "spin", "-a", *(f"-D{bound}" for bound in bounds), "vault.pml")
    kind = ("-DNFAIR=3",) if fair else ("-DSAFETY",)
    _run(
        folder,
        "gcc",
        "-O1" if model is None else "-O0",
        "-w",
        "-DCOLLAPSE",
        "-DMEMLIM=8000",
        *kind,
        "-o",
        "pan",
        "pan.c",
    )
    words = ("-a", "-f") if fair else ()
    said = _run(folder, "./pan", "-n", f"-m{_DEEP}", *words)
    found = _SUMMARY.search(said)
    assert found is not None, said
    assert "not completed" not in said or int(found[1]), said
    return int(found[1]), int(found[2]), said


def test_the_model_has_the_table_of_the_code() -> None:
    """`python -m tests.model.tables` writes it."""
    assert stated(MODEL.read_text("utf-8")) == expected()


def test_every_promise_holds_with_three_processes(tmp_path: Path) -> None:
    errors, states, said = check(tmp_path, *_SMALL, "OPS=1")
    assert errors == 0, said
    assert states > 900_000


def test_holds_and_undeletes_meet_a_purge(tmp_path: Path) -> None:
    errors, states, said = check(tmp_path, *_SMALL, "OPS=2", "WITHOUT_COLLECTOR")
    assert errors == 0, said
    assert states > 500_000


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "bounds",
    [("DELETES=1", "END=3", "OPS=2"), ("DELETES=2", "END=2", "OPS=1")],
    ids=" ".join,
)
def test_every_promise_holds_within_wider_bounds(tmp_path: Path, bounds: tuple[str, ...]) -> None:
    errors, _, said = check(tmp_path, *bounds)
    assert errors == 0, said


def test_once_all_is_calm_every_tombstone_comes_to_its_end(tmp_path: Path) -> None:
    """What lapsed and nobody holds is purged; nothing waits for ever."""
    bounds = (*_SMALL, "OPS=1", "WITHOUT_COLLECTOR", "LIVENESS")
    errors, _, said = check(tmp_path, *bounds, fair=True)
    assert errors == 0, said


def test_nobody_waits_for_ever_where_nobody_is_killed(tmp_path: Path) -> None:
    """Where somebody did, spin would end in a state that is no process's end."""
    errors, states, said = check(tmp_path, *_SMALL, "OPS=1", "UNDISTURBED")
    assert errors == 0, said
    assert states > 200_000


def test_who_waits_for_ever_is_found(tmp_path: Path) -> None:
    """A purger that does not expect that an undelete came between."""
    head, decide, tail = MODEL.read_text("utf-8").partition("decide: if\n")
    assert _TAKEN_BACK in tail
    text = head + decide + tail.replace(_TAKEN_BACK, "", 1)
    errors, _, said = check(tmp_path, *_SMALL, "OPS=1", "UNDISTURBED", model=text)
    assert errors == 1, said
    assert "invalid end state" in said


@pytest.mark.parametrize("guard", FAULTS)
def test_the_model_fails_without_a_guard(tmp_path: Path, guard: str) -> None:
    without = without_guard(guard)
    bounds = (*_SMALL, "OPS=1")
    errors, _, said = check(tmp_path, *bounds, model=without)
    assert errors == 1, said
    assert re.search(f"assertion violated.*{FAULTS[guard]}", said), said


@pytest.mark.long
def test_the_model_fails_where_a_late_purge_does_not_look_again(tmp_path: Path) -> None:
    bounds = ("DELETES=2", "END=2", "OPS=1", "WITHOUT_COLLECTOR")
    errors, _, said = check(tmp_path, *bounds, model=without_guard("GUARD_NOT_UNDELETED"))
    assert errors == 1, said
    assert "undeleted" in said


def without_guard(guard: str) -> str:
    """The model, in which a check always says yes (or, of what is wanted, no)."""
    value = "false" if guard in _NEVER_SO else "true"
    text, count = re.subn(
        rf"(#define {guard}(?:\(lock\))?) .*", rf"\1 {value}", MODEL.read_text("utf-8")
    )
    assert count == 1
    return text


def _run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=3600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
