"""Sizes are a ratchet: limits from the first day, and an exception has its reason on its line."""

from __future__ import annotations

import ast
from typing import Final

from tests.tidy.source import functions, modules

MODULE_LINES: Final = 400
FUNCTION_LINES: Final = 60
PARAMETERS: Final = 5

# Larger ones, with their size and reason. A number may go down and never up.
LARGER: Final = {
    "vault.errors": 476,  # one tree in one place; half of it is docstrings
}
FORBIDDEN: Final = frozenset(
    {"utils", "util", "helpers", "common", "core", "base", "manager", "misc"}
)


def test_modules_are_short() -> None:
    """A module has at most 400 lines."""
    sizes = {m.name: len(m.text.splitlines()) for m in modules("vault", "adapters", "tests")}
    wrong = [f"{n}: {s}" for n, s in sizes.items() if s > LARGER.get(n, MODULE_LINES)]
    assert not wrong, "\n".join(wrong)


def test_the_ratchet_is_tight() -> None:
    """What has become smaller may not grow back."""
    sizes = {m.name: len(m.text.splitlines()) for m in modules()}
    assert not [f"{n}: {sizes.get(n, 0)}" for n, s in LARGER.items() if sizes.get(n, 0) < s]


def test_functions_are_short() -> None:
    """A function has at most 60 lines, its docstring not counted."""
    wrong = [
        f"{m.place(f.lineno)} {f.name}"
        for m in modules("vault", "adapters")
        for f in functions(m.tree)
        if _length(f) > FUNCTION_LINES
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_take_few_parameters() -> None:
    """At most five, the object itself not counted.

    The commands of `vault.cli` and the tools of `vault.mcp` are left out: their parameters are the
    words of a call, and each is given by its name.
    """
    wrong = [
        f"{m.place(f.lineno)} {f.name}: {_parameters(f)}"
        for m in modules("vault", "adapters")
        for f in functions(m.tree)
        if not (_is_command(f) or _is_tool(f)) and _parameters(f) > PARAMETERS
    ]
    assert not wrong, "\n".join(wrong)


def test_names_say_what_is_inside() -> None:
    """No module is named after nothing."""
    wrong = [m.name for m in modules() if m.name.rpartition(".")[2] in FORBIDDEN]
    assert not wrong


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    begin = (first.end_lineno or first.lineno) if documented else function.lineno
    return (function.end_lineno or function.lineno) - begin


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    own = names[1:] if names[:1] in (["self"], ["cls"]) else names
    return len(own) + len(function.args.kwonlyargs)


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "command"
        for mark in function.decorator_list
    )


def _is_tool(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    noted = (a.annotation for a in function.args.args)
    return any(
        isinstance(note, ast.Subscript) and getattr(note.value, "id", "") == "Context"
        for note in noted
    )
