"""P10 on the real server: no credential takes an entry away, and what is laid there is told."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from tests.promises.forgeries import STRANGER
from tests.promises.scenes import Scene, answer, make_scene
from tests.rgw import RgwBucket
from tests.tsa import Authority, make_authority, serving
from vault.audit.entry import encode_entry
from vault.audit.merkle import Frontier
from vault.audit.segment import write_segment
from vault.codec.envelope import parse, sign
from vault.library import Vault
from vault.operations import homes
from vault.operations.audit_items import AuditReport
from vault.repository.audit_log import seal_segment, stem, unseal_segment
from vault.store.names import named

pytestmark = pytest.mark.rgw


@pytest.fixture
def scene(rgw_bucket: RgwBucket, tmp_path: Path) -> Scene:
    """A vault on the server with a log of several segments."""
    scene = make_scene(rgw_bucket, tmp_path, tree=False)
    with scene.vault() as vault:
        for _ in range(2):
            vault.pause("db")
            vault.pause("db", resume=True)
    return scene


@pytest.fixture
def authorities() -> Iterator[tuple[Authority, Authority]]:
    """A time-stamping service's certificates, and a stranger's."""
    made = make_authority(), make_authority()
    yield made
    for authority in made:
        shutil.rmtree(authority.folder)


def verified(scene: Scene) -> AuditReport:
    """What another machine finds, with the reader's credential."""
    with Vault.from_store(scene.url, scene.kit, profile="reader") as vault:
        return vault.oversight.audit_verify()


def stored(scene: Scene) -> dict[str, str]:
    """The version of each segment."""
    found = {v["Key"].removeprefix("main/"): v["VersionId"] for v in scene.versions()}
    return {key: version for key, version in found.items() if key.startswith("audit/")}


def attempts(key: str, version: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way to do away with a version of a segment, as calls of a client."""
    yield "delete_object", {"Key": key}
    yield "delete_object", {"Key": key, "VersionId": version}
    yield (
        "delete_object",
        {"Key": key, "VersionId": version, "BypassGovernanceRetention": True},
    )
    yield "put_object", {"Key": key, "Body": b"{}"}
    yield "put_object", {"Key": key, "Body": secrets.token_bytes(900)}


@pytest.mark.parametrize("profile", ["writer", "purger", "collector", "reader", "provisioner"])
def test_no_credential_takes_an_entry_away(scene: Scene, profile: str) -> None:
    """All are read through whatever was laid over them, and what was laid there is named."""
    before, keys = verified(scene), stored(scene)
    assert before.findings == ()
    assert len(keys) >= 5
    client, done = scene.client(profile), 0
    for key, version in keys.items():
        for call, words in attempts(f"main/{key}", version):
            try:
                getattr(client, call)(Bucket=scene.bucket.name, **words)
                done += 1
            except ClientError:
                continue
    after = verified(scene)
    assert (after.entries, after.logs) == (before.entries, before.logs)
    assert {finding.path for finding in after.findings} == (keys.keys() if done else set())
    assert {finding.what for finding in after.findings} <= {"marker", "overwritten"}
    assert done or profile == "reader"


def test_forged_segments_count_for_nothing(scene: Scene) -> None:
    """A stranger's, one of another place, log, vault or kind; with the writer's own credential."""
    before, key = verified(scene), homes.read_writer_keys(scene.home()).signing
    client, bucket = scene.client("writer"), scene.bucket.name
    data = client.get_object(Bucket=bucket, Key=f"main/{min(stored(scene))}")["Body"].read()
    envelope, end, other = parse(data), before.entries, "vault_" + "0" * 26
    strange = sign(envelope.kind, envelope.vault, envelope.body, STRANGER)
    foreign = sign("audit", other, write_segment(other, Frontier(), [b"{}"], key), key)
    places = (
        (stem(key.key_id, 0), strange),
        (stem(key.key_id, end), strange),
        (stem(STRANGER.key_id, 0), strange),
        (stem(key.key_id, end), data),
        (stem("0" * 16, 0), data),
        ("audit/somewhere", data),
        (stem(key.key_id, end), b"junk"),
        (stem(key.key_id, 0), foreign),
        (stem(key.key_id, 0), sign("event", envelope.vault, envelope.body, key)),
    )
    laid = {named(place, record): record for place, record in places}
    for name, body in laid.items():
        client.put_object(Bucket=bucket, Key=f"main/{name}", Body=body)
    with scene.vault() as vault:
        vault.pause("db")  # nothing of it is in the way
    after = verified(scene)
    assert after.entries > end
    assert [log.log for log in after.logs] == [key.key_id]
    assert {finding.path for finding in after.findings} == laid.keys()
    assert {finding.what for finding in after.findings} == {"forged", "unauthentic"}


def test_a_taken_host_cannot_rewrite_its_past(scene: Scene) -> None:
    """With its key and its credential it can fork, and any other machine tells of the fork."""
    before = verified(scene)
    key, vault = homes.read_writer_keys(scene.home()).signing, homes.read_vault_id(scene.home())
    client, bucket = scene.client("writer"), scene.bucket.name
    data = client.get_object(Bucket=bucket, Key=f"main/{min(stored(scene))}")["Body"].read()
    (_, entry), *_ = unseal_segment(data, vault).entries()
    leaf = encode_entry(msgspec.structs.replace(entry, volume="another"))
    record = seal_segment(vault, write_segment(vault, Frontier(), [leaf], key), key)
    name = named(stem(key.key_id, 0), record)
    client.put_object(Bucket=bucket, Key=f"main/{name}", Body=record)
    after = verified(scene)
    assert after.entries == before.entries
    assert "fork" in {finding.what for finding in after.findings}


def test_the_command_says_so_on_a_fresh_machine(scene: Scene) -> None:
    """By its status, too."""
    words = ("audit", "verify", "--store", scene.url, "--kit", str(scene.kit))
    clean = scene.run(*words, "--profile", "reader", "--json", role="reader")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    key = min(stored(scene))
    scene.client("provisioner").delete_object(Bucket=scene.bucket.name, Key=f"main/{key}")
    done = scene.run(*words, "--profile", "reader", "--json", role="reader")
    assert done.returncode == 3, done.stderr
    (told,) = answer(done)
    assert [(f["what"], f["path"]) for f in told["findings"]] == [("marker", key)]


def test_time_stamps_are_proved_from_the_bucket_by_whoever_trusts_their_root(
    scene: Scene, authorities: tuple[Authority, Authority]
) -> None:
    """The daemon has the log stamped; an auditor elsewhere has store, kit and a certificate."""
    ours, theirs = authorities
    settings = scene.home() / "vault.toml"
    with serving(ours) as service:
        terms = f'timestamp_url = "{service.url}"\ntimestamp_roots = "{ours.root}"'
        text = settings.read_text()
        settings.write_text(text.replace("[audit]\n", f"[audit]\n{terms}\n"))
        done = scene.run("daemon", "--once", "--listen", "")
        assert (done.returncode, len(service.asked)) == (0, 1), done.stderr
    away = ("audit", "verify", "--json", "--store", scene.url, "--kit", str(scene.kit))
    for authority, status in ((ours, 0), (theirs, 3)):
        words = (*away, "--profile", "reader", "--roots", str(authority.root))
        told = scene.run(*words, role="reader")
        assert told.returncode == status, told.stderr
        (report,) = json.loads(told.stdout)["items"]
        assert any(log["stamped"] for log in report["logs"]) is (status == 0)
        assert bool(report["findings"]) is (status == 3)
