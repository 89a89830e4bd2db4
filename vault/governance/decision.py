"""What is answered: Allow, Ask or Deny, always with the reasons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allow:
    """It may be done; `reasons` name the rules that let it pass."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """It may be done once people have agreed."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """It may not be done; `reasons` name every rule that forbids it."""

    reasons: tuple[str, ...]


Decision = Allow | Ask | Deny
