"""Lines and tables for people at a terminal, drawn by rich; loaded where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vault.cli.failure import printable
from vault.cli.output import title
from vault.cli.plain import is_number, line

PROSE: Final = frozenset({"reason", "reasons", "detail"})
"""Fields that may be folded in a table, down to PROSE_WIDTH columns."""
PROSE_WIDTH: Final = 16


class Screen(Console):
    """A console that leaves it to the command's frame what to do when nobody reads on."""

    def __init__(self, file: TextIO) -> None:
        super().__init__(file=file, highlight=False, markup=False)

    def on_broken_pipe(self) -> None:
        """See Console."""
        raise BrokenPipeError

    def say(self, text: str, style: str) -> None:
        """Write one line; it is wrapped between words, unless a word such as a path is too long."""
        safe = printable(text)
        longest = max(map(cell_len, safe.split()), default=0)
        self.print(Text(safe, style=style), soft_wrap=longest > self.width)

    def table(self, cells: Mapping[str, Sequence[str]]) -> list[str]:
        """Draw columns by name; returns those that there was no room for."""
        shown, hidden = _fitting(cells, self.width)
        widths = [max(map(cell_len, (title(name), *cells[name]))) for name in shown]
        if sum(widths) + 2 * (len(widths) - 1) <= self.width:
            self._lines({name: cells[name] for name in shown}, widths)
        else:
            self._folded({name: cells[name] for name in shown})
        return hidden

    def _lines(self, cells: Mapping[str, Sequence[str]], widths: Sequence[int]) -> None:
        """Where all fits, a plain line each: rich takes half a millisecond for every row."""
        right = [is_number(name) for name in cells]
        self.print(Text(line([title(name) for name in cells], widths, right), style="bold"))
        rows = zip(*cells.values(), strict=True)
        self.file.writelines(line(row, widths, right) + "\n" for row in rows)

    def _folded(self, cells: Mapping[str, Sequence[str]]) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for number, name in enumerate(cells):
            justify: Literal["left", "right"] = "right" if is_number(name) else "left"
            fixed = name not in PROSE and number > 0
            table.add_column(title(name), overflow="fold", justify=justify, no_wrap=fixed)
        for row in zip(*cells.values(), strict=True):
            table.add_row(*map(Text, row))
        self.print(table)


def _fitting(cells: Mapping[str, Sequence[str]], width: int) -> tuple[list[str], list[str]]:
    """The columns that a width has room for, and those that it has none for; the first always."""
    shown: list[str] = []
    hidden: list[str] = []
    for name, texts in cells.items():
        wanted = max(cell_len(text) for text in (title(name), *texts))
        needed = min(wanted, PROSE_WIDTH) if name in PROSE else wanted
        if shown and needed > width:
            hidden.append(name)
        else:
            shown.append(name)
            width -= needed + 2
    return shown, hidden
