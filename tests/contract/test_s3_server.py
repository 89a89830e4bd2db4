"""What vault relies on in a real S3 server: roles, clocks, crashes, certificates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.rgw import RgwBucket, client_time, fresh_bucket
from vault.clock import SystemClock
from vault.errors import (
    ClockDisagrees,
    LockRefused,
    NotWriteOnce,
    StoreAddressInvalid,
    StoreDenied,
    StoreUnreachable,
)
from vault.store.address import parse_address
from vault.store.locks import LockTerms
from vault.store.opening import establish_store, open_store
from vault.store.policy import bucket_policy
from vault.store.s3_bucket import Bucket, set_policy
from vault.testing.rgw import ROLES, Server

pytestmark = pytest.mark.rgw

CLOCK = SystemClock()
SHORT = LockTerms(minimum=timedelta(seconds=1), ceiling=timedelta(days=400))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def raw(bucket: RgwBucket, profile: str) -> Any:
    """A client of a role, without vault in between."""
    return boto3.Session(profile_name=profile).client(
        "s3",
        endpoint_url=bucket.server.endpoint,
        region_name="default",
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            retries={"total_max_attempts": 1},
        ),
    )


def destructive(bucket: RgwBucket, key: str, version: str) -> Mapping[str, Callable[[Any], object]]:
    """Every verb of S3 that destroys, shortens or opens the way to it."""
    where = {"Bucket": bucket.name, "Key": f"main/{key}"}
    exact = {**where, "VersionId": version}
    soon = CLOCK.now() + timedelta(minutes=1)
    rules = {"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
    objects = {"Objects": [{"Key": where["Key"], "VersionId": version}]}
    lock = {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
    }
    return {
        "mark": lambda s3: s3.delete_object(**where),
        "delete": lambda s3: s3.delete_object(**exact),
        "bypass": lambda s3: s3.delete_object(**exact, BypassGovernanceRetention=True),
        "batch": lambda s3: s3.delete_objects(Bucket=bucket.name, Delete=objects),
        "shorten": lambda s3: s3.put_object_retention(
            **exact, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": soon}
        ),
        "downgrade": lambda s3: s3.put_object_retention(
            **exact, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon}
        ),
        "hold": lambda s3: s3.put_object_legal_hold(**exact, LegalHold={"Status": "ON"}),
        "acl": lambda s3: s3.put_object_acl(**where, ACL="public-read"),
        "suspend": lambda s3: s3.put_bucket_versioning(
            Bucket=bucket.name, VersioningConfiguration={"Status": "Suspended"}
        ),
        "lock rule": lambda s3: s3.put_object_lock_configuration(
            Bucket=bucket.name, ObjectLockConfiguration=lock
        ),
        "lifecycle": lambda s3: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration=rules
        ),
        "policy": lambda s3: s3.put_bucket_policy(Bucket=bucket.name, Policy='{"Statement":[]}'),
        "no policy": lambda s3: s3.delete_bucket_policy(Bucket=bucket.name),
        "bucket acl": lambda s3: s3.put_bucket_acl(Bucket=bucket.name, ACL="public-read-write"),
        "bucket": lambda s3: s3.delete_bucket(Bucket=bucket.name),
    }


@pytest.mark.parametrize("role", ROLES)
def test_no_role_can_destroy_what_is_locked(rgw_bucket: RgwBucket, role: str) -> None:
    writer = open_store(rgw_bucket.url, right="writer", clock=CLOCK, profile="writer")
    receipt = writer.put("packs/a", b"kept", CLOCK.now() + 40 * DAY)
    client = raw(rgw_bucket, role)
    for name, attempt in destructive(rgw_bucket, "packs/a", receipt.version).items():
        with pytest.raises(ClientError) as caught:
            attempt(client)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, (role, name)
    assert writer.get("packs/a") == b"kept"
    assert writer.retention("packs/a", version=receipt.version).until == receipt.locked_until


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_what_another_wrote(rgw_bucket: RgwBucket, role: str) -> None:
    """Objects belong to whoever put them; the policy alone opens them to the others."""
    writer = open_store(rgw_bucket.url, right="writer", clock=CLOCK, profile="writer")
    purger = open_store(rgw_bucket.url, right="recorder", clock=CLOCK, profile="purger")
    writer.put("packs/a", b"writer's", CLOCK.now() + HOUR)
    purger.put("events/b", b"purger's", CLOCK.now() + HOUR)
    reader = open_store(rgw_bucket.url, right="reader", clock=CLOCK, profile=role)
    assert [found.key for found in reader.list("")] == ["events/b", "packs/a"]
    assert reader.get("packs/a") == b"writer's"
    assert reader.get("events/b") == b"purger's"
    assert reader.retention("packs/a").until is not None


@pytest.mark.parametrize(
    ("role", "packs", "events"),
    [
        ("writer", True, True),
        ("purger", False, True),
        ("reader", False, False),
        ("collector", False, True),
    ],
)
def test_who_creates_where(rgw_bucket: RgwBucket, role: str, packs: bool, events: bool) -> None:
    store = open_store(rgw_bucket.url, right="recorder", clock=CLOCK, profile=role, terms=SHORT)
    for key, leave in (("packs/a", packs), ("events/a", events)):
        if leave:
            store.put(key, b"", CLOCK.now() + HOUR)
        else:
            with pytest.raises(StoreDenied) as caught:
                store.put(key, b"", CLOCK.now() + HOUR)
            assert "docs/operations.md" in caught.value.hint


def test_only_the_collector_deletes_and_only_what_has_lapsed(rgw_own: Server) -> None:
    bucket = fresh_bucket(rgw_own)
    writer = open_store(bucket.url, right="writer", clock=CLOCK, profile="writer", terms=SHORT)
    kept = writer.put("packs/kept", b"", CLOCK.now() + 3 * DAY)
    lapsing = writer.put("packs/lapsing", b"", CLOCK.now() + DAY)
    bucket.server.shift("+49h")
    with client_time(timedelta(hours=49)) as later:
        for role in ("writer", "purger", "reader"):
            store = open_store(bucket.url, right="reaper", clock=later, profile=role)
            with pytest.raises(StoreDenied):
                store.delete("packs/lapsing", version=lapsing.version)
        collector = open_store(bucket.url, right="reaper", clock=later, profile="collector")
        assert timedelta(hours=48) < collector.now() - CLOCK.now() < timedelta(hours=50)
        with pytest.raises(LockRefused):
            collector.delete("packs/kept", version=kept.version)
        collector.delete("packs/lapsing", version=lapsing.version)
        collector.delete("packs/lapsing", version=lapsing.version)
        assert [found.key for found in collector.list("")] == ["packs/kept"]


def test_a_shifted_server_is_a_clock_that_disagrees(rgw_own: Server) -> None:
    bucket = fresh_bucket(rgw_own)
    writer = open_store(bucket.url, right="writer", clock=CLOCK, profile="writer")
    writer.put("packs/a", b"", CLOCK.now() + DAY)
    bucket.server.shift("+49h")
    for call in (writer.now, lambda: writer.get("packs/a"), lambda: list(writer.list(""))):
        with pytest.raises(ClockDisagrees) as caught:
            call()
        assert "NTP" in caught.value.hint
    bucket.server.start()
    assert writer.get("packs/a") == b""


def test_what_was_acknowledged_survives_the_servers_death(rgw_own: Server) -> None:
    bucket = fresh_bucket(rgw_own)
    writer = open_store(bucket.url, right="writer", clock=CLOCK, profile="writer")
    receipts = [writer.put(f"packs/{n}", b"%d" % n, CLOCK.now() + DAY) for n in range(20)]
    bucket.server.kill()
    impatient = establish_quickly(bucket.url)
    with pytest.raises(StoreUnreachable):
        impatient()
    bucket.server.start()
    for number, receipt in enumerate(receipts):
        assert writer.get(receipt.key, version=receipt.version) == b"%d" % number
        held = writer.retention(receipt.key, version=receipt.version)
        assert held.until == receipt.locked_until


def establish_quickly(url: str) -> Callable[[], None]:
    """A call that is made once, without patience."""
    return lambda: establish_store(url, clock=CLOCK, profile="writer")


def test_over_tls_with_the_servers_own_authority(rgw_bucket: RgwBucket) -> None:
    server = rgw_bucket.server
    plain = f"s3://{rgw_bucket.name}/main?endpoint={server.tls_endpoint}&region=default"
    url = f"{plain}&ca={server.ca}"
    writer = open_store(url, right="writer", clock=CLOCK, profile="writer")
    writer.put("packs/a", b"over tls", CLOCK.now() + DAY)
    assert writer.get("packs/a") == b"over tls"
    with pytest.raises(StoreUnreachable) as caught:
        establish_store(plain, clock=CLOCK, profile="writer")
    assert "ca=" in caught.value.hint


def test_establishing_looks_before_anything_is_written(rgw_bucket: RgwBucket) -> None:
    establish_store(rgw_bucket.url, clock=CLOCK, profile="writer")
    plain = fresh_bucket(rgw_bucket.server, locked=False)
    with pytest.raises(NotWriteOnce) as caught:
        establish_store(plain.url, clock=CLOCK, profile="provisioner")
    assert "--object-lock-enabled-for-bucket" in caught.value.hint
    with pytest.raises(StoreAddressInvalid):
        establish_store(rgw_bucket.server.url("no-such-bucket"), clock=CLOCK, profile="writer")
    with pytest.raises(StoreDenied):
        establish_store(plain.url, clock=CLOCK, profile="reader")


def test_the_policy_for_aws_is_well_formed_and_lets_the_roles_work(rgw_bucket: RgwBucket) -> None:
    principals = {role: [f"arn:aws:iam:::user/{role}"] for role in ROLES}
    bucket = Bucket(parse_address(rgw_bucket.url), "provisioner", CLOCK)
    set_policy(bucket, bucket_policy(bucket.name, bucket.prefix, principals, vendor="aws"))
    writer = open_store(rgw_bucket.url, right="writer", clock=CLOCK, profile="writer")
    receipt = writer.put("packs/a", b"x", CLOCK.now() + 40 * DAY)
    until = CLOCK.now() + 50 * DAY
    assert writer.extend("packs/a", until, version=receipt.version) >= until
    with pytest.raises(ClientError):
        raw(rgw_bucket, "writer").delete_object(Bucket=rgw_bucket.name, Key="main/packs/a")
