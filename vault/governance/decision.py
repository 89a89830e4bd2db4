"""What is answered: Allow, Ask or Deny, always with the reasons."""

from __future__ import annotations

import msgspec


class Allow(msgspec.Struct, frozen=True):
    """It may be done; `reasons` name the rules that let it pass."""

    reasons: tuple[str, ...]


class Ask(msgspec.Struct, frozen=True):
    """It may be done once people have agreed."""

    reasons: tuple[str, ...]


class Deny(msgspec.Struct, frozen=True):
    """It may not be done; `reasons` name every rule that forbids it."""

    reasons: tuple[str, ...]


Decision = Allow | Ask | Deny
