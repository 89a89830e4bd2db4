"""Rights are types: who reads cannot write, who writes cannot delete."""

from __future__ import annotations

from datetime import timedelta

import pytest

from vault.store.memory import MemoryStore
from vault.store.opening import Right, compose_store
from vault.testing.clock import ManualClock

VERBS = {"put", "extend", "delete"}


@pytest.mark.parametrize(
    ("right", "verbs"),
    [
        ("reader", set()),
        ("recorder", {"put"}),
        ("writer", {"put", "extend"}),
        ("reaper", {"put", "delete"}),
    ],
)
def test_a_role_holds_its_verbs_and_no_others(right: Right, verbs: set[str]) -> None:
    clock = ManualClock()
    store = compose_store(MemoryStore(clock), right=right, clock=clock)
    assert {verb for verb in VERBS if hasattr(store, verb)} == verbs


def test_a_role_reaches_the_store() -> None:
    clock = ManualClock()
    memory = MemoryStore(clock, address="memory:here", clocked=False)
    writer = compose_store(memory, right="writer", clock=clock)
    reader = compose_store(memory, right="reader", clock=clock)
    reaper = compose_store(memory, right="reaper", clock=clock)
    until = clock.now() + timedelta(days=40)
    receipt = writer.put("events/a", b"a", until)
    assert writer.extend("events/a", until + timedelta(days=1), version=receipt.version) > until
    assert (reader.address, reader.clocked, reader.now()) == ("memory:here", False, clock.now())
    assert reader.get("events/a", 0, 1) == b"a"
    assert reader.retention("events/a").until == until + timedelta(days=1)
    clock.advance(timedelta(days=42))
    reaper.delete("events/a", version=receipt.version)
    assert list(reader.list("")) == []
