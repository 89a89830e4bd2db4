"""What a write-once bucket must refuse, tried on a canary; for attestation."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from ulid import ULID

from vault.clock import Clock
from vault.errors import (
    NotWriteOnce,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreUnreachable,
)
from vault.store.address import Address
from vault.store.attest import Check, Volumes
from vault.store.contract import LockMode
from vault.store.locks import round_up
from vault.store.names import named
from vault.store.s3 import S3Store
from vault.store.s3_bucket import Bucket
from vault.store.s3_errors import code_of

_LOCK: Final = timedelta(minutes=10)
_SHORT: Final = timedelta(minutes=1)


@dataclass(slots=True)
class _Canary:
    """A locked version, what it holds, and until when."""

    key: str
    data: bytes
    version: str
    until: datetime


class _Probe:
    """One canary in one bucket, and what can be done to it with raw calls."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._client = bucket.client
        self._store = S3Store(bucket)
        self._canary = self._lay()
        self._lock_rules = self._answer("get_object_lock_configuration")

    def trials(self) -> list[tuple[str, Callable[[], object]]]:
        """Everything that must not harm the canary, by name."""
        soon = round_up(self._store.now() + _SHORT)
        return [
            ("overwrite", lambda: self._object("put_object", version=False, Body=b"overwritten")),
            ("delete without a version", lambda: self._object("delete_object", version=False)),
            ("delete the version", lambda: self._object("delete_object")),
            ("delete the version in a batch", self._delete_batch),
            (
                "delete the version with a bypass",
                lambda: self._object("delete_object", BypassGovernanceRetention=True),
            ),
            ("shorten the lock", lambda: self._retain("COMPLIANCE", soon)),
            ("downgrade to GOVERNANCE", lambda: self._retain("GOVERNANCE", self._canary.until)),
            ("remove the lock", lambda: self._object("put_object_retention", Retention={})),
            (
                "suspend versioning",
                lambda: self._bucket_call(
                    "put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}
                ),
            ),
            (
                "drop the lock configuration",
                lambda: self._bucket_call(
                    "put_object_lock_configuration", ObjectLockConfiguration={}
                ),
            ),
        ]

    def judge(self, name: str, attempt: Callable[[], object]) -> Check:
        """Make an attempt, see what became of the canary and the bucket, put back what changed."""
        try:
            attempt()
        except (ClientError, BotoCoreError) as error:
            answer = f"{code_of(error) if isinstance(error, ClientError) else error}"
        else:
            answer = "answered as done"
        harm = self._harm()
        if not harm:
            return Check(name, "refused", f"{answer}; the locked version stands")
        return Check(name, "accepted", f"{answer}; {', '.join(harm)}{self._put_back()}")

    def lifecycle(self) -> Check:
        """Whether this credential may set rules that expire objects; the rules stay as they are."""
        name, call = "set lifecycle rules", "put_bucket_lifecycle_configuration"
        try:
            rules = self._bucket_call("get_bucket_lifecycle_configuration").get("Rules", [])
        except ClientError as error:
            if code_of(error) != "NoSuchLifecycleConfiguration":
                # Unknown rules could not be put back.
                return Check(name, "unsupported", f"not tried: reading them is {code_of(error)}")
            rules = []
        probe = {"ID": "vault-attest", "Status": "Disabled", "Filter": {"Prefix": "canary/"}}
        trial = [*rules, {**probe, "Expiration": {"Days": 3650}}]
        try:
            self._bucket_call(call, LifecycleConfiguration={"Rules": trial})
            if rules:
                self._bucket_call(call, LifecycleConfiguration={"Rules": rules})
            else:
                self._bucket_call("delete_bucket_lifecycle")
        except ClientError as error:
            return Check(name, "refused", code_of(error))
        return Check(name, "not enforced", "this credential may; locks outlive such rules")

    def _lay(self) -> _Canary:
        now = self._store.now()
        data = f"vault canary {ULID()}".encode()
        key = named(f"canary/{str(ULID.from_datetime(now)).lower()}", data)
        receipt = self._store.put(key, data, now + _LOCK)
        return _Canary(key, data, receipt.version, receipt.locked_until)

    def _harm(self) -> list[str]:
        """What is not as it was."""
        canary, harm = self._canary, []
        try:
            if self._store.get(canary.key, version=canary.version) != canary.data:
                harm.append("the version holds other bytes")
            lock = self._store.retention(canary.key, version=canary.version)
            if lock.mode is not LockMode.COMPLIANCE:
                harm.append(f"its lock is {lock.mode}")
            elif lock.until is None or lock.until < canary.until:
                harm.append("its lock is shorter")
        except ObjectMissing:
            harm.append("the version is gone")
        except StoreUnreachable:
            raise
        except StoreError as error:
            harm.append(f"its lock cannot be read ({error.message})")
        if self._answer("get_bucket_versioning").get("Status", "Enabled") != "Enabled":
            harm.append("versioning is suspended")
        if self._lock_rules and not _switched_on(self._answer("get_object_lock_configuration")):
            harm.append("the bucket has no Object Lock")
        return harm

    def _put_back(self) -> str:
        """Undo what a bad server let happen; tells what could not be undone."""
        rules = self._lock_rules.get("ObjectLockConfiguration")
        try:
            self._bucket_call(
                "put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}
            )
            if rules and not _switched_on(self._answer("get_object_lock_configuration")):
                self._bucket_call("put_object_lock_configuration", ObjectLockConfiguration=rules)
        except ClientError as error:
            return f"; NOT put back: {code_of(error)}"
        try:
            self._retain("COMPLIANCE", self._canary.until)
        except ClientError:
            self._canary = self._lay()
        return "; put back"

    def _retain(self, mode: str, until: datetime) -> object:
        retention = {"Mode": mode, "RetainUntilDate": until}
        return self._object("put_object_retention", Retention=retention)

    def _delete_batch(self) -> object:
        where = self._where(version=True)
        objects = [{"Key": where["Key"], "VersionId": where["VersionId"]}]
        answer = self._bucket_call("delete_objects", Delete={"Objects": objects})
        if answer.get("Errors"):
            raise ClientError({"Error": answer["Errors"][0]}, "DeleteObjects")
        return answer

    def _object(self, call: str, *, version: bool = True, **terms: object) -> object:
        return getattr(self._client, call)(**self._where(version=version), **terms)

    def _where(self, *, version: bool) -> dict[str, str]:
        where = {"Bucket": self._bucket.name, "Key": self._bucket.prefix + self._canary.key}
        return {**where, "VersionId": self._canary.version} if version else where

    def _bucket_call(self, call: str, **terms: object) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self._client, call)(Bucket=self._bucket.name, **terms)
        return answer

    def _answer(self, call: str) -> dict[str, Any]:
        """What the bucket says of itself; nothing where there is none or it may not be asked."""
        try:
            return self._bucket_call(call)
        except ClientError:
            return {}


def tries(address: Address, profile: str | None, clock: Clock) -> Iterator[Check]:
    """Everything that a write-once bucket must refuse. Raises StoreDenied where it may not put."""
    bucket = Bucket(address, profile, clock)
    try:
        probe = _Probe(bucket)
    except NotWriteOnce as error:
        yield Check("lock an object", "accepted", f"it is stored, and not locked: {error.message}")
        return
    except StoreDenied as error:
        error.hint = "Attest with the writer's credential: it lays a canary under canary/."
        raise
    yield Check("lock an object", "enforced", "COMPLIANCE, as read back")
    for name, attempt in probe.trials():
        yield probe.judge(name, attempt)
    yield probe.lifecycle()
    yield _ceiling(bucket)


def apart(address: Address, volumes: Volumes) -> Check:
    """Whether the server is another machine than this one, where the volumes are."""
    del volumes
    host = urlsplit(address.options.get("endpoint", "")).hostname
    if host is not None and _loopback(host):
        return Check("apart from the volumes", "not enforced", f"{host} is this host: NOT ISOLATED")
    return Check("apart from the volumes", "enforced", f"served by {host or 'AWS'}")


def _ceiling(bucket: Bucket) -> Check:
    host = urlsplit(bucket.endpoint or "").hostname
    if host is None or host.endswith(".amazonaws.com"):
        detail = "not tried, for it could not be undone; docs/operations.md has the policy"
        return Check("lock beyond the ceiling", "unsupported", detail)
    detail = "by vault alone: of S3 servers AWS is known to bound locks in the bucket policy"
    return Check("lock beyond the ceiling", "not enforced", detail)


def _loopback(host: str) -> bool:
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return number.is_loopback or number.is_unspecified


def _switched_on(answer: dict[str, Any]) -> bool:
    rules: dict[str, Any] = answer.get("ObjectLockConfiguration", {})
    return rules.get("ObjectLockEnabled") == "Enabled"
