"""The breaker: budgets by count, breadth and bytes, over windows that slide on time up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.governance.breaker import Budget, Budgets, Deed, over
from vault.governance.principal import PrincipalKind
from vault.limits import BUDGETS_LOOKED_AT

SPAN = timedelta(minutes=10)
NONE = Budget(span=SPAN)


def deed(uptime: float, caller: str = "bot", volume: str = "", **terms: Any) -> Deed:
    """A delete of a volume of its own, where none is named."""
    return Deed(
        caller=caller,
        environment=str(terms.get("environment", "production")),
        volume=volume or f"vol_{uptime}",
        bytes=int(terms.get("size", 0)),
        uptime=uptime,
    )


def budgets(agent: Budget = NONE, environment: Budget = NONE) -> Budgets:
    """Budgets that bound an agent and its environment alone."""
    return Budgets(human=NONE, agent=agent, service=NONE, environment=environment)


def exceeded(history: list[Deed], wish: Deed, bounds: Budgets) -> tuple[str, ...]:
    """What an agent's delete would exceed."""
    return over(history, wish, PrincipalKind.AGENT, bounds)


def test_the_last_that_fits_is_let_pass_and_the_next_is_not() -> None:
    """The number in the reason is what it would be with this one."""
    history = [deed(float(n)) for n in range(2)]
    bounds = budgets(Budget(span=SPAN, count=3))
    assert exceeded(history, deed(2.0), bounds) == ()
    assert exceeded([*history, deed(2.0)], deed(3.0), bounds) == (
        "bot has a budget of 3 deletes in 10m; with this it would be 4",
    )


def test_the_window_slides() -> None:
    """At the very end of the span a deed counts no more; none is forgotten sooner."""
    bounds = budgets(Budget(span=SPAN, count=2))
    history = [deed(100.0), deed(200.0)]
    assert exceeded(history, deed(699.999), bounds)
    assert exceeded(history, deed(700.0), bounds) == ()
    assert exceeded([*history, deed(700.0)], deed(799.999), bounds)
    assert exceeded([*history, deed(700.0)], deed(800.0), bounds) == ()


def test_a_restart_changes_nothing() -> None:
    """Time up goes on where it was: what was done before counts for the rest of its span."""
    before = [deed(5000.0 + n) for n in range(3)]
    bounds = budgets(Budget(span=SPAN, count=3))
    assert exceeded(before, deed(5030.0), bounds)
    assert exceeded(before, deed(5600.0), bounds) == ()


def test_breadth_counts_each_volume_once() -> None:
    """The same ones again are no more; one more of others is."""
    bounds = budgets(Budget(span=SPAN, breadth=2))
    history = [deed(1.0, volume="a"), deed(2.0, volume="b"), deed(3.0, volume="a")]
    assert exceeded(history, deed(4.0, volume="b"), bounds) == ()
    assert exceeded(history, deed(4.0, volume="c"), bounds) == (
        "bot has a budget of 2 volumes in 10m; with this it would be 3",
    )


def test_bytes_add_up() -> None:
    """One large volume can be too much by itself."""
    bounds = budgets(Budget(span=SPAN, bytes=100))
    assert exceeded([], deed(1.0, size=100), bounds) == ()
    assert exceeded([deed(0.0, size=60)], deed(1.0, size=40), bounds) == ()
    for history, size in (([deed(0.0, size=60)], 41), ([], 101)):
        assert exceeded(history, deed(1.0, size=size), bounds) == (
            "bot has a budget of 100 bytes in 10m; with this it would be 101",
        )


def test_identities_count_apart_and_their_environment_together() -> None:
    """Many names are no way around; another environment is another budget."""
    bounds = budgets(Budget(span=SPAN, count=2), Budget(span=SPAN, count=3))
    history = [deed(1.0, "bot"), deed(2.0, "bot"), deed(3.0, "other")]
    assert exceeded(history[:2], deed(4.0, "third"), bounds) == ()
    assert exceeded(history, deed(4.0, "third"), bounds) == (
        "the environment production has a budget of 3 deletes in 10m; with this it would be 4",
    )
    assert len(exceeded(history, deed(4.0, "bot"), bounds)) == 2
    assert exceeded(history, deed(4.0, "third", environment="staging"), bounds) == ()
    assert len(exceeded(history, deed(4.0, "bot", environment="staging"), bounds)) == 1


@pytest.mark.parametrize("kind", PrincipalKind)
def test_each_kind_has_its_budget(kind: PrincipalKind) -> None:
    """None has another's."""
    own = {other.value: Budget(span=SPAN, count=1 + (other is kind)) for other in PrincipalKind}
    bounds = Budgets(**own, environment=NONE)
    assert over([deed(0.0)], deed(1.0), kind, bounds) == ()
    assert over([deed(0.0), deed(0.5)], deed(1.0), kind, bounds)


def test_as_many_deeds_are_looked_at_as_can_matter() -> None:
    """One more than the largest count; all where that would be too many to be sure."""
    assert budgets(Budget(span=SPAN, count=7), Budget(span=SPAN, count=9)).most == 10
    assert budgets(Budget(span=SPAN, count=BUDGETS_LOOKED_AT + 1)).most == 0
    longer = Budget(span=timedelta(hours=1))
    assert budgets(NONE, longer).longest == timedelta(hours=1)


@given(
    st.lists(st.floats(0, 3600, allow_nan=False), max_size=40).map(sorted),
    st.integers(1, 5),
)
def test_no_ten_minutes_ever_see_more_than_the_budget(times: list[float], most: int) -> None:
    """Whenever they come: what is let pass lies within it, in every window."""
    bounds, passed = budgets(Budget(span=SPAN, count=most)), list[Deed]()
    for uptime in times:
        wish = deed(uptime)
        if not exceeded(passed, wish, bounds):
            passed.append(wish)
    for last in passed:
        lately = [d for d in passed if last.uptime - 600 < d.uptime <= last.uptime]
        assert len(lately) <= most
    assert bool(passed) == bool(times)
