"""What a soak's record says: a table of what every process held, a picture of it over time, and
which process held more and more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

_COLOURS: Final = {
    "daemon": "#1f77b4",
    "purger": "#d62728",
    "collector": "#2ca02c",
    "gateway": "#888888",
}
_PANELS: Final = (("rss_kib", 1024, "resident memory, MiB"), ("fds", 1, "file descriptors"))
_RISES: Final = {"rss_kib": 10, "fds": 15}
"""How much more of a panel's unit may be held in an hour, by a straight line through a life."""
_GROWN: Final = ("daemon", "purger", "collector")  # the gateway is Ceph's
_WARM, _JUDGED = 10 * 60, 30 * 60
"""Seconds of a life that are passed over, and those that must be left to judge it by."""
_WIDTH, _HEIGHT, _LEFT, _TOP = 820, 190, 60, 30

Sample = dict[str, Any]


def read(path: Path) -> list[Sample]:
    """The lines of a record; one that was cut off at the end is left out."""
    lines = path.read_text("utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def summary(lines: Iterable[Sample]) -> list[str]:
    """A Markdown table: how often each process lived, and what it held in its longest life.

    The first is taken after a minute, when it has loaded what it needs.
    """
    rows = []
    samples = [line for line in lines if line["kind"] == "sample"]
    for name in _COLOURS:
        lives = _lives([s for s in samples if s["process"] == name])
        longest = max(lives, key=lambda life: life[-1]["t"] - life[0]["t"])
        warm = [s for s in longest if s["t"] >= longest[0]["t"] + 60] or longest
        cells = [name, str(len(lives)), f"{(longest[-1]['t'] - longest[0]['t']) / 60:.0f}"]
        for what, unit, _ in _PANELS:
            held = [s[what] / unit for s in warm]
            cells += [f"{value:.0f}" for value in (held[0], held[-1], max(held))]
        rows.append(cells)
    head = ["process", "lives", "longest, min", "MiB first", "last", "most"]
    head += ["descriptors first", "last", "most"]
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, marks, *rows)]


def rising(lines: Iterable[Sample]) -> list[str]:
    """Which lives held more and more than `_RISES` allows, in words; none where it is flat."""
    samples = [line for line in lines if line["kind"] == "sample"]
    found = []
    for name in _GROWN:
        for life in _lives([s for s in samples if s["process"] == name]):
            warm = [s for s in life if s["t"] >= life[0]["t"] + _WARM]
            if not warm or warm[-1]["t"] - warm[0]["t"] < _JUDGED:
                continue
            for what, unit, title in _PANELS:
                rise = _slope([(s["t"], s[what] / unit) for s in warm]) * 3600
                if rise > _RISES[what]:
                    found.append(
                        f"the {name} (pid {warm[0]['pid']}) held {rise:.1f} more in an hour "
                        f"({title}), and may hold {_RISES[what]} more"
                    )
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line that lies nearest to all of them."""
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def draw(lines: Sequence[Sample], out: Path) -> None:
    """An SVG of memory and descriptors; a line breaks where a process was killed."""
    samples = [line for line in lines if line["kind"] == "sample"]
    end = max(s["t"] for s in samples)
    height = _TOP + len(_PANELS) * (_HEIGHT + 40)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 80} {height}">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<g font-family="sans-serif" font-size="11">',
    ]
    for number, (name, colour) in enumerate(_COLOURS.items()):
        parts.append(f'<text x="{_LEFT + number * 90}" y="16" fill="{colour}">{name}</text>')
    for number, panel in enumerate(_PANELS):
        parts += _panel(samples, panel, end, _TOP + number * (_HEIGHT + 40))
    out.write_text("\n".join([*parts, "</g></svg>", ""]), "utf-8")


def _panel(
    samples: Sequence[Sample], panel: tuple[str, int, str], end: float, top: int
) -> list[str]:
    what, unit, title = panel
    most = max(s[what] for s in samples) / unit * 1.1
    parts = [
        f'<text x="{_LEFT}" y="{top + 10}">{title}</text>',
        f'<path d="M{_LEFT} {top}h{_WIDTH}v{_HEIGHT}h-{_WIDTH}z" fill="none" stroke="#ccc"/>',
    ]
    for step in range(5):
        y = top + _HEIGHT * (1 - step / 4)
        parts.append(f'<text x="{_LEFT - 30}" y="{y:.0f}">{most * step / 4:.0f}</text>')
    for minute in range(0, int(end / 60) + 1, 10):
        x = _LEFT + _WIDTH * minute * 60 / end
        parts.append(f'<text x="{x:.0f}" y="{top + _HEIGHT + 14}">{minute} min</text>')
    for name, colour in _COLOURS.items():
        for life in _lives([s for s in samples if s["process"] == name]):
            points = " ".join(
                f"{_LEFT + _WIDTH * s['t'] / end:.1f},"
                f"{top + _HEIGHT * (1 - s[what] / unit / most):.1f}"
                for s in life
            )
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
    return parts


def _lives(samples: Sequence[Sample]) -> list[list[Sample]]:
    lives = [[samples[0]]] if samples else []
    for before, after in pairwise(samples):
        if after["pid"] != before["pid"]:
            lives.append([])
        lives[-1].append(after)
    return lives
