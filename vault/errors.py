"""The error tree: what happened, what is safe, what to do next.

Every class has a stable `code` (for programs), an exit `status` (for shells) and says whether the
same call can succeed later (`retryable`). Neither is ever reused. Statuses have ranges by layer: 10
settings, processes; 20 store; 30 repository; 40 catalog; 50 delete, undelete; 60 gate; 70 source.

    VaultError
    ├── UsageError, Interrupted
    ├── SettingsError ── NotInitialised, AlreadyInitialised, ClockDisagrees, AlreadyRunning,
    │                    NotIsolated, ExtraMissing
    ├── StoreError ───── StoreUnreachable, ObjectMissing, StoreDenied, StoreFull, NotWriteOnce,
    │                    LockRefused, StoreAddressInvalid
    ├── RepositoryError ─ Corrupt, Unauthentic, KitMissing, KitWrong, FeatureUnknown,
    │                    SnapshotUnknown, VaultMissing
    ├── CatalogError ─── CatalogCorrupt, CatalogBusy, CatalogTooNew
    ├── LifecycleError ── TransitionRefused, VolumeUnknown, TombstoneUnknown, IdAmbiguous,
    │                    PlaceTaken, PurgeRefused, VolumeExists, VolumeTombstoned,
    │                    VolumeElsewhere
    ├── GateError ────── Denied, ApprovalNeeded, TokenInvalid, IdentityUnknown, TaskUnknown,
    │                    GrantUnknown, WindowUnknown, ApprovalUnknown, SignatureRefused
    └── SourceError ──── SourceVanished, SourceReplaced, SourceOverlaps, QuarantineRefused,
                         TargetNotEmpty, PathUnsafe, DiskFull, SourceDenied
"""

from __future__ import annotations

from typing import ClassVar


class VaultError(Exception):
    """Base of all that vault raises on purpose.

    `message` says what happened, `safe` what is untouched in spite of it, `hint` what to do next;
    where nothing better is known, the last two are the usual words of their layer.
    """

    code: ClassVar[str] = "unexpected"
    status: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    usual_safe: ClassVar[str] = "What was acknowledged before is safe."
    usual_hint: ClassVar[str] = "See how things stand: vault doctor"

    def __init__(self, message: str, *, safe: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.safe = safe or self.usual_safe
        self.hint = hint or self.usual_hint


class UsageError(VaultError):
    """The words of the call do not fit: an option is missing, wrong, or contradicts another."""

    code = "usage"
    status = 2
    usual_safe = "Nothing was changed."
    usual_hint = "See what fits: vault --help, or --help after a command."


class Interrupted(VaultError):
    """Somebody stopped the command, as with Ctrl-C."""

    code = "interrupted"
    status = 130
    retryable = True


class SettingsError(VaultError):
    """vault.toml (or what stands in its place) cannot be used as it is."""

    code = "settings_invalid"
    status = 10
    usual_safe = "What is stored is untouched."


class NotInitialised(SettingsError):
    """There is no vault at this home."""

    code = "not_initialised"
    status = 11


class AlreadyInitialised(SettingsError):
    """`init` was asked for where a vault stands already."""

    code = "already_initialised"
    status = 12


class ClockDisagrees(SettingsError):
    """Host, boot and store time tell different stories; what depends on time waits."""

    code = "clock_disagrees"
    status = 13
    retryable = True


class AlreadyRunning(SettingsError):
    """Another process of the same role works on this home."""

    code = "already_running"
    status = 14
    retryable = True


class NotIsolated(SettingsError):
    """One process could load credentials that must stay apart."""

    code = "not_isolated"
    status = 15


class ExtraMissing(SettingsError):
    """A scheme or adapter needs an optional distribution that is not installed."""

    code = "extra_missing"
    status = 16


class StoreError(VaultError):
    """The store refused or failed in a way that has no name of its own."""

    code = "store_failed"
    status = 20


class StoreUnreachable(StoreError):
    """No answer, a broken one, or a server error: nothing is known about the outcome."""

    code = "store_unreachable"
    status = 21
    retryable = True


class ObjectMissing(StoreError):
    """No version of this key is in the store."""

    code = "object_missing"
    status = 22


class StoreDenied(StoreError):
    """The credential in use has no right to do this."""

    code = "store_denied"
    status = 23


class StoreFull(StoreError):
    """The store has no room left."""

    code = "store_full"
    status = 24
    retryable = True


class NotWriteOnce(StoreError):
    """The store does not lock what it is given: nothing may rely on it."""

    code = "not_write_once"
    status = 25


class LockRefused(StoreError):
    """A lock would be shortened, lie in the past, or exceed the ceiling."""

    code = "lock_refused"
    status = 26


class StoreAddressInvalid(StoreError):
    """The store's URL cannot be understood, or names no place."""

    code = "store_address_invalid"
    status = 27


class RepositoryError(VaultError):
    """What is stored cannot be used as it is."""

    code = "repository_failed"
    status = 30
    usual_safe = "What is stored stays as it is."
    usual_hint = "See what else is damaged: vault verify --deep"


class Corrupt(RepositoryError):
    """Stored bytes are not what their name, seal or digest says."""

    code = "corrupt"
    status = 31


class Unauthentic(RepositoryError):
    """An object is well-formed and not signed by anyone whom the charter names."""

    code = "unauthentic"
    status = 32


class KitMissing(RepositoryError):
    """Reading contents needs the recovery kit, and none was given."""

    code = "kit_missing"
    status = 33


class KitWrong(RepositoryError):
    """The recovery kit given does not open this vault."""

    code = "kit_wrong"
    status = 34


class FeatureUnknown(RepositoryError):
    """The stored format needs a feature that this version does not know."""

    code = "feature_unknown"
    status = 35


class SnapshotUnknown(RepositoryError):
    """No snapshot answers to this name."""

    code = "snapshot_unknown"
    status = 36


class VaultMissing(RepositoryError):
    """The store holds no vault, or none that this root key signed."""

    code = "vault_missing"
    status = 37


class CatalogError(VaultError):
    """The local catalog failed; it is a view, and the store can rebuild it."""

    code = "catalog_failed"
    status = 40
    usual_safe = "What is stored is untouched."
    usual_hint = "Make the catalog anew from the store: vault rebuild"


class CatalogCorrupt(CatalogError):
    """The catalog's file is damaged."""

    code = "catalog_corrupt"
    status = 41


class CatalogBusy(CatalogError):
    """Another process holds the catalog for longer than we wait."""

    code = "catalog_busy"
    status = 42
    retryable = True


class CatalogTooNew(CatalogError):
    """A newer vault has migrated this catalog."""

    code = "catalog_too_new"
    status = 43


class LifecycleError(VaultError):
    """A step that the volume's or tombstone's state does not allow."""

    code = "lifecycle_refused"
    status = 50
    usual_safe = "Nothing was changed."
    usual_hint = "See what there is: vault status"


class TransitionRefused(LifecycleError):
    """The state table has no such step."""

    code = "transition_refused"
    status = 51


class VolumeUnknown(LifecycleError):
    """No volume answers to this name."""

    code = "volume_unknown"
    status = 52


class TombstoneUnknown(LifecycleError):
    """No tombstone answers to this id."""

    code = "tombstone_unknown"
    status = 53


class IdAmbiguous(LifecycleError):
    """A prefix fits more than one id."""

    code = "id_ambiguous"
    status = 54


class PlaceTaken(LifecycleError):
    """Something stands where the volume has to return to."""

    code = "place_taken"
    status = 55


class PurgeRefused(LifecycleError):
    """A condition for purging is not met; the data stay in quarantine."""

    code = "purge_refused"
    status = 56
    retryable = True


class VolumeExists(LifecycleError):
    """The name is in use."""

    code = "volume_exists"
    status = 57


class VolumeTombstoned(LifecycleError):
    """The volume is deleted and can be undone."""

    code = "volume_tombstoned"
    status = 58


class VolumeElsewhere(LifecycleError):
    """Another host looks after this volume."""

    code = "volume_elsewhere"
    status = 59


class GateError(VaultError):
    """The gate did not let the request pass."""

    code = "gate_refused"
    status = 60
    usual_safe = "Nothing was changed."


class Denied(GateError):
    """A rule forbids this request; `rules` are the ids of those that decided."""

    code = "denied"
    status = 61
    rules: tuple[str, ...] = ()


class ApprovalNeeded(GateError):
    """The request waits for people to agree; `ask` is the id of what they sign."""

    code = "approval_needed"
    status = 62
    retryable = True
    ask: str = ""


class TokenInvalid(GateError):
    """No token that counts here and now; only `detail` says why, for the audit log."""

    code = "token_invalid"
    status = 63
    detail: str = ""


class IdentityUnknown(GateError):
    """No identity has this name."""

    code = "identity_unknown"
    status = 64


class TaskUnknown(GateError):
    """No task has this name."""

    code = "task_unknown"
    status = 65


class GrantUnknown(GateError):
    """No grant answers to this id."""

    code = "grant_unknown"
    status = 66


class WindowUnknown(GateError):
    """No maintenance window answers to this id."""

    code = "window_unknown"
    status = 67


class ApprovalUnknown(GateError):
    """Nothing that waits for people answers to this id."""

    code = "approval_unknown"
    status = 68


class SignatureRefused(GateError):
    """A signature does not count for what it was given for."""

    code = "signature_refused"
    status = 69


class SourceError(VaultError):
    """A volume's provider failed in a way that has no name of its own."""

    code = "source_failed"
    status = 70
    usual_safe = "What is stored is untouched."


class SourceVanished(SourceError):
    """The volume is not where it was."""

    code = "source_vanished"
    status = 71


class SourceReplaced(SourceError):
    """Something else stands where the volume was: another device or inode."""

    code = "source_replaced"
    status = 72


class SourceOverlaps(SourceError):
    """A volume lies in another, in the store, or around either."""

    code = "source_overlaps"
    status = 73


class QuarantineRefused(SourceError):
    """The provider cannot set the volume aside reversibly; nothing has changed."""

    code = "quarantine_refused"
    status = 74


class TargetNotEmpty(SourceError):
    """A restore was pointed at a place that holds something else."""

    code = "target_not_empty"
    status = 75


class PathUnsafe(SourceError):
    """A stored path would leave the target."""

    code = "path_unsafe"
    status = 76


class DiskFull(SourceError):
    """The local disk has no room left."""

    code = "disk_full"
    status = 77
    retryable = True


class SourceDenied(SourceError):
    """The process may not read or write here."""

    code = "source_denied"
    status = 78
