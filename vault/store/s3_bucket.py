"""One bucket: how it is connected to, made and inspected. The door to botocore, with the store."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from vault.clock import Clock
from vault.errors import NotWriteOnce, StoreAddressInvalid
from vault.limits import STORE_TIMEOUT_SECONDS
from vault.store.address import Address, invalid
from vault.store.names import is_key
from vault.store.s3_errors import calling, code_of
from vault.store.s3_session import open_session

_OPTIONS: Final = ("endpoint", "region", "ca")
_CONNECTIONS: Final = 32
"""Threads that can speak to the server at once without waiting for one another."""


class Bucket:
    """Where a store's objects are, and the client that speaks to it, made at the first call."""

    def __init__(self, address: Address, profile: str | None, clock: Clock) -> None:
        address.refuse_unknown(_OPTIONS)
        prefix = address.path.rstrip("/")
        if not address.place or (prefix and not is_key(prefix)):
            raise invalid(address.url, "names no bucket, or a prefix that cannot be one")
        self.name = address.place
        self.prefix = f"{prefix}/" if prefix else ""
        self.endpoint = address.options.get("endpoint")
        self.clock = clock
        self._region = address.options.get("region")
        self._ca = address.options.get("ca")
        self._profile = profile
        self._client: Any = None
        self._guard = threading.Lock()
        if self._ca is not None and not Path(self._ca).is_file():
            raise invalid(address.url, f"names a certificate file {self._ca} that is not there")

    @property
    def address(self) -> str:
        """What makes this place this one: bucket, prefix and endpoint."""
        endpoint = f"?endpoint={self.endpoint}" if self.endpoint else ""
        return f"s3://{self.name}/{self.prefix.rstrip('/')}{endpoint}"

    @property
    def client(self) -> Any:
        """The botocore client; safe for threads, which its making is not. Raises VaultError."""
        with self._guard:
            if self._client is None:
                with calling(f"connecting to {self.address}", self.clock):
                    self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        session = open_session(self._profile)
        try:
            return session.create_client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=self._region or session.get_config_variable("region") or "us-east-1",
                verify=self._ca,
                config=Config(
                    connect_timeout=10,
                    read_timeout=STORE_TIMEOUT_SECONDS,
                    max_pool_connections=_CONNECTIONS,
                    # Retries are ours, on our clock.
                    retries={"total_max_attempts": 1},
                    # Some servers answer 411 to the trailing checksums that are botocore's default.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    s3={"addressing_style": "path" if self.endpoint else "auto"},
                ),
            )
        except ValueError as error:
            raise StoreAddressInvalid(
                f"{self.address}: {error}", hint="Write the endpoint as https://host:port."
            ) from error


def credential_loads(profile: str) -> bool:
    """Whether this process can load the credential behind a profile; nothing is sent with it."""
    try:
        return open_session(profile).get_credentials() is not None
    except BotoCoreError:
        return False


def create_bucket(bucket: Bucket) -> None:
    """Create the bucket with Object Lock (and so versioning); one's own existing one is left."""
    region = bucket.client.meta.region_name
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    outside = not bucket.endpoint and region != "us-east-1"
    with calling(f"creating the bucket {bucket.name}", bucket.clock):
        try:
            bucket.client.create_bucket(
                Bucket=bucket.name, ObjectLockEnabledForBucket=True, **(place if outside else {})
            )
        except ClientError as error:
            if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


def require_write_once(bucket: Bucket) -> None:
    """Raise NotWriteOnce unless the bucket has versioning and Object Lock switched on."""
    what = f"inspecting the bucket {bucket.name}"
    with calling(what, bucket.clock):
        bucket.client.list_object_versions(Bucket=bucket.name, Prefix=bucket.prefix, MaxKeys=1)
        versioning = bucket.client.get_bucket_versioning(Bucket=bucket.name).get("Status")
        try:
            answer = bucket.client.get_object_lock_configuration(Bucket=bucket.name)
        except ClientError as error:
            if code_of(error) != "ObjectLockConfigurationNotFoundError":
                raise
            answer = {}
    lock = answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled")
    if versioning != "Enabled" or lock != "Enabled":
        raise NotWriteOnce(
            f"the bucket {bucket.name} has versioning {versioning or 'Off'} and "
            f"Object Lock {lock or 'Off'}; vault needs both Enabled",
            safe="Nothing was written.",
            hint="Make one: aws s3api create-bucket --object-lock-enabled-for-bucket "
            f"--bucket {bucket.name}-locked (docs/operations.md has the whole set-up).",
        )


def set_policy(bucket: Bucket, policy: Mapping[str, Any]) -> None:
    """Put a bucket policy, compactly: some servers refuse blanks."""
    with calling(f"setting the policy of {bucket.name}", bucket.clock):
        text = json.dumps(policy, separators=(",", ":"))
        bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=text)
