"""The decision table: every combination of what a decision looks at, as rows that people can read.

`scripts/decisions --write` renews decisions.md from the rules; the tests compare every combination.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from tests.golden.make import HERE
from vault.governance.decision import Allow, Ask, Decision
from vault.governance.facts import ApprovalFact, Facts, GrantFact, Signal, TaskFact, WindowFact
from vault.governance.policy import decide, rule_ids
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Request, Verb

PAGE: Final = HERE / "decisions.md"

WHO: Final = {
    "person by uid": Principal(PrincipalKind.HUMAN, "ann@host", Via.UID),
    "person by token": Principal(PrincipalKind.HUMAN, "ann", Via.TOKEN),
    "agent": Principal(PrincipalKind.AGENT, "coder", Via.TOKEN),
    "service": Principal(PrincipalKind.SERVICE, "platform", Via.TOKEN),
    "process": Principal(PrincipalKind.SERVICE, "purger@host", Via.PROCESS),
}
_APPROVALS: Final[dict[str, dict[str, Any]]] = {
    "nobody": {"quorum": 0},  # is enrolled who could agree
    **{fact.value: {"quorum": 2, "approval": fact} for fact in ApprovalFact},
}
_BREAKER: Final[dict[str, dict[str, Any]]] = {
    "rests": {},
    "over-budget": {"over_budget": ("a budget",)},
    "frozen": {"frozen": "a reason"},
    "panic": {"panic": "a reason"},
    "unusual": {"signals": (Signal("one", 1.0, "one"), Signal("other", 1.0, "other"))},
}
DIMENSIONS: Final[dict[str, tuple[str, ...]]] = {
    "who": tuple(WHO),
    "class": ("protected", "ephemeral"),
    "verb": tuple(verb.value for verb in Verb),
    "task": tuple(fact.value for fact in TaskFact),
    "grant": tuple(fact.value for fact in GrantFact),
    "window": tuple(fact.value for fact in WindowFact),
    "approval": tuple(_APPROVALS),
    "breaker": tuple(_BREAKER),
}
_ANSWERS: Final = ("allow", "ask", "deny")
_HEAD: Final = ("answer", "rule", *DIMENSIONS)

Case = tuple[str, ...]
"""One value of each dimension."""

Box = tuple[frozenset[str], ...]
"""Values of each dimension: all their combinations."""


@dataclass(frozen=True, slots=True)
class Row:
    """A rule and every case in a box; the answer that follows where no stronger row fits."""

    answer: str
    rule: str
    box: Box

    def fits(self, case: Case) -> bool:
        """Whether a case lies in the box."""
        return all(value in values for value, values in zip(case, self.box, strict=True))


def cases(who: str = "", class_: str = "") -> Iterator[Case]:
    """Every combination, in order; of one kind of principal and one class where these are given."""
    first = ((who,) if who else DIMENSIONS["who"], (class_,) if class_ else DIMENSIONS["class"])
    return product(*first, *list(DIMENSIONS.values())[2:])


def judged(case: Case) -> tuple[str, frozenset[str]]:
    """What the shipped rules answer, and the rules that decided."""
    who, class_, verb, task, grant, window, approval, breaker = case
    request = Request(
        verb=Verb(verb),
        volume="db",
        environment="here",
        principal=WHO[who],
        reason="obsolete",
        task="" if task == TaskFact.UNNAMED else "T-1",
    )
    facts = Facts(
        request=request,
        class_=class_,
        task=TaskFact(task),
        grant=GrantFact(grant),
        window=WindowFact(window),
        **_APPROVALS[approval],
        **_BREAKER[breaker],
    )
    decision = decide(facts)
    return answer_of(decision), frozenset(rule_ids(decision))


def answer_of(decision: Decision) -> str:
    """In one word."""
    return (
        "allow" if isinstance(decision, Allow) else "ask" if isinstance(decision, Ask) else "deny"
    )


def told(rows: Iterable[Row], case: Case) -> tuple[str, frozenset[str]]:
    """What the table says of a case: the strongest answer of all rows that fit, and their rules."""
    fitting = [row for row in rows if row.fits(case)]
    answer = max((row.answer for row in fitting), key=_ANSWERS.index, default="nothing")
    return answer, frozenset(row.rule for row in fitting)


def narrowed(rows: Iterable[Row], who: str, class_: str, verb: str) -> list[Row]:
    """The rows that can fit a case of these: looked through once for many."""
    return [
        row for row in rows if who in row.box[0] and class_ in row.box[1] and verb in row.box[2]
    ]


def made(jobs: int) -> list[Row]:
    """The whole table, from every combination."""
    found: dict[str, list[Case]] = {}
    answers: dict[str, set[str]] = {}
    parts = list(product(DIMENSIONS["who"], DIMENSIONS["class"]))
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(_part, parts):
            for case, (answer, rules) in part:
                for rule in rules:
                    found.setdefault(rule, []).append(case)
                    answers.setdefault(rule, set()).add(answer)
    rows = [
        Row(min(answers[rule], key=_ANSWERS.index), rule, box)
        for rule, those in found.items()
        for box in boxes(those)
    ]
    return sorted(rows, key=lambda row: (_ANSWERS.index(row.answer), row.rule, *_order(row.box)))


def boxes(those: Sequence[Case]) -> list[Box]:
    """The same cases as few boxes that do not overlap, the same ones whatever their order."""
    if those and not those[0]:
        return [()]
    rests: dict[str, list[Case]] = {}
    for first, *rest in those:
        rests.setdefault(first, []).append(tuple(rest))
    alike: dict[tuple[Box, ...], set[str]] = {}
    for value, rest_cases in rests.items():
        alike.setdefault(tuple(boxes(rest_cases)), set()).add(value)
    return [(frozenset(values), *rest) for found, values in alike.items() for rest in found]


def page(rows: Sequence[Row]) -> str:
    """The table as it is kept: an explanation, an overview, the rows."""
    lines = [list(_HEAD), *([row.answer, row.rule, *_cells(row.box)] for row in rows)]
    return f"{_PREFACE}\n{_aligned(_overview(rows))}\n\n## The rows\n\n{_aligned(lines)}\n"


def read(text: str) -> list[Row]:
    """The rows of a page, as a reader takes them. Raises ValueError where one is malformed."""
    table = text.partition("\n## The rows\n")[2].strip().splitlines()
    if [cell.strip() for cell in table[0].strip("|").split("|")] != list(_HEAD):
        raise ValueError("the table has other columns")
    rows = []
    for line in table[2:]:
        answer, rule, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        box = tuple(
            _values(cell, values) for cell, values in zip(cells, DIMENSIONS.values(), strict=True)
        )
        rows.append(Row(answer, rule, box))
    return rows


def _part(of: tuple[str, str]) -> list[tuple[Case, tuple[str, frozenset[str]]]]:
    return [(case, judged(case)) for case in cases(*of)]


def _order(box: Box) -> tuple[list[int], ...]:
    return tuple(
        sorted(values.index(value) for value in chosen)
        for chosen, values in zip(box, DIMENSIONS.values(), strict=True)
    )


def _cells(box: Box) -> list[str]:
    return [_cell(chosen, values) for chosen, values in zip(box, DIMENSIONS.values(), strict=True)]


def _cell(chosen: frozenset[str], values: Sequence[str]) -> str:
    listed = [value for value in values if value in chosen]
    others = [value for value in values if value not in chosen]
    if not others:
        return ""
    return ", ".join(listed) if len(listed) <= len(others) else f"not {', '.join(others)}"


def _values(cell: str, values: Sequence[str]) -> frozenset[str]:
    if not cell:
        return frozenset(values)
    named = frozenset(cell.removeprefix("not ").split(", "))
    if not named <= frozenset(values):
        raise ValueError(f"there is no {', '.join(sorted(named - frozenset(values)))}")
    return frozenset(values) - named if cell.startswith("not ") else named


def _overview(rows: Sequence[Row]) -> list[list[str]]:
    """For each verb and each kind: the best answer that a request can get, by class."""
    lines = [["verb", *DIMENSIONS["who"]]]
    for verb in DIMENSIONS["verb"]:
        cells = []
        for who in DIMENSIONS["who"]:
            best = [_best(narrowed(rows, who, class_, verb)) for class_ in DIMENSIONS["class"]]
            cells.append(best[0] if best[0] == best[1] else f"{best[0]}; ephemeral: {best[1]}")
        lines.append([verb, *cells])
    return lines


def _best(rows: Sequence[Row]) -> str:
    """What it takes to be let pass: the dimensions that matter for that, and their values."""
    allowed = [row.box for row in rows if row.answer == "allow"]
    if not allowed:
        return "no"
    names = list(DIMENSIONS)[3:6]
    wants = []
    for place, name in enumerate(names, 3):
        values = frozenset[str]().union(*(box[place] for box in allowed))
        if values != frozenset(DIMENSIONS[name]):
            wants.append(name)
    asks = any(row.answer == "ask" and row.rule != "unusual" for row in rows)
    wants += ["people where enrolled"] * asks
    return f"with {', '.join(wants)}" if wants else "yes"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    marks = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in (lines[0], marks, *lines[1:])
    )


_PREFACE: Final = """\
# Decisions

What the shipped rules (`vault/governance/policies/default.cedar`) answer, of every combination of
the values below. Written by `scripts/decisions --write` from the decisions themselves, not from the
rules' text; `tests/golden/test_decisions.py` compares every combination with these rows.

- **who**: a person by uid, a person by token, an agent, a service, one of vault's own processes.
- **class** of the environment: protected or ephemeral.
- **task**, **grant**, **window**: how they fit the request.
- **approval**: `nobody` is enrolled who could agree; or people are, and were not asked yet, have
  not agreed yet, have refused, have agreed.
- **breaker**: rests; the budget is used up; the identity is frozen; panic; two unusual things seen.

Every other thing is in order here: a name, a reason, a credential that reaches it, an identity that
was not disabled (`tests/unit/governance/test_policy.py` has these).

## Overview

What it takes to be let pass while the breaker rests.
"""


def main(arguments: Sequence[str]) -> int:
    """Print, compare or renew the table; 1 where it is not what the rules say."""
    words = argparse.ArgumentParser(prog="scripts/decisions", description=__doc__)
    words.add_argument("--write", action="store_true", help="renew tests/golden/decisions.md")
    words.add_argument("--check", action="store_true", help="compare it: 1 where it is another")
    words.add_argument("--jobs", type=int, default=2, help="processes (%(default)s)")
    chosen = words.parse_args(arguments)
    text = page(made(chosen.jobs))
    if chosen.write:
        PAGE.write_text(text, "utf-8")
    elif chosen.check:
        if PAGE.read_text("utf-8") != text:
            sys.stderr.write(f"{PAGE} is not what the rules say: run scripts/decisions --write\n")
            return 1
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
