"""Words of the command line that are texts, paths or flags, taken as they are.

For each of them typer would load pydantic, which takes a quarter of the time of `vault status`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

from vault.errors import UsageError

_NAMES: Final = ("PATH", "GLOB")
"""What these words call are names of files: any bytes. All others are texts."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """What typer asks to turn a word into a parameter's value."""

    kind: Callable[[Any], Any]

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """The value; nothing given is None, or no values of many."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if self.kind in (str, list) and param.metavar not in _NAMES:
            _insist_text([value] if isinstance(value, str) else value, param)
        return self.kind(value)


_PLAIN: Final[dict[Any, _Plain]] = {
    str: _Plain(str),
    Path: _Plain(Path),
    list[str]: _Plain(list),
    bool: _Plain(bool),  # given or not: no flag of ours has a variable of the environment
}

# Boxes and colours would take half of the time that help takes.
_PLAIN_HELP: Final[dict[str, Any]] = {"rich_markup_mode": None}


class PlainCommand(TyperCommand):
    """A command that takes its words so, with help in plain text."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes | _PLAIN_HELP)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write each example on a line of its own, as it is typed: it is there to be copied."""
        formatter.write_paragraph()
        for example in (self.epilog or "").split("\n\n"):
            formatter.write(f"  {example}\n")

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` too."""
        return [_plainly(parameter) for parameter in super().get_params(ctx)]


class PlainGroup(TyperGroup):
    """A group that takes its words so, with help in plain text."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | _PLAIN_HELP)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands by panel, with their whole first paragraphs."""
        width = max(map(len, self.commands))
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            summary = " ".join((command.help or "").partition("\n\n")[0].split())
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            panels.setdefault(str(panel), []).append((name.ljust(width), summary))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` too."""
        return [_plainly(parameter) for parameter in super().get_params(ctx)]


def _insist_text(words: Iterable[str], param: Any) -> None:
    """Refuse what no log and no record could hold, before anything is done with it."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            called = param.opts[0] if param.opts[0].startswith("-") else param.metavar
            raise UsageError(
                f"{called or param.name} has bytes in it that are not UTF-8: “{word}”",
                safe="Nothing was changed.",
                hint="Write it in UTF-8, or in ASCII alone.",
            ) from None


def _plainly(parameter: Any) -> Any:
    """The parameter, converting its words here where it is of such a kind."""
    kind = getattr(parameter, "type_descriptor", None)
    plain = _PLAIN.get(getattr(kind, "annotation", None))
    if plain is not None:
        vars(parameter)["get_runtime_param"] = lambda: plain  # instead of the method of that name
    if parameter.param_type_name == "argument":
        vars(parameter)["display_type_rich"] = lambda **_: None  # its name says it: VOLUME, FILE
    return parameter
