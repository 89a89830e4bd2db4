"""Establish: make a vault. Order: kit and keys on disk → the kit proved on a canary → charter in
the store → root pinned → vault.toml, the commit. Repeated after a crash, it goes on from there.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vault import limits
from vault.clock import Clock
from vault.codec.keyring import (
    RecoveryKit,
    SigningKey,
    WriterKeys,
    check_recipient,
    new_identity,
    recipient_of,
    role_key_text,
    unwrap,
    wrap,
)
from vault.errors import AlreadyInitialised, KitWrong, VaultMissing
from vault.ids import new_id
from vault.lifecycle.retention import Keep
from vault.operations import homes
from vault.operations.amend import check_environment_name, record_lock
from vault.operations.items import InitResult
from vault.operations.unit import exclusive
from vault.repository.charter import (
    Charter,
    EnvironmentTerms,
    Member,
    load_charter,
    store_charter,
)
from vault.settings import default_text
from vault.store.contract import WritableStore

ENVIRONMENTS = ("production", "staging")


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What a new vault is to be; without `recipients` an identity is made and put into the kit.

    With an `environment` there is no other in it.
    """

    home: Path
    store_url: str
    writer_name: str
    profile: str = ""
    recipients: tuple[str, ...] = ()
    environment: str = ""

    @property
    def environments(self) -> tuple[str, ...]:
        """Those of the charter: the one that was asked for, or the usual ones."""
        return (self.environment,) if self.environment else ENVIRONMENTS


def establish(store: WritableStore, clock: Clock, wish: Founding) -> InitResult:
    """Make a vault in an established, empty store.

    Raises AlreadyInitialised (this home, or another vault in the store), KitWrong (a recipient is
    none), StoreError. What was written before an error is taken up by the next call.
    """
    homes.check_year(clock)
    for name in wish.environments:
        check_environment_name(name)
    with exclusive(wish.home, "init"):  # of two at once, one would keep a kit that opens nothing
        return _establish(store, clock, wish)


def _establish(store: WritableStore, clock: Clock, wish: Founding) -> InitResult:
    refuse_second(wish.home)
    _refuse_other(store, wish)
    kit = _kit(clock, wish)
    recipients = wish.recipients or tuple(recipient_of(text) for text in kit.identities)
    _prove(kit, recipients)
    writer = _writer_keys(wish, kit)
    processes = [make_role_key(wish.home, path) for path in homes.PROCESS_KEYS.values()]
    if _stored_charter(store, kit) is None:
        keys = (writer, processes)
        charter = _charter(store, kit, recipients, keys, wish.environments)
        assert kit.root is not None
        store_charter(store, charter, kit.root, record_lock(store.now()))
    homes.write_private(wish.home / homes.ROOT, kit.root_public + "\n")
    homes.write_private(wish.home / homes.VAULT, kit.vault + "\n")
    text = default_text(
        wish.store_url, store.now(), profile=wish.profile, environment=wish.environment
    )
    homes.write_private(wish.home / homes.SETTINGS, text)
    return InitResult(
        home=wish.home,
        store=wish.store_url,
        vault=kit.vault,
        kit=wish.home / homes.KIT,
        notes=_notes(wish),
    )


def refuse_second(home: Path) -> None:
    """Refuse a home that has a vault, before anything is made. Raises AlreadyInitialised."""
    if (home / homes.SETTINGS).exists():
        raise AlreadyInitialised(
            f"{home} holds a vault already",
            safe="It stays as it is.",
            hint="Go on with: vault status. For another vault choose another VAULT_HOME.",
        )


def _refuse_other(store: WritableStore, wish: Founding) -> None:
    kit = homes.default_kit(wish.home)
    stored = next(store.list("charter/"), None)
    if stored is not None and (kit is None or _stored_charter(store, homes.read_kit(kit)) is None):
        raise AlreadyInitialised(
            f"the store {wish.store_url} holds another vault already",
            safe="It stays as it is.",
            hint="Choose another prefix; to use that vault: vault rebuild --store URL --kit FILE",
        )


def _stored_charter(store: WritableStore, kit: RecoveryKit) -> Charter | None:
    try:
        return load_charter(store, kit.root_public)
    except VaultMissing:
        return None


def _kit(clock: Clock, wish: Founding) -> RecoveryKit:
    for recipient in wish.recipients:
        check_recipient(recipient)
    path = wish.home / homes.KIT
    if not path.exists():
        root = SigningKey(secrets.token_bytes(32))
        identities = () if wish.recipients else (new_identity()[0],)
        made = RecoveryKit(
            new_id("vault", clock.now()), wish.store_url, root, root.public_hex, identities
        )
        homes.write_private(path, made.text())
    return homes.read_kit(path)


def _prove(kit: RecoveryKit, recipients: tuple[str, ...]) -> None:
    canary = secrets.token_bytes(32)
    sealed = wrap(canary, recipients)
    if kit.identities and unwrap(sealed, kit.identities) != canary:
        raise KitWrong(
            "the new recovery kit does not open what was sealed for it",
            safe="Nothing was written to the store.",
            hint="Remove the file recovery.kit from the vault's home and run vault init again.",
        )


def _writer_keys(wish: Founding, kit: RecoveryKit) -> WriterKeys:
    path = wish.home / homes.WRITER_KEY
    if not path.exists():
        made = WriterKeys(
            kit.vault,
            wish.writer_name,
            SigningKey(secrets.token_bytes(32)),
            secrets.token_bytes(32),
            secrets.token_bytes(32),
        )
        homes.write_private(path, made.text())
    return homes.read_writer_keys(wish.home)


def make_role_key(home: Path, path: str) -> SigningKey:
    """The signing key of a process in this home, made where there is none yet, durably."""
    made = SigningKey(secrets.token_bytes(32))
    homes.write_private(home / path, role_key_text(made, Path(path).stem))
    return homes.read_role_key(home / path)


def _charter(
    store: WritableStore,
    kit: RecoveryKit,
    recipients: tuple[str, ...],
    keys: tuple[WriterKeys, Sequence[SigningKey]],
    environments: tuple[str, ...],
) -> Charter:
    now = store.now()
    writer, processes = keys
    window = int(limits.PROTECTED_WINDOW_FLOOR.total_seconds())
    return Charter(
        vault=kit.vault,
        number=1,
        previous="",
        created_at=now,
        root=kit.root_public,
        recipients=recipients,
        members=(
            Member(key=writer.signing.public_hex, role="writer", name=writer.name, added_at=now),
            *(
                Member(key=key.public_hex, role=role, name=role, added_at=now)
                for role, key in zip(homes.PROCESS_KEYS, processes, strict=True)
            ),
        ),
        environments={
            name: EnvironmentTerms(kind="protected", window_seconds=window) for name in environments
        },
        keep=Keep(),
        min_lock_seconds=int(limits.MIN_LOCK.total_seconds()),
        max_lock_seconds=int(limits.MAX_LOCK.total_seconds()),
        final_lock_seconds=int(limits.FINAL_LOCK_AFTER_PURGE.total_seconds()),
    )


def _notes(wish: Founding) -> tuple[str, ...]:
    notes = []
    if wish.store_url.startswith("file:"):
        notes.append("NOT ISOLATED: the store is on this host; for real use give --store s3://…")
    if wish.recipients:
        notes.append("The kit holds the root key only; contents are read with your own identity.")
    return tuple(notes)
