"""The one place that wires: opens stores, keys, catalog and adapters for a role; nothing is found
elsewhere, all is passed from here.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from msgspec.structs import replace

from vault import operations, repository
from vault.catalog.database import open_catalog
from vault.catalog.rebuild import set_aside
from vault.clock import SystemClock
from vault.errors import CatalogCorrupt, Unauthentic
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.tracker import Answer
from vault.operations import homes
from vault.operations.unit import CollectUnit, LocalUnit, ReadUnit, RecordUnit, WriteUnit
from vault.progress import Progress, Silent
from vault.settings import Settings, StoreSettings, TrackerSettings, load_settings
from vault.store.locks import LockTerms
from vault.store.opening import establish_store, open_store

if TYPE_CHECKING:
    from vault.codec.keyring import RecoveryKit
    from vault.operations.establish import Founding
    from vault.operations.items import InitResult
    from vault.operations.rebuild import Joining
    from vault.provider import Provider
    from vault.repository.authentic import TamperingLog
    from vault.repository.charter import Charter
    from vault.store.contract import Reader

RoleName: TypeAlias = Literal["writer", "purger", "collector", "reader"]

CATALOG = "catalog.db"
INDEX = "index.db"
_TRACKER_TOKEN = "VAULT_TRACKER_TOKEN"
_FILLED = "filled"
_ADAPTERS = "vault.adapters"  # the group of entry points
_OWN_ADAPTERS = {"directory": "adapters.directory"}  # each with a function `provider`
_CHARTER = "charter"  # the highest number that was seen


def local_unit(
    home: Path, config: Path | None, role: RoleName, progress: Progress, stack: ExitStack
) -> LocalUnit:
    """What needs no store. Raises NotInitialised, SettingsError, CatalogError."""
    path = config or home / homes.SETTINGS
    homes.insist(path)
    catalog = open_catalog(home / CATALOG)
    stack.callback(catalog.close)
    settings = load_settings(path)
    return LocalUnit(
        home=home,
        settings=settings,
        clock=SystemClock(),
        catalog=catalog,
        progress=progress,
        principal=_principal(role),
        tracker=partial(_ask_tracker, settings.tracker) if settings.tracker.url else None,
    )


def set_damaged_aside(home: Path, config: Path | None) -> Path | None:
    """Move a damaged catalog out of the way; None where it is sound. Raises NotInitialised."""
    homes.insist(config or home / homes.SETTINGS)
    return _set_damaged_aside(home)


def _set_damaged_aside(home: Path) -> Path | None:
    try:
        with closing(open_catalog(home / CATALOG)) as catalog:
            catalog.check()
    except CatalogCorrupt:
        return set_aside(home / CATALOG)
    return None


def read_unit(local: LocalUnit) -> ReadUnit:
    """The reader's, with the reader's credential. Raises StoreError, VaultMissing."""
    url, profile = local.settings.store_url, _profile(local.settings, "reader")
    reader = open_store(url, right="reader", clock=local.clock, profile=profile)
    return _reading(local, reader)


def write_unit(local: LocalUnit, stack: ExitStack) -> WriteUnit:
    """The daemon's and the operator's."""
    url, profile = local.settings.store_url, _profile(local.settings, "writer")
    reading = _reading(local, open_store(url, right="reader", clock=local.clock, profile=profile))
    terms = _terms(reading.charter)
    store = open_store(url, right="writer", clock=local.clock, profile=profile, terms=terms)
    keys = homes.read_writer_keys(local.home)
    index = repository.index.LocalIndex(local.home / INDEX)
    stack.callback(index.close)
    unit = WriteUnit(
        **_fields(reading), store=store, signer=keys.signing, role="writer", keys=keys, index=index
    )
    _insist_member(unit.charter, unit)
    if not is_filled(local):
        operations.rebuild.rebuild(unit)
        local.catalog.meta.set(_FILLED, reading.charter.vault)
    return unit


def is_filled(local: LocalUnit) -> bool:
    """Whether the catalog was ever told what the store holds: a new one, or a lost one, was not."""
    return local.catalog.meta.get(_FILLED) == homes.read_vault_id(local.home)


def renewed(unit: WriteUnit) -> WriteUnit:
    """The unit with the charter that holds now. Raises Unauthentic where it has no more say."""
    charter = repository.charter.load_charter(
        unit.reader, homes.read_root(unit.home), unit.tampering
    )
    if charter == unit.charter:
        return unit
    _compare(unit, charter, unit.tampering)
    _insist_member(charter, unit)
    return replace(unit, charter=charter)


def _insist_member(charter: Charter, unit: WriteUnit) -> None:
    """Refuse to acknowledge what no reader would accept."""
    if not charter.allows(unit.signer.public_hex, "writer", unit.reader.now()):
        raise Unauthentic(
            "this host's key was revoked: nothing that it signs counts any more",
            safe="What it signed before stays good; nothing new was recorded.",
            hint="Join again with a key of its own: vault rebuild --store URL --kit FILE",
        )


def purge_unit(local: LocalUnit) -> RecordUnit:
    """The purger's: reads everything, adds its own records, destroys at the provider only."""
    url, profile = local.settings.store_url, _profile(local.settings, "purger")
    reading = _reading(local, open_store(url, right="reader", clock=local.clock, profile=profile))
    terms = _terms(reading.charter)
    store = open_store(url, right="recorder", clock=local.clock, profile=profile, terms=terms)
    signer = homes.read_role_key(local.home / homes.PURGER_KEY)
    return RecordUnit(**_fields(reading), store=store, signer=signer, role="purger")


def collect_unit(local: LocalUnit) -> CollectUnit:
    """The collector's: the only one with a Reaper; adds what it did to its own audit log."""
    url, profile = local.settings.store_url, _profile(local.settings, "collector")
    reading = _reading(local, open_store(url, right="reader", clock=local.clock, profile=profile))
    terms = _terms(reading.charter)
    store = open_store(url, right="reaper", clock=local.clock, profile=profile, terms=terms)
    signer = homes.read_role_key(local.home / homes.COLLECTOR_KEY)
    return CollectUnit(**_fields(reading), store=store, signer=signer, role="collector")


def away_unit(
    kit: RecoveryKit, url: str, profile: str | None, progress: Progress, stack: ExitStack
) -> ReadUnit:
    """A vault that is known only by its store and kit; its catalog lives as long as `stack`."""
    folder = Path(stack.enter_context(homes.scratch()))
    catalog = open_catalog(None)
    stack.callback(catalog.close)
    local = LocalUnit(
        home=folder,
        settings=Settings(StoreSettings(url)),
        clock=SystemClock(),
        catalog=catalog,
        progress=progress,
        principal=_principal("reader"),
    )
    homes.write_private(folder / homes.ROOT, kit.root_public + "\n")
    homes.write_private(folder / homes.VAULT, kit.vault + "\n")
    reader = open_store(url, right="reader", clock=local.clock, profile=profile)
    return _reading(local, reader)


def found(wish: Founding) -> InitResult:
    """Make a vault: see `operations.establish`."""
    clock, profile = SystemClock(), wish.profile or None
    operations.establish.refuse_second(wish.home)
    homes.make_private(wish.home)
    establish_store(wish.store_url, clock=clock, profile=profile)
    store = open_store(wish.store_url, right="writer", clock=clock, profile=profile)
    return operations.establish.establish(store, clock, wish)


def join_vault(wish: Joining, kit: RecoveryKit) -> None:
    """Make a home for a vault that exists: see `operations.rebuild.join`."""
    homes.make_private(wish.home)
    if (wish.home / homes.SETTINGS).exists():
        return  # it has joined
    _set_damaged_aside(wish.home)
    operations.rebuild.prepare(kit, wish)  # which makes the catalog's file durable, too
    with ExitStack() as stack:
        unit = _joining(wish, stack)
        operations.rebuild.join(unit, kit, wish)
        unit.catalog.meta.set(_FILLED, unit.charter.vault)


def _joining(wish: Joining, stack: ExitStack) -> RecordUnit:
    """A writer's whose key does not count yet."""
    catalog, profile = open_catalog(wish.home / CATALOG), wish.profile or None
    stack.callback(catalog.close)
    local = LocalUnit(
        home=wish.home,
        settings=Settings(StoreSettings(wish.store_url)),
        clock=SystemClock(),
        catalog=catalog,
        progress=Silent(),
        principal=_principal("writer"),
    )
    reader = open_store(wish.store_url, right="reader", clock=local.clock, profile=profile)
    reading = _reading(local, reader)
    terms = _terms(reading.charter)
    store = open_store(
        wish.store_url, right="writer", clock=local.clock, profile=profile, terms=terms
    )
    signer = homes.read_writer_keys(wish.home).signing
    return RecordUnit(**_fields(reading), store=store, signer=signer, role="writer")


class _Installed(Mapping[str, "Provider"]):
    """The adapters that are there, by name; none is made before its use.

    Those that come with vault are known: to ask what other distributions announce takes longer.
    """

    def __init__(self) -> None:
        self._made: dict[str, Provider] = {}

    @cached_property
    def _announced(self) -> dict[str, Any]:
        points = import_module("importlib.metadata").entry_points(group=_ADAPTERS)
        return {point.name: point for point in points}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._made:
            own = _OWN_ADAPTERS.get(name)
            make = import_module(own).provider if own else self._announced[name].load()
            self._made[name] = make()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_OWN_ADAPTERS | self._announced)

    def __len__(self) -> int:
        return len(_OWN_ADAPTERS | self._announced)


def installed_providers() -> Mapping[str, Provider]:
    """Every adapter that is installed, by name."""
    return _Installed()


def _ask_tracker(settings: TrackerSettings, environment: str, task: str) -> Answer:
    """What asks is loaded where there is something to ask."""
    try:
        door = import_module("vault.tracker")
    except ModuleNotFoundError as error:
        missing = f"cannot be asked without {error.name}: pip install 'vault-softdelete[tracker]'"
        return Answer(failure=missing)
    answer: Answer = door.ask(
        settings.url,
        environment,
        task,
        seconds=settings.timeout.total_seconds(),
        token=os.environ.get(_TRACKER_TOKEN, ""),
    )
    return answer


def _reading(local: LocalUnit, reader: Reader) -> ReadUnit:
    tampering: TamperingLog = []
    charter = repository.charter.load_charter(reader, homes.read_root(local.home), tampering)
    _compare(local, charter, tampering)
    return ReadUnit(
        **_fields(local),
        reader=reader,
        charter=charter,
        providers=installed_providers(),
        tampering=tampering,
    )


def _compare(local: LocalUnit, charter: Charter, tampering: TamperingLog) -> None:
    """Note it where this host has seen a newer charter: whoever destroys something must then stop.

    Without it the store shows one in which a key may not be revoked yet.
    """
    seen = int(local.catalog.meta.get(_CHARTER) or "0")
    if charter.number < seen:
        detail = "a charter that this host has seen is gone, and an older one holds"
        repository.authentic.note(tampering, f"charter/{seen:08d}", "gap", detail)
    elif charter.number > seen:
        local.catalog.meta.set(_CHARTER, str(charter.number))


def _terms(charter: Charter) -> LockTerms:
    """The charter's floor and ceiling, kept by the store's own layer whatever its callers ask."""
    return LockTerms(
        minimum=timedelta(seconds=charter.min_lock_seconds),
        ceiling=timedelta(seconds=charter.max_lock_seconds),
    )


def _profile(settings: Settings, role: RoleName) -> str | None:
    return settings.roles[role].profile or None


def _principal(role: RoleName) -> Principal:
    """The operator by name for what people do; the process itself for what it does alone."""
    host = os.uname().nodename
    if role in ("purger", "collector"):
        return Principal(PrincipalKind.SERVICE, f"{role}@{host}", Via.PROCESS)
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    return Principal(PrincipalKind.HUMAN, f"{name}@{host}")


def _fields(unit: LocalUnit) -> dict[str, Any]:
    """A unit's own parts, to be widened by further rights."""
    return {name: getattr(unit, name) for name in unit.__struct_fields__}
