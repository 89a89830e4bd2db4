"""The rules of who may do what: a request goes in, a decision with its reasons comes out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.lazy import loading

__all__ = ["recurrence"]

if TYPE_CHECKING:
    from vault.governance import recurrence
else:
    __getattr__ = loading(__name__, __all__)
