"""A whole vault around a memory store and a clock moved by hand: every operation, no process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.directory import provider
from vault.catalog.database import open_catalog
from vault.clock import SystemClock
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.operations import homes
from vault.operations.enroll import Enrolment, enroll
from vault.operations.establish import Founding, establish
from vault.operations.unit import CollectUnit, RecordUnit, WriteUnit
from vault.progress import Silent
from vault.repository.charter import load_charter
from vault.repository.index import LocalIndex
from vault.repository.sessions import SessionRing
from vault.settings import Settings, StoreSettings
from vault.store.locks import LockTerms
from vault.store.memory import MemoryStore
from vault.store.opening import compose_store
from vault.testing.clock import ManualClock

OPERATOR = Principal(PrincipalKind.HUMAN, "ann@host")


@dataclass
class Site:
    """A vault of one volume `db`, and the units of its roles."""

    clock: ManualClock
    memory: MemoryStore
    home: Path
    source: Path
    write: WriteUnit

    @property
    def purger(self) -> RecordUnit:
        """The purger, with a right and a key of its own."""
        store = compose_store(self.memory, right="recorder", clock=self.clock)
        signer = homes.read_role_key(self.home / homes.PURGER_KEY)
        fields = {name: getattr(self.write, name) for name in RecordUnit.__struct_fields__}
        fields |= {
            "reader": store,
            "store": store,
            "signer": signer,
            "role": "purger",
            "principal": Principal(PrincipalKind.SERVICE, "purger@host", Via.PROCESS),
            "tampering": [],
        }
        return RecordUnit(**fields)

    @property
    def collector(self) -> CollectUnit:
        """The collector, the only one with a Reaper."""
        store = compose_store(self.memory, right="reaper", clock=self.clock)
        signer = homes.read_role_key(self.home / homes.COLLECTOR_KEY)
        fields = {name: getattr(self.write, name) for name in CollectUnit.__struct_fields__}
        fields |= {
            "reader": store,
            "store": store,
            "signer": signer,
            "role": "collector",
            "principal": Principal(PrincipalKind.SERVICE, "collector@host", Via.PROCESS),
            "tampering": [],
        }
        return CollectUnit(**fields)

    @property
    def ring(self) -> SessionRing:
        """What the recovery kit opens."""
        kit = homes.read_kit(self.home / homes.KIT)
        return SessionRing(self.write.reader, self.write.charter, kit.identities)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A vault with one volume of a few files; its clock starts at the host's own time."""
    clock = ManualClock(SystemClock().now())
    memory = MemoryStore(clock)
    store = compose_store(memory, right="writer", clock=clock, terms=LockTerms())
    home, source = tmp_path / "home", tmp_path / "srv" / "db"
    home.mkdir(mode=0o700)
    establish(store, clock, Founding(home=home, store_url="memory:", writer_name="host"))
    source.mkdir(parents=True)
    (source / "orders").write_bytes(b"orders" * 1000)
    (source / "link").symlink_to("orders")
    keys = homes.read_writer_keys(home)
    index, catalog = LocalIndex(home / "index.db"), open_catalog(home / "catalog.db")
    write = WriteUnit(
        home=home,
        settings=Settings(StoreSettings("memory:")),
        clock=clock,
        catalog=catalog,
        progress=Silent(),
        principal=OPERATOR,
        reader=store,
        charter=load_charter(store, homes.read_root(home)),
        providers={"directory": provider()},
        store=store,
        signer=keys.signing,
        role="writer",
        keys=keys,
        index=index,
    )
    enroll(write, Enrolment(name="db", path=str(source)))
    yield Site(clock, memory, home, source, write)
    index.close()
    catalog.close()
