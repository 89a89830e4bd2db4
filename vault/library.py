"""The library: what a platform's own delete handler calls; the command line has no power beyond it.

with Vault.open() as vault:
    tombstone = vault.delete("prod-db", reason="replaced by prod-db-2", task="OPS-117")
    print(tombstone.id, tombstone.undo_until)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from vault import compose, operations
from vault import store as stores
from vault.errors import VaultError
from vault.governance.request import Verb
from vault.lifecycle.event import EventType
from vault.opened import Opened
from vault.operations import homes, items
from vault.operations.render import environment_item, snapshot_item, tombstone_item, volume_item
from vault.operations.unit import environments_here
from vault.oversight import Oversight

if TYPE_CHECKING:
    from vault.governance.principal import Principal
    from vault.lifecycle.due import Duty
    from vault.messenger.dispatch import Dispatch
    from vault.operations.copying import CopyPlan
    from vault.operations.enroll import Enrolment
    from vault.operations.tell import ToldItem
    from vault.operations.workloads import KeySource
    from vault.store.attest import Attestation


class Vault(Opened):
    """One vault, opened in one role; a context manager. Every method may raise VaultError."""

    def authenticate(self, token: str, issuers: KeySource | None = None) -> Principal:
        """Who shows this token. Raises TokenInvalid, which tells nothing more.

        With `issuers`, which has their keys, those of the workloads in vault.toml count, too.
        """
        environment = self._local.catalog.environment
        if issuers is not None and self._local.settings.workload and token.count(".") == 2:
            return operations.workloads.authenticate(
                self._writing, token, issuers, environment=environment
            )
        return operations.tokens.authenticate(self._writing, token, environment=environment)

    def acting_as(self, principal: Principal) -> Vault:
        """This vault for a caller: what they may do, in their environment alone; needs no closing.

        Raises UsageError where this process serves another environment.
        """
        catalog = self._local.catalog.scoped(principal.environment)
        unit = replace(self._writing, principal=principal, catalog=catalog)
        vault = Vault(unit, self._role, ExitStack())
        vault.__dict__["_writing"] = unit
        return vault

    def renew(self) -> None:
        """Look for a newer charter: a process that lives long calls this now and then."""
        self._writing = compose.renewed(self._writing)

    @property
    def oversight(self) -> Oversight:
        """Who may do what here, and what they did."""
        return Oversight(lambda: self._writing, lambda: self._reading)

    # --- what to protect -------------------------------------------------------------------------

    def volumes(self) -> tuple[items.VolumeItem, ...]:
        """Every volume that is not removed."""
        unit = self._known
        volumes = (v for v in unit.catalog.volumes.all() if v.state != "removed")
        return tuple(volume_item(unit, volume) for volume in volumes)

    def volume(self, name: str) -> items.VolumeItem:
        """One volume by name, id or unique prefix of an id. Raises VolumeUnknown."""
        return volume_item(self._known, self._known.catalog.volumes.resolve(name))

    def add_volume(self, wish: Enrolment) -> items.VolumeItem:
        """Register a volume. Raises VolumeExists, SourceOverlaps, SourceVanished."""
        with self._entered() as unit:
            volume = operations.enroll.enroll(unit, wish)
        return volume_item(self._local, volume)

    def pause(self, name: str, *, resume: bool = False) -> items.VolumeItem:
        """Take no more scheduled snapshots, or take them again."""
        return self._change(name, EventType.VOLUME_RESUMED if resume else EventType.VOLUME_PAUSED)

    def acknowledge(self, name: str) -> items.VolumeItem:
        """A person has seen that a volume vanished or was replaced: accept how it is now."""
        return self._change(name, EventType.SOURCE_ACKNOWLEDGED)

    def remove_volume(self, name: str) -> items.VolumeItem:
        """Protect it no longer; its data and what is stored of it stay."""
        return self._change(name, EventType.VOLUME_REMOVED)

    def keep(self, name: str, terms: str, *, reason: str = "") -> items.VolumeItem:
        """Keep more or less of what is stored from now on, as `daily=7`. Raises ApprovalNeeded."""
        with self._entered() as unit:
            volume = operations.enroll.keep(unit, name, terms, reason=reason)
        return volume_item(self._local, volume)

    def move_volume(self, name: str, environment: str, *, reason: str) -> items.VolumeItem:
        """Let it belong to another environment, where this home serves both.

        Raises ApprovalNeeded: people agree before it leaves a protected one.
        """
        with self._entered() as unit:
            volume = operations.move.move(unit, name, environment, reason=reason)
        return volume_item(self._local, volume)

    # --- snapshots -------------------------------------------------------------------------------

    def snapshot(self, name: str) -> items.SnapshotItem:
        """Take a snapshot now; on return it is committed, read back and locked."""
        with self._entered() as unit:
            volume = unit.catalog.volumes.resolve(name)
            operations.gate.admit(unit, operations.gate.question_of(Verb.SNAPSHOT, volume))
            plan = operations.capture.CapturePlan(volume=volume, location=volume.location)
            record, findings = operations.capture.capture(unit, plan)
        return snapshot_item(unit.catalog.snapshots.get(record.header.id), findings)

    def snapshots(self, volume: str | None = None) -> tuple[items.SnapshotItem, ...]:
        """All snapshots, or those of one volume, oldest first.

        A name brings those of volumes that had it before, too; an id means one volume alone.
        """
        catalog = self._known.catalog
        rows = catalog.snapshots.all()
        if volume:
            found = catalog.volumes.resolve(volume)
            named, place = volume == found.name, (found.name, found.environment)
            rows = [
                row
                for row in rows
                if row.volume == found.id or (named and (row.volume_name, row.environment) == place)
            ]
        return tuple(map(snapshot_item, rows))

    def ls(
        self, snapshot: str, path: str = "", *, kit: Path | None = None
    ) -> Iterator[items.EntryItem]:
        """The entries at and below a path."""
        return operations.inspect.list_entries(self._reading, self._ring(kit), snapshot, path)

    def cat(self, snapshot: str, path: str, *, kit: Path | None = None) -> Iterator[bytes]:
        """A file's bytes, verified before they are handed out."""
        return operations.inspect.read_file(self._reading, self._ring(kit), snapshot, path)

    def diff(
        self, snapshot: str, other: str | None = None, path: str = "", *, kit: Path | None = None
    ) -> Iterator[items.DiffItem]:
        """What changed up to `other`, or from the snapshot before where there is no `other`."""
        unit = self._reading
        pair = (snapshot, other) if other else operations.inspect.previous_of(unit, snapshot)
        return operations.inspect.diff(unit, self._ring(kit), pair, path)

    # --- delete and undelete ---------------------------------------------------------------------

    def tombstone(self, text: str) -> items.TombstoneItem:
        """One tombstone by its id or the beginning of it. Raises TombstoneUnknown."""
        return tombstone_item(self._known.catalog.tombstones.get(text))

    def deleted_by_caller(
        self, name: str, *, reason: str, task: str = "", key: str = ""
    ) -> items.TombstoneItem | None:
        """The tombstone that this very caller made of a volume with these words, while it is one.

        For whoever asks again because an answer was lost; from then on the key means it, too.
        Raises VolumeUnknown.
        """
        with self._entered() as unit:
            wish = operations.repeat.Wish(name, reason, task)
            made = operations.repeat.made_by_caller(unit, wish, key)
        return tombstone_item(made) if made is not None else None

    def delete(
        self, name: str, *, reason: str, task: str = "", key: str = ""
    ) -> items.TombstoneItem:
        """Turn a volume into a tombstone; on return it is recorded in the store and undoable.

        Asked again with an idempotency `key`, it is what the first time has become, and nothing is
        deleted anew. Raises VolumeUnknown, VolumeTombstoned, Denied, SourceError, StoreError;
        UsageError: the key came with another request before.
        """
        with self._entered() as unit:
            wish = operations.repeat.Wish(name, reason, task)
            return tombstone_item(operations.repeat.delete(unit, wish, key))

    def tombstones(self) -> tuple[items.TombstoneItem, ...]:
        """Every tombstone, oldest first, whatever became of it."""
        return tuple(map(tombstone_item, self._known.catalog.tombstones.all()))

    def undelete(self, ids: Sequence[str]) -> tuple[items.TombstoneItem, ...]:
        """Bring volumes back to their places. Raises at the first that cannot be."""
        with self._entered() as unit:
            return tuple(tombstone_item(operations.undelete.undelete(unit, each)) for each in ids)

    def undelete_since(self, span: timedelta, *, by: str = "") -> tuple[items.TombstoneItem, ...]:
        """Bring back all that was deleted within this span (by one identity) and can be undone."""
        since = self._writing.clock.now() - span
        undoable = operations.undelete.undoable_since(self._writing, since, by)
        return self.undelete([tombstone.id for tombstone in undoable])

    def hold(self, tombstone: str, reason: str = "") -> items.TombstoneItem:
        """Nothing of it is purged or expires until it is released."""
        with self._entered() as unit:
            return tombstone_item(operations.hold.hold(unit, tombstone, reason))

    def release(self, tombstone: str, reason: str = "") -> items.TombstoneItem:
        """Take a hold off. Raises ApprovalNeeded: people agree first, where it is protected."""
        with self._entered() as unit:
            return tombstone_item(operations.hold.release(unit, tombstone, reason))

    def purge_early(self, tombstone: str, *, reason: str, task: str = "") -> items.TombstoneItem:
        """Let it be purged once 48 hours are over, before a longer window. Raises ApprovalNeeded.

        Until the purger has begun, undelete works as before.
        """
        with self._entered() as unit:
            made = operations.early.purge_early(unit, tombstone, reason=reason, task=task)
        return tombstone_item(made)

    # --- getting data back -----------------------------------------------------------------------

    def restore(self, request: items.RestoreRequest) -> items.RestoreReport:
        """Write a snapshot's contents to a place. Raises UsageError, KitMissing, DiskFull.

        With an environment the place becomes a volume there. That and a restore in place are
        requests like any other: Denied, VolumeExists, SourceOverlaps come before a byte is written.
        """
        unit = self._reading
        plan = operations.restore.plan_restore(unit, request)
        if request.environment:
            return self._copy(request, operations.copying.plan_copy(unit, plan, request))
        saved = ""
        if plan.in_place and not request.dry_run:
            with self._entered() as writing:
                operations.restore.let_overwrite(writing, plan)
                saved = operations.restore.save_present(writing, plan)
        elif not request.dry_run:
            operations.restore.let_write(unit, plan)
        report = operations.restore.execute_restore(
            unit, self._ring(request.kit), plan, dry_run=request.dry_run
        )
        return replace(report, saved=saved)

    def _copy(self, request: items.RestoreRequest, plan: CopyPlan) -> items.RestoreReport:
        ring, write = self._ring(request.kit), operations.restore.execute_restore
        if request.dry_run:
            return write(self._reading, ring, plan.restore, dry_run=True)
        with self._entered() as unit:
            operations.copying.let_copy(unit, plan)
            report = write(unit, ring, plan.restore, dry_run=False)
            return replace(report, registered=operations.copying.register_copy(unit, plan))

    def rehearse(self, name: str, *, kit: Path | None = None) -> items.RehearseReport:
        """Prove that a snapshot can be restored, without writing anything."""
        return operations.rehearse.rehearse(self._reading, self._ring(kit), name)

    def verify(self, *, deep: bool = False) -> items.VerifyReport:
        """Check that everything stored is there, authentic and locked; needs no kit."""
        report = operations.verify.verify(self._reading, deep=deep)
        if self._role == "writer":
            operations.verify.mend(self._writing, report)
            operations.alarm.verification(self._writing, report)
        return report

    def rebuild(self) -> items.RebuildReport:
        """Make the local catalog anew from the store."""
        return operations.rebuild.rebuild(self._reading)

    # --- how things stand ------------------------------------------------------------------------

    def status(self) -> items.StatusReport:
        """What was deleted lately, how to undo it, what to see to; asks the catalog alone."""
        return operations.status.status(self._known)

    def doctor(self) -> tuple[items.CheckItem, ...]:
        """Look at everything that has to be right."""
        return operations.doctor.doctor(self._local, lambda: self._reading)

    def attest(self) -> Attestation:
        """Try to break the store's promises with this role's credential, on a canary."""
        own = self._local.settings
        profile = own.roles[self._role].profile or None
        places = tuple((v.name, v.location) for v in self._local.catalog.volumes.all())
        seen = stores.attest.attest(
            own.store_url, profile=profile, clock=self._local.clock, volumes=places
        )
        if self._role == "writer":
            with suppress(VaultError):  # what was seen is said, whatever else is wrong
                operations.alarm.attestation(self._writing, seen)
        return seen

    def key_check(self, kit: Path | None) -> items.KeyReport:
        """Whether a kit opens this vault, tried on what is stored."""
        return operations.keys.check_kit(self._reading, homes.read_kit(self._kit(kit)))

    def key_add(
        self, recipient: str, *, reason: str = "", kit: Path | None = None
    ) -> items.KeyReport:
        """Let one more identity read what later sessions store. Raises ApprovalNeeded."""
        opened, add = homes.read_kit(self._kit(kit)), operations.amend.add_recipient
        charter = add(self._writing, opened, recipient, reason=reason)
        return self._amended(f"{len(charter.recipients)} recipients from the next session on")

    def key_make(self, role: str, *, kit: Path | None = None) -> items.KeyReport:
        """Make the signing key of the purger or the collector here. Raises ApprovalNeeded."""
        opened = homes.read_kit(self._kit(kit))
        path = operations.keys.make_role_key(self._writing, opened, role)
        return self._amended(f"the {role} signs by {path}")

    def key_revoke(
        self, name: str, *, reason: str = "", kit: Path | None = None
    ) -> items.KeyReport:
        """Let another host's key sign no more; what it signed before stays good."""
        opened = homes.read_kit(self._kit(kit))
        operations.amend.revoke_member(self._writing, opened, name, reason=reason)
        return self._amended(f"“{name}” signs no more from now on")

    def _amended(self, detail: str) -> items.KeyReport:
        self.renew()
        return items.KeyReport(vault=self._writing.charter.vault, opens=True, detail=detail)

    def environments(self) -> tuple[items.EnvironmentItem, ...]:
        """The charter's environments that are there for this process or caller."""
        unit = self._reading
        return tuple(environment_item(unit, name) for name in environments_here(unit))

    def add_environment(
        self,
        name: str,
        *,
        ephemeral: bool,
        window: timedelta,
        reason: str = "",
        kit: Path | None = None,
    ) -> items.EnvironmentItem:
        """One more environment, by the kit's root key. Raises ApprovalNeeded, UsageError."""
        opened, amend = homes.read_kit(self._kit(kit)), operations.amend
        terms = amend.environment_terms(ephemeral=ephemeral, window=window)
        amend.add_environment(self._writing, opened, name, terms, reason=reason)
        self.renew()
        return environment_item(self._writing, name)

    def key_export(self) -> str:
        """The recovery kit's text, while it is still on this host. Raises KitMissing."""
        return homes.read_kit(homes.default_kit(self._local.home)).text()

    # --- notices and processes -------------------------------------------------------------------

    def tell(self) -> tuple[ToldItem, ...]:
        """Offer each receiver of vault.toml what it was not told yet; takes a bounded time."""
        return operations.tell.tell(self._local, self._dispatch)

    def try_receivers(self, name: str = "") -> tuple[ToldItem, ...]:
        """Send every receiver, or one, a notice of nothing. Raises UsageError where none is set."""
        return operations.tell.trial(self._local, self._dispatch, name)

    @cached_property
    def _dispatch(self) -> Dispatch:
        return operations.tell.dispatcher(self._local)

    def due(self) -> tuple[Duty, ...]:
        """What the daemon has to do now."""
        self._writing = compose.renewed(self._writing)  # a revoked key acknowledges nothing more
        return operations.duties.due_now(self._writing, self._attempts, self._started)

    def perform(self, duty: Duty) -> str:
        """Do one duty; says what came of it."""
        with self._entered() as unit:
            return operations.duties.perform(unit, self._attempts, duty)

    def resume(self) -> tuple[str, ...]:
        """Finish what a crash left half done."""
        with self._entered() as unit:
            return operations.duties.resume(unit)

    def purge(self, *, dry_run: bool = False) -> items.PurgeReport:
        """One pass over all tombstones, in the purger's role."""
        return operations.purge.purge(unit=self._purging, dry_run=dry_run)

    def collect(self, *, dry_run: bool = False) -> items.CollectReport:
        """One pass over the store, in the collector's role."""
        return operations.collect.collect(self._collecting, dry_run=dry_run)

    def _change(self, name: str, kind: EventType) -> items.VolumeItem:
        with self._entered() as unit:
            volume = operations.enroll.change(unit, name, kind)
        return volume_item(self._local, volume)
