"""What stands in every file: a first sentence, docstrings, no open ends, no time of its own."""

from __future__ import annotations

import ast
import re
from typing import Final

import pytest

from tests.tidy.source import Module, modules

OPEN_ENDS: Final = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

MAKERS: Final = (
    "vault.ids",
    "vault.codec",  # keys and salts
    "vault.repository",  # keys and salts of a session
    "vault.operations.establish",  # a vault's first keys
    "vault.operations.rebuild",  # a writer's keys on a new host
    "vault.store",  # names of unfinished files, canaries
    "adapters",  # names of unfinished files
    "vault.testing",  # names that no other run has
)

# Who may call what: time and chance come through one door each.
DOORS: Final[dict[str, tuple[str, ...]]] = {
    "time.time": ("vault.clock",),
    "time.time_ns": ("vault.clock",),
    "time.sleep": ("vault.clock",),
    "time.monotonic": ("vault.clock",),
    "time.clock_gettime": ("vault.clock",),
    "datetime.now": ("vault.clock",),
    "datetime.utcnow": ("vault.clock",),
    "datetime.today": ("vault.clock",),
    "date.today": ("vault.clock",),
    "os.urandom": MAKERS,
    "secrets.token_bytes": MAKERS,
    "secrets.token_hex": (*MAKERS, "vault.client"),  # a key for each request
    "uuid.uuid4": (),
}


@pytest.mark.parametrize("module", modules("vault", "adapters", "tests"), ids=lambda m: m.name)
def test_a_module_opens_with_one_sentence(module: Module) -> None:
    """The first line says what the module is; empty marker files aside."""
    if module.tree.body:
        first = (ast.get_docstring(module.tree) or "").partition("\n\n")[0]
        assert first.endswith((".", ":")), module.place(1)


def test_what_is_public_has_a_docstring() -> None:
    """Classes, functions and methods without an underscore say what they do."""
    wrong = [
        f"{module.place(node.lineno)} {node.name}"
        for module in modules()
        for scope in _public_scopes(module.tree)
        for node in scope.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
        and not any(getattr(mark, "id", "") == "overload" for mark in node.decorator_list)
    ]
    assert not wrong, "\n".join(wrong)


def test_annotations_are_lazy() -> None:
    """`from __future__ import annotations` stands in every module that has code."""
    wrong = [
        module.place(1)
        for module in modules("vault", "adapters", "tests")
        if len(module.tree.body) > 1 and "from __future__ import annotations" not in module.text
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_open() -> None:
    """No notes to self in the code."""
    here = "tests.tidy.test_text"
    wrong = [
        module.place(number)
        for module in modules("vault", "adapters", "tests")
        if module.name != here
        for number, line in enumerate(module.text.splitlines(), 1)
        if OPEN_ENDS.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_time_and_chance_come_through_their_doors() -> None:
    """No clock and no dice but in the modules that own them."""
    wrong = [
        f"{module.place(node.lineno)} {ast.unparse(node)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and (allowed := DOORS.get(ast.unparse(node))) is not None
        and not any(module.name == p or module.name.startswith(p + ".") for p in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_rolls_dice() -> None:
    """Failures must replay: only the seeded faults of `vault.testing` know random."""
    wrong = [
        module.place(line)
        for module in modules()
        for target, line in module.imports()
        if target.split(".")[0] == "random" and not module.name.startswith("vault.testing.")
    ]
    assert not wrong, "\n".join(wrong)


def _public_scopes(tree: ast.Module) -> list[ast.Module | ast.ClassDef]:
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    return [tree, *classes]
