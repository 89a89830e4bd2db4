"""Soft delete and isolated, write-once backups for whatever somebody may delete.

`vault.Vault` is the library; it is loaded when it is first asked for, so that naming one module of
the package does not import all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vault.library import Vault

__all__ = ["Vault"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("vault.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
