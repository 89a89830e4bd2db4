"""Writes the generated parts of docs/cli.md: the commands and the errors, from the program.

Usage: .venv/bin/python scripts/reference.py [--check | --write]   (scripts/errors makes .venv)
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from vault.cli.app import FAMILIES, load
from vault.errors import VaultError

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
SHARED: Final = frozenset({"as_json", "config", "help"})


def errors() -> list[type[VaultError]]:
    """Every class of the error tree but its root, by status."""

    def below(kind: type[VaultError]) -> Iterator[type[VaultError]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return sorted(below(VaultError), key=lambda kind: kind.status)


def duplicates() -> list[str]:
    """Codes and statuses that more than one class has, and such as are taken by the shell."""
    tree: list[type[VaultError]] = [VaultError, *errors()]
    counted = Counter(kind.code for kind in tree) + Counter(str(kind.status) for kind in tree)
    reserved = {0, 3, *range(126, 256)} - {130}  # as shells say of Ctrl-C
    return [f"{name} is used {n} times" for name, n in counted.items() if n > 1] + [
        f"{kind.__name__}: {kind.status} is not ours" for kind in tree if kind.status in reserved
    ]


def error_table() -> str:
    """The table of errors in Markdown."""
    rows = ["| status | code | retry | what happened |", "| ---: | --- | --- | --- |"]
    for kind in errors():
        sentence = " ".join((kind.__doc__ or "").split())
        retry = "can help" if kind.retryable else ""
        rows.append(f"| {kind.status} | `{kind.code}` | {retry} | {sentence} |")
    return "\n".join(rows)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by its full name (`volume add`), groups left out."""
    for family in FAMILIES:
        for name in family.commands:
            command = load(name)
            below = getattr(command, "commands", None)
            if below is None:
                yield name, command
            else:
                yield from ((f"{name} {part}", child) for part, child in below.items())


def command_reference() -> str:
    """One section a command in Markdown."""
    return "\n\n".join(_section(name, command) for name, command in commands())


def _section(name: str, command: Any) -> str:
    usage = command.get_usage(typer.Context(command, info_name=f"vault {name}"))
    words = re.sub(r"[{}]", "", " ".join(usage.removeprefix("Usage: ").split()))
    parts = [f"### vault {name}", command.help.strip(), f"    {words}"]
    own = [part for part in command.params if part.name not in SHARED]
    parts += ["\n".join(f"- {_word(part)}" for part in own)] * bool(own)
    examples = command.epilog.replace("Example: ", "").split("\n\n")
    parts.append("Example:\n\n" + "\n".join(f"    {example}" for example in examples))
    return "\n\n".join(parts)


def _word(part: Any) -> str:
    label = part.metavar or part.name.upper() if _is_argument(part) else part.opts[-1]
    value = "" if _is_argument(part) or part.is_flag else f" {part.metavar or 'TEXT'}"
    facts = ["required"] * bool(part.required and not _is_argument(part))
    facts += [f"default {part.default}"] * bool(part.default and not part.is_flag)
    facts += [f"or ${part.envvar}"] * bool(part.envvar)
    return f"`{label}{value}`: {part.help}" + f" ({', '.join(facts)})" * bool(facts)


def _is_argument(part: Any) -> bool:
    return bool(part.param_type_name == "argument")


def filled(page: str) -> str:
    """The page with its generated parts as they should be."""
    for name, text in (("commands", command_reference()), ("errors", error_table())):
        begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def main(arguments: list[str]) -> int:
    """List the errors; `--check` compares the page, `--write` renews it. 1 where it is wrong."""
    for line in duplicates():
        print(line, file=sys.stderr)
    if duplicates():
        return 1
    page = PAGE.read_text("utf-8")
    if arguments == ["--write"]:
        PAGE.write_text(filled(page), "utf-8")
    elif arguments == ["--check"]:
        if filled(page) != page:
            print(
                "docs/cli.md is not what the program says: run scripts/errors --write",
                file=sys.stderr,
            )
            return 1
    else:
        print(error_table())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
