"""The progress port: work reports steps, a door shows them (or not)."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Where long work says how far it is. Calls are cheap and never raise."""

    def begin(self, task: str, *, files: int | None = None, size: int | None = None) -> None:
        """A task begins; totals where they are known (`size` in bytes)."""

    def advance(self, *, files: int = 0, size: int = 0) -> None:
        """So much more is done."""

    def end(self) -> None:
        """The task is over, done or not."""

    def warn(self, text: str) -> None:
        """One line that whoever waits has to know; the work goes on."""


class Silent:
    """Shows nothing."""

    def begin(self, task: str, *, files: int | None = None, size: int | None = None) -> None:
        """See Progress."""

    def advance(self, *, files: int = 0, size: int = 0) -> None:
        """See Progress."""

    def end(self) -> None:
        """See Progress."""

    def warn(self, text: str) -> None:
        """See Progress."""
