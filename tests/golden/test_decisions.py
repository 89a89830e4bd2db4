"""The decision table: what its rows say is what the rules answer, of every combination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle, product

import pytest

from tests.golden.decisions import (
    DIMENSIONS,
    PAGE,
    Case,
    Row,
    boxes,
    cases,
    judged,
    narrowed,
    page,
    read,
    told,
)
from vault.governance.policy import default_policies

ROWS = read(PAGE.read_text("utf-8"))


def compare(those: Iterable[Case]) -> int:
    """Put each case to the rules and to the table; gives how many there were."""
    count, place, rows = 0, ("", "", ""), list[Row]()
    for case in those:
        count += 1
        if case[:3] != place:
            place, rows = (case[0], case[1], case[2]), narrowed(ROWS, case[0], case[1], case[2])
        assert told(rows, case) == judged(case), case
    return count


def spread(who: str, class_: str) -> Iterator[Case]:
    """Every verb, approval and state of the breaker; tasks, grants and windows in turn."""
    turns = [cycle(DIMENSIONS[name]) for name in ("task", "grant", "window")]
    verbs = [verb for verb in DIMENSIONS["verb"] if verb != "delete"]
    for verb, approval, breaker in product(verbs, DIMENSIONS["approval"], DIMENSIONS["breaker"]):
        yield (who, class_, verb, *(next(turn) for turn in turns), approval, breaker)


@pytest.mark.parametrize("class_", DIMENSIONS["class"])
@pytest.mark.parametrize("who", DIMENSIONS["who"])
def test_every_delete_and_a_spread_of_all_else(who: str, class_: str) -> None:
    """What the table says of them is what is answered, by the rules that it names."""
    deletes = (case for case in cases(who, class_) if case[2] == "delete")
    assert compare(deletes) == 6 * 5 * 3 * 5 * 5
    assert compare(spread(who, class_)) == (len(DIMENSIONS["verb"]) - 1) * 5 * 5


@pytest.mark.long
@pytest.mark.parametrize("class_", DIMENSIONS["class"])
@pytest.mark.parametrize("who", DIMENSIONS["who"])
def test_every_combination(who: str, class_: str) -> None:
    """All of them, one by one."""
    assert compare(cases(who, class_)) == len(DIMENSIONS["verb"]) * 6 * 5 * 3 * 5 * 5


def test_the_page_is_as_it_would_be_written() -> None:
    """Its overview follows from its rows, and nobody has edited either by hand."""
    assert page(ROWS) == PAGE.read_text("utf-8")


def test_the_page_names_every_rule() -> None:
    """All that these combinations can meet; the others are tested one by one."""
    others = {"needs-name", "disabled", "out-of-scope", "needs-reason"}
    own = {"no-rule", "no-approver"}
    assert {row.rule for row in ROWS} == set(default_policies().rules()) - others | own


def test_the_page_can_be_read_by_a_person() -> None:
    """In a sitting."""
    assert len(PAGE.read_text("utf-8").splitlines()) < 200


def test_rows_are_boxes_that_do_not_overlap() -> None:
    """The same ones whatever the order in which their cases are met."""
    those = [("a", "x"), ("b", "x"), ("b", "y"), ("c", "y")]
    found = boxes(those)
    assert {frozenset(product(*box)) for box in found} == {
        frozenset([("a", "x")]),
        frozenset([("b", "x"), ("b", "y")]),
        frozenset([("c", "y")]),
    }
    assert boxes([("a", "x"), ("b", "x")]) == [(frozenset("ab"), frozenset("x"))]
    assert sum(len(list(product(*box))) for box in found) == len(those)


def test_the_comparison_can_fail() -> None:
    """A row too many, a row too few, and a rule that is not there are all met."""
    case = ("agent", "protected", "delete", "fits", "fits", "open", "given", "rests")
    rows = narrowed(ROWS, *case[:3])
    assert told(rows, case) == judged(case) == ("allow", frozenset(["agent"]))
    row = next(row for row in rows if row.fits(case))
    assert told([other for other in rows if other != row], case) != judged(case)
    for changed in (Row("deny", "agent", row.box), Row("allow", "person", row.box)):
        assert told([*rows, changed], case) != judged(case)
    with pytest.raises(ValueError, match="sometimes"):
        read(PAGE.read_text("utf-8").replace("| protected ", "| sometimes ", 1))
