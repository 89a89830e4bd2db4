"""The kinds of stored objects, as docs/format.md lists them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_FORMAT: Final = Path(__file__).parents[2] / "docs" / "format.md"


def listed() -> frozenset[str]:
    """The first parts of all keys in the section about names."""
    section = _FORMAT.read_text("utf-8").partition("## 1. ")[2].partition("\n## ")[0]
    return frozenset(re.findall(r"^ {4}([a-z]+)/<", section, re.MULTILINE))


MEANINGLESS: Final = frozenset({"canary"})
KINDS: Final = tuple(sorted(listed() - MEANINGLESS))
"""Those whose damage must be found."""
