"""Attestation tells a write-once server from one that says it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.rgw import RgwBucket, fresh_bucket
from vault.clock import SystemClock
from vault.errors import StoreDenied, StoreUnreachable
from vault.store.attest import Attestation, attest
from vault.store.contract import LockMode
from vault.store.opening import establish_store, open_store

CLOCK = SystemClock()


def verdicts(attestation: Attestation) -> dict[str, str]:
    """What was found, by the check's name."""
    return {check.name: check.verdict for check in attestation.checks}


@pytest.mark.rgw
@pytest.mark.parametrize("profile", ["writer", "provisioner"])
def test_a_real_server_passes_for_the_writer_and_for_the_buckets_owner(
    rgw_bucket: RgwBucket, profile: str
) -> None:
    attestation = attest(rgw_bucket.url, clock=CLOCK, profile=profile)
    assert attestation.passed, attestation
    found = verdicts(attestation)
    assert {name for name, verdict in found.items() if verdict == "refused"} >= {
        "overwrite",
        "delete without a version",
        "delete the version",
        "delete the version in a batch",
        "delete the version with a bypass",
        "shorten the lock",
        "downgrade to GOVERNANCE",
        "remove the lock",
        "suspend versioning",
        "drop the lock configuration",
    }
    assert found["lock an object"] == "enforced"
    assert found["lock beyond the ceiling"] == "not enforced"
    assert not attestation.isolated  # it runs on this host


@pytest.mark.rgw
def test_the_owner_may_do_what_the_writer_may_not_and_still_harms_nothing(
    rgw_bucket: RgwBucket,
) -> None:
    writer = attest(rgw_bucket.url, clock=CLOCK, profile="writer")
    owner = attest(rgw_bucket.url, clock=CLOCK, profile="provisioner")
    (marked,) = [check for check in owner.checks if check.name == "delete without a version"]
    (denied,) = [check for check in writer.checks if check.name == "delete without a version"]
    assert "answered as done" in marked.detail
    assert "AccessDenied" in denied.detail


@pytest.mark.rgw
def test_a_reader_cannot_attest_and_is_told_who_can(rgw_bucket: RgwBucket) -> None:
    with pytest.raises(StoreDenied) as caught:
        attest(rgw_bucket.url, clock=CLOCK, profile="reader")
    assert "writer" in caught.value.hint


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket on a server that only says that it locks."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"s3://attested/here?endpoint=http://{host}:{port}&region=us-east-1"
    establish_store(url, clock=CLOCK, create=True)
    yield url
    server.stop()


def test_a_server_that_gives_locks_away_fails_and_each_breach_is_named(moto: str) -> None:
    attestation = attest(moto, clock=CLOCK)
    assert not attestation.passed
    found = verdicts(attestation)
    assert {name for name, verdict in found.items() if verdict == "accepted"} >= {
        "shorten the lock",
        "downgrade to GOVERNANCE",
        "remove the lock",
        "suspend versioning",
    }
    assert found["delete the version"] == "refused"


def test_what_a_bad_server_let_happen_is_put_back(moto: str) -> None:
    attestation = attest(moto, clock=CLOCK)
    breaches = [check for check in attestation.checks if check.verdict == "accepted"]
    assert all(check.detail.endswith("put back") for check in breaches)
    establish_store(moto, clock=CLOCK)  # versioning and Object Lock are on
    reader = open_store(moto, right="reader", clock=CLOCK)
    oldest = [found for found in reader.list("canary/") if not found.marker][-1]
    lock = reader.retention(oldest.key, version=oldest.version)
    assert lock.mode is LockMode.COMPLIANCE
    assert lock.until is not None
    assert lock.until > CLOCK.now() + timedelta(minutes=8)


def test_a_directory_says_what_it_cannot_enforce(
    tmp_path: Path, sealed: Callable[[Path], None]
) -> None:
    sealed(tmp_path)
    url = f"file://{tmp_path}/store"
    establish_store(url, clock=CLOCK)
    attestation = attest(url, clock=CLOCK, volumes=[("app", tmp_path)])
    assert (attestation.passed, attestation.isolated) == (False, False)
    found = {check.name: check for check in attestation.checks}
    assert found["lift the protection, then overwrite"].verdict == "accepted"
    assert "same device as app" in found["apart from the volumes"].detail
    assert "NOT ISOLATED" in found["apart from the volumes"].detail
    if os.geteuid() == 0:
        assert {found[name].verdict for name in ("overwrite", "delete", "rename")} == {"refused"}
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_a_directory_that_is_no_store_is_not_attested(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        attest(f"file://{tmp_path}", clock=CLOCK)


@pytest.mark.rgw
def test_a_bucket_without_lock_fails(rgw_bucket: RgwBucket) -> None:
    other = fresh_bucket(rgw_bucket.server, locked=False)
    attestation = attest(other.url, clock=CLOCK, profile="provisioner")
    assert not attestation.passed
    assert verdicts(attestation)["lock an object"] == "accepted"
