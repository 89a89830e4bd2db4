"""Lines and tables for who reads a pipe or a file: nothing is coloured, folded or left out.

A terminal's are drawn by `screen`, which takes a tenth of a short command's time to load.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

from vault.cli.failure import printable
from vault.cli.output import SIZES, title


class Plain:
    """Writes to one file; speaks as a Screen does."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def say(self, text: str, style: str) -> None:
        """Write one line, however long."""
        del style
        self._file.write(printable(text) + "\n")
        self._file.flush()

    def table(self, cells: Mapping[str, Sequence[str]]) -> list[str]:
        """Write columns by name, all of them."""
        columns = [(title(name), *texts) for name, texts in cells.items()]
        widths = [max(map(columns_of, column)) for column in columns]
        right = [is_number(name) for name in cells]
        rows = zip(*columns, strict=True)
        self._file.writelines(line(row, widths, right) + "\n" for row in rows)
        self._file.flush()
        return []


def is_number(name: str) -> bool:
    """Whether a field's values stand at the right end of their column."""
    return name in SIZES or name == "files"


def line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """The texts side by side, each as wide as its column, numbers at its right end."""
    spaces = [" " * (width - columns_of(text)) for text, width in zip(texts, widths, strict=True)]
    parts = zip(texts, spaces, right, strict=True)
    return "  ".join(s + t if number else t + s for t, s, number in parts).rstrip()


def columns_of(text: str) -> int:
    """How many columns a text takes where letters are all as wide."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
