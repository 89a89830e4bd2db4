"""`python -m benching.counted FILE WORD…`: runs vault's command line and counts its store calls.

The counts go to FILE as one JSON object; what is counted are calls of the directory store itself.
"""

from __future__ import annotations

import atexit
import functools
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vault.cli import main
from vault.store.directory import DirectoryStore

CALLS = ("put", "extend", "delete", "get", "list", "retention")


def _counting(name: str, counts: Counter[str]) -> Callable[..., Any]:
    method = getattr(DirectoryStore, name)

    @functools.wraps(method)
    def counted(*words: Any, **named: Any) -> Any:
        counts[name] += 1
        return method(*words, **named)

    return counted


if __name__ == "__main__":
    seen: Counter[str] = Counter()
    for call in CALLS:
        setattr(DirectoryStore, call, _counting(call, seen))
    target = Path(sys.argv.pop(1))
    atexit.register(lambda: target.write_text(json.dumps(seen)))
    main()
