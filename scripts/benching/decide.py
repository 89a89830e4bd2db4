"""How long a decision takes, of each kind of request: the rules alone, with all facts at hand."""

from __future__ import annotations

import argparse
import statistics
from itertools import product
from time import perf_counter, process_time
from typing import Final

from benching.results import Sheet, table
from vault.governance.facts import ApprovalFact, Facts, GrantFact, Signal, TaskFact, WindowFact
from vault.governance.policy import decide
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Request, Verb

_CALLERS: Final = {
    "a person's snapshot": (PrincipalKind.HUMAN, Verb.SNAPSHOT),
    "a person's delete": (PrincipalKind.HUMAN, Verb.DELETE),
    "an agent's delete": (PrincipalKind.AGENT, Verb.DELETE),
    "an agent's purge": (PrincipalKind.AGENT, Verb.PURGE),
}
_SIGNALS: Final = (Signal("one", 1.0, "one"), Signal("other", 1.0, "other"))


def measure(chosen: argparse.Namespace) -> None:
    """Decide each kind of request with every combination of facts in turn; print the table."""
    sheet, rows = Sheet(chosen.out), []
    for title, (kind, verb) in _CALLERS.items():
        facts = _facts(kind, verb)
        decide(facts[0])  # the rules are read once
        walls, begun = [], process_time()
        for number in range(chosen.decisions):
            start = perf_counter()
            decide(facts[number % len(facts)])
            walls.append((perf_counter() - start) * 1e3)
        cpu = (process_time() - begun) * 1e3 / chosen.decisions
        marks = statistics.quantiles(walls, n=100)
        figures = {"median": marks[49], "p99": marks[98], "cpu": cpu}
        sheet.row({"bench": "decide", "request": title, **figures})
        rows.append([title, *(f"{figures[name]:.2f}" for name in figures)])
    head = ["", "median, ms", "p99, ms", "processor, ms"]
    sheet.table(f"`scripts/bench decide --decisions {chosen.decisions}`", table(head, rows))


def _facts(kind: PrincipalKind, verb: Verb) -> list[Facts]:
    request = Request(
        verb=verb,
        volume="db",
        environment="production",
        principal=Principal(kind, "someone", Via.TOKEN),
        reason="measured",
        task="T-1",
    )
    return [
        Facts(
            request=request,
            task=task,
            grant=grant,
            window=window,
            approval=approval,
            quorum=2,
            signals=signals,
        )
        for task, grant, window, approval, signals in product(
            TaskFact, GrantFact, WindowFact, ApprovalFact, ((), _SIGNALS)
        )
    ]
