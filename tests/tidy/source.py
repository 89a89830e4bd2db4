"""The source under test, parsed once: modules by name, with what they import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """One file of Python."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """`vault.store` for `vault.store.s3`; `vault.errors` for the ground's single files."""
        return ".".join(self.name.split(".")[:2])

    def imports(self) -> Iterator[tuple[str, int]]:
        """Dotted names that this module imports, at any depth, with their lines."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", node.lineno
            elif _loads_by_name(node):
                yield node.args[0].value, node.lineno  # type: ignore[attr-defined]

    def place(self, line: int) -> str:
        """`vault/store/s3.py:12`, to click on."""
        return f"{self.path.relative_to(ROOT)}:{line}"


def _loads_by_name(node: ast.AST) -> bool:
    """Whether this is `importlib.import_module("literal")`: an import like any other."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "import_module"
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


@cache
def modules(*roots: str) -> tuple[Module, ...]:
    """All modules below these folders (by default the product's)."""
    found = []
    for root in roots or ("vault", "adapters"):
        for path in sorted((ROOT / root).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            text = path.read_text("utf-8")
            found.append(Module(name, path, text, ast.parse(text)))
    return tuple(found)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
