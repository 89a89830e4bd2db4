"""What a terminal is shown, and what a pipe gets: the same texts, cut for the one alone."""

from __future__ import annotations

import errno
import io
import json

import pytest

from tests.unit.cli.conftest import tombstone
from vault.cli.output import Output

COLUMNS = ("id", "volume", "reason")


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        """See TextIO."""
        return True


class Full(io.StringIO):
    """Takes nothing."""

    def write(self, _text: str) -> int:
        """See TextIO."""
        raise OSError(errno.ENOSPC, "no space left on device")


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of eighty columns without colours."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    return Terminal()


def _shown(file: io.StringIO, *volumes: str) -> list[str]:
    rows = [tombstone(volume=name, reason="moved to another host") for name in volumes]
    Output(as_json=False, out=file).table("tombstones", rows, COLUMNS, "nothing")
    return file.getvalue().splitlines()


def test_a_pipe_gets_every_column_whole() -> None:
    """However long they are: programs and logs have no width."""
    long = "v" * 300
    assert _shown(io.StringIO(), long, "b") == [
        f"Id       {'Volume':<300}  Reason",
        f"tomb_01  {long}  moved to another host",
        f"tomb_01  {'b':<300}  moved to another host",
    ]


def test_columns_stand_below_each_other_whatever_the_script() -> None:
    """Letters that take two columns, and marks that take none."""
    shown = _shown(io.StringIO(), "写真", "cafe\u0301", "b")
    assert [row.split("moved")[0] for row in shown[1:]] == [
        "tomb_01  写真    ",
        "tomb_01  cafe\u0301    ",
        "tomb_01  b       ",
    ]


def test_a_terminal_folds_what_people_wrote(narrow: Terminal) -> None:
    """An id is never cut in two."""
    shown = _shown(narrow, "v" * 50)
    assert shown[1].split() == ["tomb_01", "v" * 50, "moved", "to", "another"]
    assert shown[2].split() == ["host"]


def test_a_terminal_is_told_what_it_has_no_room_for(narrow: Terminal) -> None:
    """A column that does not fit is left out, and named."""
    shown = _shown(narrow, "v" * 75)
    assert shown[0].split() == ["Id", "Reason"]
    assert shown[-1] == "(no room for volume)"


def test_what_has_to_be_known_is_a_line_on_standard_error(narrow: Terminal) -> None:
    """On a terminal beside the bars, in a pipe, and for programs as an object."""
    for file, as_json in ((narrow, False), (io.StringIO(), False), (io.StringIO(), True)):
        progress = Output(as_json=as_json, out=io.StringIO(), err=file).progress
        progress.begin("restore")
        progress.warn("not entered\x1b[2J")
        progress.end()
        told = "not entered\\x1b[2J"
        if as_json:
            assert json.loads(file.getvalue()) == {
                "version": 1, "kind": "warning", "message": "not entered\x1b[2J",
            }  # fmt: skip
        else:
            assert told in file.getvalue().splitlines()


def test_a_warning_that_nobody_hears_ends_nothing() -> None:
    for as_json in (False, True):
        Output(as_json=as_json, err=Full()).progress.warn("not entered")


def test_names_cannot_steer_what_they_are_written_to(narrow: Terminal) -> None:
    """Neither a terminal nor a pipe that leads to one."""
    for file in (narrow, io.StringIO()):
        Output(as_json=False, out=file).say("bad\x1b[2J\udcff")
        assert file.getvalue() == "bad\\x1b[2J\\xff\n"
