"""The one renderer: tables for people, one JSON object for programs, progress on standard error.

What draws for people is loaded when there is something to draw.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from vault.cli.failure import printable
from vault.clock import format_span, format_time
from vault.progress import Progress, Silent

if TYPE_CHECKING:
    from vault.cli.plain import Plain
    from vault.cli.screen import Screen

SIZES: Final = frozenset({"bytes", "bytes_added", "size"})
WARNING: Final = "bold red"


class Output:
    """Renders a command's answer; `as_json` decides for whom."""

    def __init__(
        self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    @property
    def progress(self) -> Progress:
        """Where long work reports to: bars on a terminal, elsewhere what has to be known alone."""
        if self.as_json or not self._err.isatty():
            return _Warnings(self._tell)
        return cast("Progress", import_module("vault.cli.meter").Meter(self._err))

    def table(self, kind: str, items: Iterable[Any], columns: Sequence[str], none: str) -> None:
        """Show many things: these fields in a table, or `none` where there is nothing.

        `columns` begin with the most important: what does not fit the terminal is left out, since
        an id that is cut in two is of no use. Only texts of people are folded.
        """
        if self.as_json:
            self._stream(kind, items)
            return
        rows = list(items)
        if not rows:
            self.say(none)
            return
        cells = {name: [readable(name, getattr(row, name)) for row in rows] for name in columns}
        hidden = self._screen.table(cells)
        if hidden:
            self.say(f"(no room for {', '.join(title(name).lower() for name in hidden)})", "dim")

    def item(self, kind: str, item: Any, fields: Sequence[str]) -> None:
        """Show one thing: these of its fields, a line each, where they hold anything."""
        if self.as_json:
            self._stream(kind, [item])
            return
        texts = [readable(name, getattr(item, name)) for name in fields]
        shown = list(zip(titles(fields), texts, strict=True))
        width = max(len(label) for label, _ in shown)
        for label, text in shown:
            if text:
                self.say(f"{label:<{width}}  {text}")
        for finding in getattr(item, "findings", ()):
            self.finding(finding)

    def lines(self, kind: str, items: Iterable[Any], fields: Sequence[str]) -> None:
        """Show a stream of things, a plain line each, in bounded memory."""
        if self.as_json:
            self._stream(kind, items)
            return
        for item in items:
            texts = [readable(name, getattr(item, name)) for name in fields]
            self._out.write("  ".join(texts) + "\n")

    def finding(self, finding: Any) -> None:
        """Show one thing that was met and worked around."""
        self.say(f"! {finding.what}: {readable('path', finding.path)} {finding.detail}", "yellow")

    def say(self, text: str, style: str = "") -> None:
        """Say one line to people; programs do not see it."""
        if not self.as_json:
            self._screen.say(text, style)

    def warn(self, text: str) -> None:
        """Say one line on standard error, in red where there are colours."""
        if not self.as_json:
            self._aside.say(text, WARNING)

    def _tell(self, text: str) -> None:
        """Warn programs, too. What nobody hears keeps no work from going on."""
        with suppress(OSError):
            if self.as_json:
                self._err.write(json.dumps({"version": 1, "kind": "warning", "message": text}))
                self._err.write("\n")
            self.warn(text)

    @cached_property
    def _screen(self) -> Screen | Plain:
        return _screen(self._out)

    @cached_property
    def _aside(self) -> Screen | Plain:
        return _screen(self._err)

    def _stream(self, kind: str, items: Iterable[Any]) -> None:
        # Nothing is written before the first item is there: most of what fails, fails by then.
        before = f'{{"version": 1, "kind": {json.dumps(kind)}, "items": ['
        for item in items:
            self._out.write(before + "\n" + json.dumps(record(item)))
            before = ","
        self._out.write(("" if before == "," else before) + "]}\n")
        self._out.flush()


class _Warnings(Silent):
    """Says what has to be known, and shows no progress."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def warn(self, text: str) -> None:
        """See Progress."""
        self._tell(text)


def _screen(file: TextIO) -> Screen | Plain:
    if file.isatty():
        return cast("Screen", import_module("vault.cli.screen").Screen(file))
    return cast("Plain", import_module("vault.cli.plain").Plain(file))


def record(value: Any) -> Any:
    """A value as JSON has it: times RFC 3339, spans in seconds, bytes of names escaped as text."""
    match value:
        case datetime():
            return format_time(value)
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.value
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case Path():
            return str(value)
        case dict():
            return {str(key): record(part) for key, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [record(part) for part in value]
    if dataclasses.is_dataclass(value):
        names = tuple(field.name for field in dataclasses.fields(value))
    else:
        names = getattr(value, "__struct_fields__", ())  # as msgspec's have
    return {name: record(getattr(value, name)) for name in names} if names else value


def readable(name: str, value: Any) -> str:
    """A field's value as people read it; `name` tells bytes from other numbers."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return format_time(value.replace(microsecond=0))
        case timedelta():
            return format_span(value)
        case int() if name in SIZES:
            return size(value)
        case int() if name == "mode":
            return f"{value:04o}"
        case float():
            return f"{value:.1f}"
        case list() | tuple():
            return ", ".join(readable(name, part) for part in value)
    return printable(str(record(value)))


def size(count: int) -> str:
    """A number of bytes in its largest fitting unit."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def title(name: str) -> str:
    """A field's name as a heading."""
    return name.replace("_", " ").removesuffix(" at").capitalize()


def titles(names: Sequence[str]) -> list[str]:
    """The names as headings, each another: a time says “at” where what it belongs to is there."""
    short = [title(name) for name in names]
    whole = [name.replace("_", " ").capitalize() for name in names]
    return [w if short.count(s) > 1 else s for s, w in zip(short, whole, strict=True)]
