"""P1: no single credential and no single process destroys both a volume and its backups.

Each of the four credentials, and the bucket owner's, tries every verb of tests/promises/attacks.py
on a stored pack and on a stored event. What counts is what became of the locked version, not what
the server said.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.processes import VAULT
from tests.promises.attacks import BUCKET, OBJECT, Target, attempt
from tests.promises.scenes import ROLES, Scene, make_scene
from tests.promises.users import open_ground, run_as, skip_unless_others_can_run, tried_as
from tests.rgw import RgwBucket, fresh_bucket
from vault.clock import SystemClock
from vault.compose import RoleName
from vault.errors import NotIsolated, UsageError
from vault.library import Vault
from vault.operations.enroll import Enrolment
from vault.operations.items import RestoreRequest
from vault.testing.rgw import Server
from vault.testing.trees import differences, read_tree

pytestmark = pytest.mark.rgw

Outcome = Literal["refused", "laid over", "marked", "no effect"]
_WRITES = (
    *("overwrite", "overwrite with nothing", "overwrite under GOVERNANCE"),
    *("copy it onto itself", "multipart over it"),
)


def expected(verb: str, kind: str, holder: str) -> Outcome:
    """The whole table: who may put may lay versions over a key, the owner markers too."""
    may_put = holder in ("writer", "provisioner") or (
        holder in ("purger", "collector") and kind == "events"
    )
    if verb in _WRITES and may_put and (holder, verb) != ("provisioner", "copy it onto itself"):
        return "laid over"
    if holder == "provisioner" and verb in ("delete", "batch delete"):
        return "marked"
    return "no effect" if (holder, verb) == _ABORTING else "refused"


_ABORTING = ("provisioner", "abort a multipart over it")  # an upload of its own


@pytest.fixture(scope="module")
def shared(rgw: Server, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One vault with one snapshot for all attackers."""
    scene = make_scene(fresh_bucket(rgw), tmp_path_factory.mktemp("p01"))
    scene.snapshot()
    return scene


@pytest.fixture
def attacked(shared: Scene, tmp_path: Path) -> Iterator[Scene]:
    """Afterwards everything stands, with its locks, and gives the same bytes."""
    before = _standing(shared)
    assert len(before) >= 6
    bucket = _settings_of_bucket(shared)
    yield shared
    after = _standing(shared)
    assert {key: after.get(key) for key in before} == before
    assert _settings_of_bucket(shared) == bucket
    shared.restore(tmp_path / "back")
    assert differences(shared.source, tmp_path / "back") == []


@pytest.mark.parametrize("holder", ["reader", "purger", "collector", "writer", "provisioner"])
def test_every_verb_leaves_the_backup(attacked: Scene, holder: str) -> None:
    """The table of verb × credential × outcome."""
    client = attacked.client(holder)
    bucket = {} if holder == "provisioner" else BUCKET  # the owner's turn is below
    found, wanted = {}, {}
    for kind, attacks in (("packs", OBJECT | bucket), ("events", OBJECT)):
        target = _target(attacked, kind)
        for verb, attack in attacks.items():
            tops = _top(attacked, target)
            answer = attempt(attack, client, target)
            found[verb, kind] = _outcome(tops, _top(attacked, target), answer)
            wanted[verb, kind] = expected(verb, kind, holder)
    assert found == wanted


def test_not_even_the_buckets_owner_ends_a_lock(rgw: Server, tmp_path: Path) -> None:
    """He may reconfigure the bucket and open it to everyone: what is locked stays."""
    scene = make_scene(fresh_bucket(rgw), tmp_path)
    scene.snapshot()
    before, target = _standing(scene), _target(scene, "packs")
    owner = scene.client("provisioner")
    done = {verb: attempt(attack, owner, target) for verb, attack in BUCKET.items()}
    assert done["suspend versioning"] != "done"
    assert done["delete the bucket"] != "done"
    assert done["set a bucket policy"] == "done"
    allow_all = BUCKET["set a bucket policy"]
    attempt(allow_all, owner, target)
    for holder in ("provisioner", "writer", "collector"):
        for attack in OBJECT.values():
            attempt(attack, scene.client(holder), target)
    after = _standing(scene)
    assert {key: after.get(key) for key in before} == before
    scene.restore(tmp_path / "back")
    assert differences(scene.source, tmp_path / "back") == []


def test_a_wrecked_host_leaves_the_backup(rgw_bucket: RgwBucket, tmp_path: Path) -> None:
    """What the daemon and the purger can reach on the host is not the backup."""
    scene = make_scene(rgw_bucket, tmp_path)
    scene.snapshot()
    scene.source.rename(tmp_path / "kept")
    shutil.rmtree(tmp_path / "homes")
    with Vault.from_store(scene.url, scene.kit, profile="reader") as vault:
        report = vault.restore(RestoreRequest(what="db", to=tmp_path / "back", kit=scene.kit))
    assert not report.findings
    assert differences(tmp_path / "kept", tmp_path / "back") == []


@pytest.mark.parametrize("role", ["collector", "purger"])
def test_the_others_users_cannot_touch_a_volume(rgw_bucket: RgwBucket, role: RoleName) -> None:
    """Their processes do their work as users of their own, to whom neither a volume, nor what is
    in quarantine, nor another's key is open. (What the purger's unit gives it besides, to destroy
    what is in quarantine, is a capability: its credential is the one that spares the store.)
    """
    uid, status = (61003, 0) if role == "collector" else (61002, 3)
    with open_ground() as ground:
        scene = make_scene(rgw_bucket, ground)
        skip_unless_others_can_run(uid, scene.environ(role), ground)
        (held,) = _deleted(scene)
        for own in (scene.home(role), *scene.home(role).rglob("*"), scene.credentials(role)):
            os.chown(own, uid, uid)
        work = run_as(uid, [VAULT, role, "--once", "--json"], scene.environ(role), ground)
        assert work.returncode == status, work.stderr  # the purger cannot even look
        before = read_tree(scene.source), read_tree(held)
        others = [r for r in ROLES if r != role]
        secrets = [scene.credentials(r) for r in others]
        secrets += [scene.home() / "keys" / "writer.key", scene.home() / "vault.toml", scene.kit]
        other: RoleName = "purger" if role == "collector" else "collector"
        secrets.append(scene.home(other) / "keys" / f"{other}.key")
        assert all(path.exists() for path in secrets)
        for folder, file in ((scene.source, scene.source / "mode-0777"), (held, held / "file")):
            assert file.exists()
            found = tried_as(uid, folder, file, secrets=secrets, env=scene.environ(role))
            assert {k: v for k, v in found.items() if v not in _REFUSED} == {}
        assert (read_tree(scene.source), read_tree(held)) == before
        with scene.vault() as vault:
            (tombstone,) = vault.tombstones()
            assert vault.undelete([tombstone.id])[0].state == "restored"


_REFUSED = ("Permission denied", "Operation not permitted")


def _deleted(scene: Scene) -> list[Path]:
    """Delete a second volume; where it is held now."""
    place = scene.root / "other" / "gone"
    place.mkdir(mode=0o755, parents=True)
    (place / "file").write_bytes(b"held")
    with scene.vault() as vault:
        vault.add_volume(Enrolment(name="gone", path=str(place)))
        vault.snapshot("db")
        vault.delete("gone", reason="to see who can reach it in quarantine")
    return [file.parent for file in (scene.root / "other").rglob("file")]


def test_rights_are_types(shared: Scene) -> None:
    """Each role's store has the methods of its right, and the library refuses the others' verbs."""
    methods = {"writer": {"put", "extend"}, "purger": {"put"}, "collector": {"put", "delete"}}
    for role in ROLES:
        with shared.vault(role) as vault:
            unit = vault._reading
            store = getattr(unit, "store", unit.reader)
            held = {name for name in ("put", "extend", "delete") if hasattr(store, name)}
            assert held == methods.get(role, set())
            assert held >= {name for name in ("put", "extend") if hasattr(unit.reader, name)}
            assert (role != "reader") == hasattr(unit, "signer")
            verbs: tuple[tuple[Callable[[Vault], object], str], ...] = (
                (lambda v: v.delete("db", reason="not mine to ask"), "writer"),
                (lambda v: v.snapshot("db"), "writer"),
                (lambda v: v.undelete(["tomb_"]), "writer"),
                (lambda v: v.purge(), "purger"),
                (lambda v: v.collect(dry_run=True), "collector"),
            )
            for verb, owner in verbs:
                if role != owner:
                    with pytest.raises(UsageError, match=owner):
                        verb(vault)


def test_the_daemon_starts_only_apart_from_the_others(
    rgw_bucket: RgwBucket, tmp_path: Path
) -> None:
    scene = make_scene(rgw_bucket, tmp_path, tree=False)
    toml, key = scene.home() / "vault.toml", scene.home() / "keys" / "purger.key"
    daemon = ("daemon", "--once", "--listen", "")
    assert scene.run(*daemon).returncode == 0

    shutil.copy(scene.home("purger") / "keys" / "purger.key", key)
    _refuses(scene, *daemon)
    key.unlink()
    assert scene.run(*daemon).returncode == 0

    whole = {"AWS_SHARED_CREDENTIALS_FILE": str(scene.bucket.server.credentials)}
    _refuses(scene, *daemon, env=whole)  # though vault.toml names none but its own
    for role in ("purger", "collector"):
        text = toml.read_text("utf-8")
        toml.write_text(f'{text}\n[roles.{role}]\nprofile = "{role}"\n', "utf-8")
        assert scene.run(*daemon).returncode == 0  # named, and out of its reach
        _refuses(scene, *daemon, env=whole)
        _refuses(scene, "daemon", "--listen", "", env=whole)
        toml.write_text(text, "utf-8")


def test_the_embedded_daemon_says_what_it_is(tmp_path: Path, rgw_bucket: RgwBucket) -> None:
    home = tmp_path / "embedded"
    Vault.init(home, store=f"file://{tmp_path}/store?immutable=no")
    env = {"VAULT_HOME": str(home)}
    scene = Scene(rgw_bucket, tmp_path)
    done = scene.run("daemon", "--once", "--listen", "", role=None, env=env)
    assert done.returncode == 0, done.stderr
    assert "NOT ISOLATED" in done.stderr


def _refuses(scene: Scene, *words: str, env: dict[str, str] | None = None) -> None:
    done = scene.run(*words, "--json", env=env)
    assert done.returncode == NotIsolated.status, done.stderr
    assert NotIsolated.code in done.stderr


def _standing(scene: Scene) -> dict[tuple[str, str], tuple[str, datetime, str]]:
    """Every locked version with its lock and ETag, asked for one by one."""
    reader, found = scene.client("reader"), {}
    for version in scene.versions():
        if version["Marker"]:
            continue
        where = {"Bucket": scene.bucket.name, "Key": version["Key"]}
        head = reader.head_object(**where, VersionId=version["VersionId"])
        if head.get("ObjectLockMode") == "COMPLIANCE":
            lock = (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"], head["ETag"])
            found[version["Key"], version["VersionId"]] = lock
    return found


def _settings_of_bucket(scene: Scene) -> list[Any]:
    """What the owner sees of the bucket's own settings."""
    owner, where = scene.client("provisioner"), {"Bucket": scene.bucket.name}
    calls = ("versioning", "object_lock_configuration", "policy", "acl")
    told = [getattr(owner, f"get_bucket_{c}", getattr(owner, f"get_{c}", None)) for c in calls]
    answers = [call(**where) for call in told if call]
    assert len(answers) == len(calls)
    assert attempt(
        lambda s3, _: s3.get_bucket_lifecycle_configuration(**where), owner, _target(scene, "packs")
    ) == ("NoSuchLifecycleConfiguration")
    return [{k: v for k, v in a.items() if k != "ResponseMetadata"} for a in answers]


def _target(scene: Scene, kind: str) -> Target:
    """The authentic version of the first object of a kind: the one that is locked."""
    key, version = next(at for at in _standing(scene) if at[0].startswith(f"main/{kind}/"))
    until = _standing(scene)[key, version][1]
    return Target(scene.bucket.name, key, version, until, SystemClock().now())


def _top(scene: Scene, target: Target) -> tuple[str, bool]:
    """The newest version of the attacked key, and whether it is a delete marker."""
    owner = scene.client("provisioner")
    page = owner.list_object_versions(Bucket=target.bucket, Prefix=target.key)
    everything = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    newest = next(v for v in everything if v["IsLatest"])
    return newest["VersionId"], newest in page.get("DeleteMarkers", ())


def _outcome(before: tuple[str, bool], after: tuple[str, bool], answer: str) -> Outcome:
    if after == before and answer != "done":
        return "refused"
    if after[1]:  # there is one marker at most: a second delete adds none
        return "marked"
    return "no effect" if after == before else "laid over"
