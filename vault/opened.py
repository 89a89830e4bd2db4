"""A vault opened in one role: its home and settings, and each right when it is first used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from vault import compose, operations, repository, settings
from vault.errors import UsageError
from vault.operations import homes
from vault.progress import Progress, Silent

if TYPE_CHECKING:
    from vault.operations.duties import Attempts
    from vault.operations.items import InitResult
    from vault.operations.unit import CollectUnit, LocalUnit, ReadUnit, RecordUnit, WriteUnit
    from vault.repository.sessions import SessionRing

_SILENT = Silent()


class Opened:
    """What a Vault stands on; a context manager."""

    def __init__(self, local: LocalUnit, role: compose.RoleName, stack: ExitStack) -> None:
        self._local = local
        self._role = role
        self._stack = stack
        self._attempts: Attempts = {}
        self._started = local.clock.now()

    # --- opening ---------------------------------------------------------------------------------

    @classmethod
    def init(
        cls,
        home: Path | None = None,
        *,
        store: str | None = None,
        profile: str = "",
        recipients: tuple[str, ...] = (),
        environment: str = "",
    ) -> InitResult:
        """Make a vault; without `store`, backups go below its home (NOT ISOLATED).

        `profile` names the writer's credentials, `environment` the only one there is to be.
        Raises AlreadyInitialised, NotWriteOnce.
        """
        home = home or settings.home(os.environ)
        wish = operations.establish.Founding(
            home=home,
            store_url=f"file://{home / 'store'}" if store is None else store,
            writer_name=os.uname().nodename,
            profile=profile,
            recipients=recipients,
            environment=environment,
        )
        with settings.usable(home):
            return compose.found(wish)

    @classmethod
    def open(
        cls,
        home: Path | None = None,
        *,
        config: Path | None = None,
        role: compose.RoleName = "writer",
        environment: str = "",
        progress: Progress | None = None,
    ) -> Self:
        """Open this host's vault; the store is reached when it is first needed.

        With an `environment`, or where vault.toml names the one that is served, no other is there
        for whatever is asked of it.
        """
        if home is None:
            home = config.absolute().parent if config else settings.home(os.environ)
        stack = ExitStack()
        with stack:
            local = compose.local_unit(home, config, role, progress or _SILENT, stack)
            served = local.catalog.scoped(local.settings.serves.environment).scoped(environment)
            return cls(replace(local, catalog=served), role, stack.pop_all())

    @classmethod
    def from_store(
        cls,
        url: str,
        kit: Path,
        *,
        profile: str | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Open a vault known only by its store and kit, to read: nothing is set up here."""
        stack = ExitStack()
        with stack:
            opened = homes.read_kit(kit)
            unit = compose.away_unit(opened, url, profile, progress or _SILENT, stack)
            operations.rebuild.rebuild(unit)
            vault = cls(unit, "reader", stack.pop_all())
            vault.__dict__["_reading"] = unit
            return vault

    @classmethod
    def repair(cls, home: Path | None = None, *, config: Path | None = None) -> Path | None:
        """Set a damaged catalog aside, so that `open` and `rebuild` can make it anew.

        Returns where the damaged file is now, None where there was none.
        """
        return compose.set_damaged_aside(home or settings.home(os.environ), config)

    @classmethod
    def join(cls, home: Path | None, *, store: str, kit: Path, profile: str = "") -> None:
        """Make a home on this host for a vault that is in the store."""
        wish = operations.rebuild.Joining(
            home=home or settings.home(os.environ),
            store_url=store,
            writer_name=os.uname().nodename,
            profile=profile,
        )
        with settings.usable(wish.home):
            compose.join_vault(wish, homes.read_kit(kit))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of catalog and index."""
        self._stack.close()

    # --- rights, opened when they are first used -------------------------------------------------

    @cached_property
    def _reading(self) -> ReadUnit:
        if self._role == "writer":
            return self._writing
        if self._role == "purger":
            return self._purging
        return self._collecting if self._role == "collector" else compose.read_unit(self._local)

    @property
    def _known(self) -> LocalUnit:
        """The catalog; one that was never told, or is lost, is told by the store first."""
        told = self._role != "writer" or compose.is_filled(self._local)
        return self._local if told else self._writing

    @contextmanager
    def _entered(self) -> Iterator[WriteUnit]:
        """What is done in here is in the audit log, in the store, before it is acknowledged.

        After an error the entries wait, durably, for whoever commits next.
        """
        yield self._writing
        operations.audit.commit(self._writing)

    @cached_property
    def _writing(self) -> WriteUnit:
        self._insist("writer")
        return compose.write_unit(self._local, self._stack)

    @cached_property
    def _purging(self) -> RecordUnit:
        self._insist("purger")
        return compose.purge_unit(self._local)

    @cached_property
    def _collecting(self) -> CollectUnit:
        self._insist("collector")
        return compose.collect_unit(self._local)

    def _insist(self, role: compose.RoleName) -> None:
        if self._role != role:
            raise UsageError(
                f"this is done in the role of the {role}, and the vault was opened as {self._role}",
                safe="Nothing was changed.",
                hint=f'Open it with role="{role}".',
            )

    def _kit(self, given: Path | None) -> Path | None:
        return given or homes.default_kit(self._local.home)

    def _ring(self, kit: Path | None) -> SessionRing:
        unit = self._reading
        opened = homes.read_kit(self._kit(kit))
        operations.keys.insist_same_vault(unit, opened)
        ring = repository.sessions.SessionRing
        return ring(unit.reader, unit.charter, opened.identities, unit.tampering)
