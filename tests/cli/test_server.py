"""The command line on a real S3 server: from `init` to another machine, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.hosts import Host, plant, same_content
from tests.rgw import RgwBucket, fresh_bucket
from vault import errors
from vault.clock import SystemClock
from vault.store.opening import open_store
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
_LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def host_of(bucket: RgwBucket, folder: Path) -> Host:
    """A host that will keep its vault in this bucket, with the credentials of all roles."""
    credentials = str(bucket.server.credentials)
    environment = {"AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": "/dev/null"}
    return Host(folder / "home", bucket.url, plant(folder / "photos"), environment)


def keys(bucket: RgwBucket) -> list[tuple[str, str]]:
    """Every version of every object."""
    store = open_store(bucket.url, right="reader", clock=SystemClock(), profile="reader")
    return [(version.key, version.version) for version in store.list("")]


def test_from_a_bucket_to_another_machine(rgw_bucket: RgwBucket, tmp_path: Path) -> None:
    """Five commands here; there only the URL, the reader's credential and the kit."""
    host = host_of(rgw_bucket, tmp_path / "here")
    host.ask("init", "--store", host.url, "--profile", "writer")
    assert 'profile = "writer"' in (host.home / "vault.toml").read_text()
    host.ask("volume", "add", "photos", host.volume)
    taken = host.ask("snapshot", "photos").item
    checks = {check["name"]: check["ok"] for check in host.ask("doctor", status=3).items}
    assert checks["store"]
    assert checks["clock"]
    tomb = host.ask("delete", "photos", "--reason", "moved").item
    assert tomb["undo_until"]
    away = Host(tmp_path / "away", host.url, host.volume, host.environment)
    words = ("--store", host.url, "--kit", host.kit, "--profile", "reader")
    restored = away.ask("restore", "photos", *words, "--to", tmp_path / "back").item
    assert restored["snapshot"] == taken["id"]
    assert [item["id"] for item in away.ask("tombstones", *words).items] == [tomb["id"]]
    host.ask("undelete", tomb["id"])
    assert same_content(tmp_path / "back", host.volume)
    assert not away.home.exists()
    before = keys(rgw_bucket)
    host.refused(errors.AlreadyInitialised, "init", "--store", host.url, "--profile", "writer")
    second = host_of(rgw_bucket, tmp_path / "second")
    taken_words = ("init", "--store", host.url, "--profile", "writer")
    second.refused(errors.AlreadyInitialised, *taken_words, says="another vault")
    assert keys(rgw_bucket) == before
    _a_clock_that_is_wrong(host, rgw_bucket)


def _a_clock_that_is_wrong(host: Host, bucket: RgwBucket) -> None:
    """Both times are named; nothing is written, nothing moves."""
    if _LIBRARY is None:
        return
    before = keys(bucket)
    wrong = host.under(LD_PRELOAD=str(_LIBRARY), FAKETIME="+3h", FAKETIME_DONT_FAKE_MONOTONIC="1")
    for words in (("snapshot", "photos"), ("delete", "photos", "--reason", "x")):
        error = wrong.refused(errors.ClockDisagrees, *words, says="clock")
        assert "NTP" in error["hint"]
    assert keys(bucket) == before


@pytest.mark.long  # vault is patient with a server for a quarter of a minute
def test_a_server_that_is_gone(rgw_bucket: RgwBucket, tmp_path: Path) -> None:
    """A delete changes nothing where the store does not answer; status answers all the same."""
    host = host_of(rgw_bucket, tmp_path)
    host.ask("init", "--store", host.url, "--profile", "writer")
    host.ask("volume", "add", "photos", host.volume)
    config = host.home / "vault.toml"
    text = config.read_text()
    config.write_text(text.replace(rgw_bucket.server.endpoint, "http://127.0.0.1:9"))
    host.refused(errors.StoreUnreachable, "delete", "photos", "--reason", "x", says="127.0.0.1:9")
    assert host.ask("status").item["recent"] == host.ask("tombstones").items == []
    config.write_text(text)
    host.ask("delete", "photos", "--reason", "x")


@pytest.mark.parametrize("case", ["no-bucket", "no-lock", "no-right", "no-profile"])
def test_a_bucket_that_cannot_be(rgw: Server, tmp_path: Path, case: str) -> None:
    """`init` says which, and leaves neither a vault here nor an object there."""
    bucket = fresh_bucket(rgw, locked=case != "no-lock")
    if case == "no-bucket":
        bucket = RgwBucket(rgw, "nowhere", rgw.url("nowhere", "main"))
    kind, profile, says = {
        "no-bucket": (errors.StoreAddressInvalid, "provisioner", "nowhere"),
        "no-lock": (errors.NotWriteOnce, "provisioner", "Object Lock"),
        "no-right": (errors.StoreDenied, "reader", "AccessDenied"),
        "no-profile": (errors.StoreDenied, "nobody", "nobody"),
    }[case]
    host = host_of(bucket, tmp_path)
    error = host.refused(kind, "init", "--store", host.url, "--profile", profile, says=says)
    assert not (host.home / "vault.toml").exists()
    assert json.dumps(error)
    if case not in ("no-bucket", "no-lock"):
        assert keys(bucket) == []
