"""One contract for all stores: memory, directory, moto in part, and a real S3 server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.rgw import RgwBucket
from vault.clock import SystemClock
from vault.store.address import parse_address
from vault.store.directory import DirectoryStore
from vault.store.memory import MemoryStore
from vault.store.opening import establish_store
from vault.store.s3 import S3Store
from vault.store.s3_bucket import Bucket
from vault.testing.clock import ManualClock
from vault.testing.store_contract import StoreFixture, clause_names, clauses

MOTO_BREAKS = {
    "a_lock_in_the_past_is_refused": "moto takes a date in the past",
}
"""What moto is known to break; safety is proved on the real server, and logic here."""


def run(fixture: StoreFixture, clause: str) -> None:
    """Hold the store to one clause; skip where it has no such capability."""
    chosen = dict(clauses(fixture)).get(clause)
    if chosen is None:
        pytest.skip("this store has no such capability")
    chosen()


@pytest.mark.parametrize("clause", clause_names())
def test_memory(clause: str) -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    run(
        StoreFixture(
            store,
            pass_time=clock.advance,
            overlay=lambda key, data: _ignore(store.lay_version(key, data)),
            mark=lambda key: _ignore(store.lay_marker(key)),
            versions=1000,
        ),
        clause,
    )


@pytest.fixture(params=["nameless", "named"])
def directory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StoreFixture:
    """A directory store, also as on file systems that know no nameless files."""
    if request.param == "named":
        monkeypatch.setattr("vault.store.durable._UNNAMED", 0)
    clock = ManualClock()
    establish_store(f"file://{tmp_path}/store?immutable=no", clock=clock)
    store = DirectoryStore(tmp_path / "store", clock, immutable=False)
    return StoreFixture(store, pass_time=clock.advance)


@pytest.mark.parametrize("clause", clause_names())
def test_directory(directory: StoreFixture, clause: str) -> None:
    run(directory, clause)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make files immutable")
@pytest.mark.parametrize("clause", ["what_has_lapsed_is_deleted", "other_bytes_never_replace"])
def test_directory_of_immutable_files(
    tmp_path: Path, clause: str, sealed: Callable[[Path], None]
) -> None:
    sealed(tmp_path)
    clock = ManualClock()
    establish_store(f"file://{tmp_path}/store", clock=clock)
    run(StoreFixture(DirectoryStore(tmp_path / "store", clock), pass_time=clock.advance), clause)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a bucket on a server in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "any")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        patch.delenv("AWS_PROFILE", raising=False)
        server = ThreadedMotoServer(port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"s3://contract/some/place?endpoint=http://{host}:{port}&region=us-east-1"
        establish_store(url, clock=SystemClock(), create=True)
        yield url
        server.stop()


@pytest.mark.parametrize("clause", clause_names())
def test_moto(moto: str, clause: str, request: pytest.FixtureRequest) -> None:
    if clause in MOTO_BREAKS:
        request.applymarker(pytest.mark.xfail(reason=MOTO_BREAKS[clause], strict=True))
    # Its locks are tried above; waiting for them here would show nothing of a real server.
    fixture = s3_fixture(moto, profile=None, other=None, versions=25)
    run(replace(fixture, pass_time=None), clause)


@pytest.mark.rgw
@pytest.mark.parametrize("clause", clause_names())
def test_rgw(rgw_bucket: RgwBucket, clause: str) -> None:
    """With the roles' own credentials: the writer writes, the collector deletes."""
    run(s3_fixture(rgw_bucket.url, profile="writer", other="provisioner"), clause)


@pytest.mark.rgw
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_rgw_with_a_hundred_thousand_versions_over_one_key(rgw_bucket: RgwBucket) -> None:
    fixture = s3_fixture(rgw_bucket.url, profile="writer", other="provisioner", versions=100_000)
    run(fixture, "many_versions_are_listed")


def s3_fixture(
    url: str, *, profile: str | None, other: str | None, versions: int = 1100
) -> StoreFixture:
    """A store of the writer whose deletes are the collector's; `other` owns the bucket."""
    clock = SystemClock()
    store = S3Store(Bucket(parse_address(url), profile, clock))
    if profile is not None:
        reaper = S3Store(Bucket(parse_address(url), "collector", clock))
        store.delete = reaper.delete  # type: ignore[method-assign]
    owner = Bucket(parse_address(url), other, clock)

    def where(key: str) -> dict[str, str]:
        return {"Bucket": owner.name, "Key": owner.prefix + key}

    return StoreFixture(
        store,
        pass_time=lambda span: time.sleep(span.total_seconds()),
        overlay=lambda key, data: owner.client.put_object(**where(key), Body=data),
        mark=lambda key: owner.client.delete_object(**where(key)),
        lock=timedelta(minutes=5),
        versions=versions,
    )


def _ignore(_: object) -> None:
    """Turn a value into nothing."""
