"""The credential profiles that this process finds in the AWS configuration, by name.

Read without botocore, which takes longer to start than what asks; what it makes of a profile, it
alone can say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_FILES: Final = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}
_SECTION: Final = re.compile(r"""(?m)^\s*\[\s*(?:profile\s+)?["']?([^\]\n]+?)["']?\s*\]""")


def named_profiles(environ: Mapping[str, str]) -> frozenset[str]:
    """Every profile that a file names which this process can read; none where there is no file."""
    places = (environ.get(variable) or usual for variable, usual in _FILES.items())
    texts = map(_text, (Path(os.path.expanduser(os.path.expandvars(p))) for p in places))
    return frozenset(name for text in texts for name in _SECTION.findall(text))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
