"""Where figures go: printed at once, kept by step, shown as a table of medians and ratios."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from benching.measuring import Figures, machine

_UNITS: Final = {
    "s": 2,
    "processor s": 2,
    "with the server's": 2,
    "MB added": 1,
    "peak MiB": 0,
    "all processes, MiB": 0,
}
"""What is measured of a step, with the digits that are shown."""
_LITTLE: Final = 0.1  # MB: of what grows by less, no share is worth telling
_SEVERAL: Final = 1.02  # so much more than the largest process alone is a second process


class Sheet:
    """Figures are printed, and go into FILE.jsonl and FILE.md where a file is given."""

    def __init__(self, out: Path | None) -> None:
        self._out = out

    def row(self, what: Mapping[str, object], figures: Figures | None = None) -> None:
        """One line of JSON."""
        facts = dict(what) | (asdict(figures) if figures else {})
        line = json.dumps(facts)
        print(line, flush=True)
        if self._out:
            with open(self._out.with_suffix(".jsonl"), "a") as file:
                file.write(line + "\n")

    def table(self, title: str, lines: Sequence[str]) -> None:
        """A Markdown table under a line that says where it comes from."""
        text = "\n".join([f"{title}; {machine()}", "", *lines, ""])
        print("\n" + text, flush=True)
        if self._out:
            self._out.with_suffix(".md").write_text(text)


class Results:
    """The figures of one bench: by who was measured, step and unit."""

    def __init__(self, sheet: Sheet, bench: str) -> None:
        self._sheet = sheet
        self._bench = bench
        self._values: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def note(self, who: str, step: str, figures: Figures, added_mb: float | None = None) -> None:
        """One run of one step."""
        facts: dict[str, object] = {"bench": self._bench, "who": who, "step": step}
        if added_mb is not None:
            facts["added_mb"] = round(added_mb, 2)
            self._values[who, step, "MB added"].append(added_mb)
        self._sheet.row(facts, figures)
        self._values[who, step, "s"].append(figures.wall)
        self._values[who, step, "processor s"].append(figures.cpu)
        if figures.served:
            self._values[who, step, "with the server's"].append(figures.cpu + figures.served)
        self._values[who, step, "peak MiB"].append(figures.rss_mib)
        self._values[who, step, "all processes, MiB"].append(figures.sum_mib)

    def median(self, who: str, step: str, unit: str) -> float | None:
        """Of all runs; None where there was none."""
        values = self._values.get((who, step, unit))
        return statistics.median(values) if values else None

    def compared(self, names: Sequence[str], steps: Mapping[str, str]) -> list[list[str]]:
        """Rows of the first of `names` beside the others, its peers; the ratio ends each row.

        It is how many times as fast as the fastest peer, or the share of the leanest one.
        """
        rows = []
        for step, title in steps.items():
            for unit in _UNITS:
                own, *others = (self.median(name, step, unit) for name in names)
                if own is None or self._alone(names, step, unit):
                    continue
                ratio = _ratio(unit, own, [other for other in others if other])
                if unit == "s":
                    self._sheet.row({"chart": self._bench, "step": title, "ratio": ratio})
                share = f"{ratio:.2f} ×{' as fast' * (unit == 's')}" if ratio else ""
                head = title if unit == "s" else ""
                rows.append([head, unit, *(_shown(unit, v) for v in (own, *others)), share])
        return rows

    def _alone(self, names: Sequence[str], step: str, unit: str) -> bool:
        """Whether the row of several processes would only repeat that of the largest."""
        if unit != "all processes, MiB":
            return False
        pairs = [(self.median(n, step, unit), self.median(n, step, "peak MiB")) for n in names]
        return not any(both and one and both > _SEVERAL * one for both, one in pairs)


def _ratio(unit: str, own: float, others: Sequence[float]) -> float:
    """Rounded; 0 where there is nothing to compare."""
    if not others or not own or (unit == "MB added" and own < _LITTLE):
        return 0.0
    best = min(others)
    return round(best / own if unit == "s" else own / best, 3)


def _shown(unit: str, value: float | None) -> str:
    return "" if value is None else f"{value:.{_UNITS[unit]}f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of Markdown; all columns but the first are aligned to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, marks, *rows)]
