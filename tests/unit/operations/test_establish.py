"""Establish: one vault a home, whatever happens at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vault.errors import AlreadyInitialised
from vault.operations import homes
from vault.operations.establish import Founding, establish
from vault.repository.charter import load_charter
from vault.store.memory import MemoryStore
from vault.store.opening import compose_store
from vault.testing.clock import ManualClock


def test_of_many_at_once_one_makes_the_vault_and_its_kit_opens_it(tmp_path: Path) -> None:
    clock = ManualClock()
    store = compose_store(MemoryStore(clock), right="writer", clock=clock)
    wish = Founding(home=tmp_path, store_url="memory:", writer_name="host")

    def once(_: int) -> bool:
        try:
            establish(store, clock, wish)
        except AlreadyInitialised:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(once, range(8))) == 1
    kit = homes.read_kit(tmp_path / homes.KIT)
    assert homes.read_root(tmp_path) == kit.root_public
    assert load_charter(store, kit.root_public).vault == homes.read_vault_id(tmp_path)
