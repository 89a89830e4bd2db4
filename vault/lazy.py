"""Packages whose modules are loaded when first asked for: each command loads what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType


def loading(package: str, names: Sequence[str]) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a package that loads its modules of these names late (PEP 562)."""

    def load(name: str) -> ModuleType:
        if name in names:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
