"""The S3 store (`s3://bucket/prefix?endpoint=…&region=…&ca=…`): any vendor with Object Lock.

Objects are put whole and locked in one request: some servers ignore the lock headers of multipart
uploads and copies, and answer 200. A lock counts once it was read back.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from vault.clock import Clock, format_time
from vault.errors import LockRefused, NotWriteOnce, ObjectMissing, StoreDenied, StoreUnreachable
from vault.limits import LIST_PAGE
from vault.store.address import Address
from vault.store.contract import Lock, LockMode, ObjectVersion, Receipt
from vault.store.locks import round_up
from vault.store.names import require_key
from vault.store.retrying import patiently
from vault.store.s3_bucket import Bucket, create_bucket, require_write_once
from vault.store.s3_errors import KEPT, LOCKING, LOOKING_AT_BUCKET, calling, code_of, server_time


class S3Store:
    """All rights in one object; what its credential may not do, the server refuses."""

    clocked = True

    def __init__(self, bucket: Bucket) -> None:
        self.address = bucket.address
        self._bucket = bucket

    def now(self) -> datetime:
        """See Reader: the Date header of a small call."""
        what = f"asking {self.address} for the time"
        with calling(what, self._bucket.clock, LOOKING_AT_BUCKET):
            told = server_time(self._bucket.client.head_bucket(Bucket=self._bucket.name))
        if told is None:
            raise StoreUnreachable(f"{self.address} answered without a date")
        return told

    def get(
        self, key: str, start: int = 0, length: int | None = None, *, version: str | None = None
    ) -> bytes:
        """See Reader."""
        if length is not None and length <= 0:
            self._head(key, version)
            return b""
        where = self._where(key, version)
        if start or length is not None:
            end = "" if length is None else start + length - 1
            where["Range"] = f"bytes={start}-{end}"
        with calling(f"reading {key}", self._bucket.clock):
            try:
                answer = self._bucket.client.get_object(**where)
                data: bytes = answer["Body"].read()
            except ClientError as error:
                if code_of(error) != "InvalidRange":
                    raise
                return b""
        # A server that ignores ranges sends the whole object with a 200.
        if "Range" in where and "ContentRange" not in answer:
            return data[start:] if length is None else data[start : start + length]
        return data

    def list(self, prefix: str) -> Iterator[ObjectVersion]:
        """See Reader; one page of versions is in memory at a time."""
        whole = self._bucket.prefix + prefix
        for page in self._pages(whole):
            versions = map(partial(self._listed, whole, False), page.get("Versions", ()))
            markers = map(partial(self._listed, whole, True), page.get("DeleteMarkers", ()))
            yield from heapq.merge(versions, markers, key=_order)

    def retention(self, key: str, *, version: str | None = None) -> Lock:
        """See Reader."""
        return _lock_of(self._head(key, version))

    def put(self, key: str, data: bytes | bytearray, retain_until: datetime) -> Receipt:
        """See Writer."""
        require_key(key)
        until = round_up(retain_until)
        with calling(f"putting {key}", self._bucket.clock, LOCKING):
            answer = self._bucket.client.put_object(
                **self._where(key, None),
                Body=data,
                ContentMD5=_base64(hashlib.md5(data, usedforsecurity=False).digest()),
                ChecksumSHA256=_base64(hashlib.sha256(data).digest()),
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=until,
            )
        version = answer.get("VersionId")
        if not version or version == "null":
            raise _not_locked(key, "the bucket keeps no versions")
        return Receipt(key, version, self._read_back(key, version, until))

    def extend(self, key: str, until: datetime, *, version: str) -> datetime:
        """See Keeper. Looks first: a bad server would take an earlier date."""
        until = round_up(until)
        held = _lock_of(self._head(key, version))
        if held.mode is LockMode.COMPLIANCE and held.until is not None and until <= held.until:
            return held.until
        with calling(f"locking {key} longer", self._bucket.clock, LOCKING):
            self._bucket.client.put_object_retention(
                **self._where(key, version),
                Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until},
            )
        return self._read_back(key, version, until)

    def delete(self, key: str, *, version: str) -> None:
        """See Reaper. Never with a bypass."""
        try:
            with calling(f"deleting a version of {key}", self._bucket.clock):
                self._bucket.client.delete_object(**self._where(key, version))
        except ObjectMissing:
            return
        except StoreDenied:
            self._refuse_locked(key, version)
            raise

    def _refuse_locked(self, key: str, version: str) -> None:
        """Servers say AccessDenied for a missing right and for a lock; tell which it was."""
        until = _lock_of(self._head(key, version)).until
        if until is not None and until > self.now():
            raise LockRefused(
                f"{key} is locked until {format_time(until)}",
                safe="The version is untouched.",
                hint="It can be collected after that time.",
            )

    def _read_back(self, key: str, version: str, until: datetime) -> datetime:
        lock = _lock_of(self._head(key, version))
        if lock.mode is not LockMode.COMPLIANCE or lock.until is None or lock.until < until:
            raise _not_locked(key, f"asked for {format_time(until)}, found {lock}")
        return lock.until

    def _head(self, key: str, version: str | None) -> dict[str, Any]:
        with calling(f"looking at {key}", self._bucket.clock):
            answer: dict[str, Any] = self._bucket.client.head_object(**self._where(key, version))
            return answer

    def _where(self, key: str, version: str | None) -> dict[str, Any]:
        where = {"Bucket": self._bucket.name, "Key": self._bucket.prefix + key}
        return where if version is None else {**where, "VersionId": version}

    def _pages(self, prefix: str) -> Iterator[dict[str, Any]]:
        ask: dict[str, Any] = {"Bucket": self._bucket.name, "Prefix": prefix, "MaxKeys": LIST_PAGE}
        while True:
            page = patiently(self._bucket.clock, partial(self._page, ask))
            yield page
            if not page.get("IsTruncated"):
                return
            key, version = page.get("NextKeyMarker"), page.get("NextVersionIdMarker")
            mark = {"KeyMarker": key, **({"VersionIdMarker": version} if version else {})}
            if not key or mark.items() <= ask.items():
                raise StoreUnreachable(f"{self.address}: the listing of {prefix} does not advance")
            ask = {**ask, **mark}

    def _page(self, ask: dict[str, Any]) -> dict[str, Any]:
        with calling(f"listing {self.address}", self._bucket.clock):
            page: dict[str, Any] = self._bucket.client.list_object_versions(**ask)
            return page

    def _listed(self, prefix: str, marker: bool, found: dict[str, Any]) -> ObjectVersion:
        """One entry of a listing; what is none, or lies elsewhere, is not believed."""
        try:
            listed = ObjectVersion(
                key=found["Key"].removeprefix(self._bucket.prefix),
                version=found["VersionId"],
                size=found.get("Size", 0),
                modified=found["LastModified"].astimezone(UTC),
                marker=marker,
                latest=found["IsLatest"],
            )
        except (KeyError, OverflowError) as error:
            raise self._odd(prefix) from error
        if not found["Key"].startswith(prefix) or not listed.version or listed.size < 0:
            raise self._odd(prefix)
        return listed

    def _odd(self, prefix: str) -> StoreUnreachable:
        return StoreUnreachable(
            f"{self.address}: the listing of {prefix} has an entry that cannot be one",
            safe=KEPT,
            hint="Look at the endpoint: what answers there does not speak S3.",
        )


def open_at(address: Address, profile: str | None, clock: Clock) -> S3Store:
    """The store in a bucket; no call is made yet. Raises StoreAddressInvalid."""
    return S3Store(Bucket(address, profile, clock))


def establish(address: Address, profile: str | None, clock: Clock, *, create: bool) -> None:
    """Check that the bucket has versioning and Object Lock; make it where `create` is asked."""
    bucket = Bucket(address, profile, clock)
    if create:
        create_bucket(bucket)
    require_write_once(bucket)


def _order(found: ObjectVersion) -> tuple[str, bool, float]:
    return found.key, not found.latest, -found.modified.timestamp()


def _lock_of(answer: dict[str, Any]) -> Lock:
    """The lock in an answer; one of a kind or a time that nobody knows is none."""
    until = answer.get("ObjectLockRetainUntilDate")
    if until is None:
        return Lock(LockMode.NONE, None)
    try:
        return Lock(LockMode(answer.get("ObjectLockMode", "NONE")), until.astimezone(UTC))
    except (ValueError, OverflowError):
        return Lock(LockMode.NONE, None)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _not_locked(key: str, why: str) -> NotWriteOnce:
    return NotWriteOnce(
        f"{key} was stored without the lock it needs: {why}",
        safe="Nothing relies on this object; what was acknowledged before is untouched.",
        hint="Run: vault store attest. Use a bucket with versioning and Object Lock.",
    )
