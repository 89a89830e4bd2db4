"""Progress as bars on a terminal; loaded where there is one."""

from __future__ import annotations

from typing import TextIO

from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from vault.cli.failure import printable
from vault.cli.output import WARNING
from vault.cli.screen import Screen


class Meter:
    """Progress as bars on a terminal."""

    def __init__(self, err: TextIO) -> None:
        self._screen = Screen(err)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description} {task.fields[files]} files"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            console=self._screen,
            transient=True,
        )
        self._task: TaskID | None = None
        self._files = 0

    def begin(self, task: str, *, files: int | None = None, size: int | None = None) -> None:
        """See Progress; `files` in all are not shown, only those done."""
        self.end()
        self._files = 0
        self._task = self._bars.add_task(printable(task), total=size, files=0)
        self._bars.start()

    def advance(self, *, files: int = 0, size: int = 0) -> None:
        """See Progress."""
        if self._task is not None:
            self._files += files
            self._bars.update(self._task, advance=size, files=self._files)

    def end(self) -> None:
        """See Progress."""
        if self._task is not None:
            self._bars.stop()
            self._bars.remove_task(self._task)
            self._task = None

    def warn(self, text: str) -> None:
        """See Progress; above the bars."""
        self._screen.say(text, WARNING)
