"""The ratios of benches as bars, as SVG: how many times as fast vault is as its fastest peer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

_ROW: Final = 22
_LEFT: Final = 250  # where bars begin
_SCALE: Final = 60  # pixels for 1 ×
_MOST: Final = 9.0  # × that a bar can show
_GROUPS: Final = {
    "tree": "100,000 files, to disk",
    "big": "2 GiB of random bytes, to disk",
    "rgw": "100,000 files, to S3",
    "million": "1,000,000 files of 1 kB, to disk",
    "start": "start of the program",
}
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#222}.head{font-weight:bold}.more{fill:#2a7f62}"
    ".less{fill:#c0563f}.axis{stroke:#888}"
)


def measure(chosen: argparse.Namespace) -> None:
    """Read the ratios that benches left in their figures; the last of a step counts."""
    found: dict[tuple[str, str], float] = {}
    for path in chosen.figures:
        for line in path.read_text().splitlines():
            facts = json.loads(line)
            if "chart" in facts and facts["ratio"]:
                found[facts["chart"], facts["step"]] = facts["ratio"]
    chosen.svg.parent.mkdir(parents=True, exist_ok=True)
    Path(chosen.svg).write_text(draw([(*key, ratio) for key, ratio in found.items()]))


def draw(ratios: Sequence[tuple[str, str, float]]) -> str:
    """The picture: for each bench a head, for each (bench, step, ratio) a bar."""
    parts, y = [], 40
    for bench in dict.fromkeys(bench for bench, _, _ in ratios):
        parts.append(_text(8, y + 15, _GROUPS.get(bench, bench), "head"))
        y += _ROW
        for _, step, ratio in (item for item in ratios if item[0] == bench):
            parts.append(_bar(y, step, ratio))
            y += _ROW
        y += _ROW // 2
    axis = f'<line class="axis" x1="{_LEFT + _SCALE}" x2="{_LEFT + _SCALE}" y1="30" y2="{y}"/>'
    width = _LEFT + int(_MOST * _SCALE) + 60
    head = _text(8, 18, "vault beside its fastest peer: × as fast (the line is 1 ×)", "head")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 8}" '
        f'viewBox="0 0 {width} {y + 8}"><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{head}\n'
        + "\n".join([*parts, axis])
        + "\n</svg>\n"
    )


def _bar(y: int, step: str, ratio: float) -> str:
    length = round(min(ratio, _MOST) * _SCALE)
    kind = "more" if ratio >= 1 else "less"
    bar = f'<rect class="{kind}" x="{_LEFT}" y="{y + 3}" width="{length}" height="{_ROW - 6}"/>'
    return _text(20, y + 15, step) + bar + _text(_LEFT + length + 6, y + 15, f"{ratio:.1f} ×")


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'
