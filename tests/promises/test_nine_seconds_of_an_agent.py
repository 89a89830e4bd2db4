"""Nine seconds: an agent's credential deletes all it can reach, by every path, as fast as it can.

Through vault nothing is lost, and one command brings everything back. Around vault no more is lost
than changed since the last capture. Each says how long that took.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.agents import Agent, Told
from tests.agents import answer as tool
from tests.processes import vault_mcp
from tests.promises.attacks import OBJECT, Target, attempt
from tests.promises.doors import Door, open_door
from tests.promises.scenes import Scene
from tests.rgw import RgwBucket
from vault import limits
from vault.clock import SystemClock
from vault.errors import VaultError
from vault.library import Vault
from vault.operations.items import RestoreRequest
from vault.testing.trees import Tree, read_tree

pytestmark = pytest.mark.rgw
NINE_SECONDS = 9.0
VOLUMES = ("db", "mail", "photos", "logs", "queue", "wiki", "builds", "index")


class Attacker:
    """All paths at once, with the one token that it found; the time begins when all are open."""

    def __init__(self, door: Door, token: str, tools: str) -> None:
        self.door, self.token, self.tools = door, token, tools
        self.answers: Counter[str] = Counter()
        self.until = 0.0

    def run(self) -> None:
        paths = (
            *(self.by_http, self.by_http_oddly, self.by_library, self.by_command),
            *(self.by_tools_of_its_own, self.by_tools_over_http),
        )
        self.gate = threading.Barrier(len(paths), action=self.begin)
        with ThreadPoolExecutor(len(paths)) as threads:
            for done in [threads.submit(path) for path in paths]:
                done.result()

    def begin(self) -> None:
        self.until = time.monotonic() + NINE_SECONDS

    def again(self) -> Iterator[None]:
        """As often as the time allows."""
        self.gate.wait(timeout=120)
        while time.monotonic() < self.until:
            yield

    def by_http(self) -> None:
        """Every volume, every tombstone and every snapshot that is shown."""
        with self.door.raw(self.token) as http:
            for _ in self.again():
                for volume in http.get("/v1/volumes").json().get("items", ()):
                    self.note(http.delete(f"/v1/volumes/{volume['id']}", headers=self.words))
                for tombstone in http.get("/v1/tombstones").json().get("items", ()):
                    self.note(http.delete(f"/v1/tombstones/{tombstone['id']}?force=1"))
                    self.note(http.post(f"/v1/tombstones/{tombstone['id']}/purge"))
                for snapshot in http.get("/v1/snapshots").json().get("items", ()):
                    self.note(http.delete(f"/v1/snapshots/{snapshot['id']}"))

    def by_http_oddly(self) -> None:
        """What an old or another version of the interface might have taken."""
        with self.door.raw(self.token) as http:
            for _ in self.again():
                for name in VOLUMES:
                    self.note(http.post(f"/v1/volumes/{name}/delete", json={"force": True}))
                    self.note(http.delete(f"/v1/volumes/{name}?permanent=1", headers=self.words))
                    self.note(http.request("PURGE", f"/v1/volumes/{name}"))
                self.note(http.put("/v1/volumes/all", json={"path": "/"}))
                self.note(http.post("/v1/grants/grant_0000000/give"))

    def by_library(self) -> None:
        """The agent runs where the home is readable: the library, acting as the agent."""
        with self.door.scene.vault() as vault:
            me = vault.acting_as(vault.authenticate(self.token))
            for _ in self.again():
                for volume in me.volumes():
                    self.attempt("library", me.delete, volume.name, **self.reason)
                    self.attempt("library", me.remove_volume, volume.name)
                for tombstone in me.tombstones():
                    self.attempt("library", me.release, tombstone.id)

    def by_command(self) -> None:
        """The command line, with the token in its environment."""
        environ = {"VAULTD_URL": self.door.url, "VAULTD_TOKEN": self.token}
        words = ("--reason", self.reason["reason"], "--task", self.reason["task"], "--json")
        for number, _ in enumerate(self.again()):
            name = VOLUMES[number % len(VOLUMES)]
            done = self.door.scene.run("delete", name, *words, env=environ)
            told = json.loads(done.stdout if done.returncode == 0 else done.stderr)
            self.answers[f"command: {told.get('code', 'tombstoned')}"] += 1

    def by_tools_of_its_own(self) -> None:
        """The tools that it was given, over standard input."""
        asyncio.run(self.by_tools(Agent(self.token, self.door.url)))

    def by_tools_over_http(self) -> None:
        """The same by the network."""
        asyncio.run(self.by_tools(Agent(self.token, server=self.tools)))

    async def by_tools(self, agent: Agent) -> None:
        async with agent.session() as session:
            for _ in self.again():
                for name in VOLUMES:
                    self.tell(await tool(session, "delete_volume", {"volume": name, **self.reason}))
                    self.tell(await tool(session, "purge", {"volume": name, "force": True}))

    def tell(self, told: Told) -> None:
        self.answers["tools: refused" if told.refused else "tools: tombstoned"] += 1

    def attempt(self, path: str, verb: Callable[..., object], *what: str, **words: str) -> None:
        try:
            verb(*what, **words)
            self.answers[f"{path}: done"] += 1
        except VaultError as error:
            self.answers[f"{path}: {error.code}"] += 1

    @property
    def reason(self) -> dict[str, str]:
        return {"reason": "cleaning up", "task": "OPS-1"}

    @property
    def words(self) -> dict[str, str]:
        return {"Vault-Reason": "cleaning up", "Vault-Task": "OPS-1"}

    def note(self, answer: httpx.Response) -> None:
        assert answer.status_code < 500, answer.text
        self.answers[f"http: {answer.status_code}"] += 1


def test_through_vault_nothing_is_lost_and_one_command_undoes_it(
    rgw_bucket: RgwBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_door(rgw_bucket, tmp_path, *VOLUMES) as door, _tools(door) as tools:
        (door.scene.source / "data").write_bytes(b"the database" * 1000)
        before = _trees(tmp_path)
        with door.scene.vault() as vault:
            for name in VOLUMES:
                vault.snapshot(name)
            snapshots = {item.id for item in vault.snapshots()}
        door.let("bot", "*", uses=1000)  # the most that a careless person could give
        attacker = Attacker(door, door.token("bot", "production"), tools)
        attacker.run()

        with door.scene.vault() as vault:
            gone = [t for t in vault.tombstones() if t.state == "tombstoned"]
            frozen = {item.name for item in vault.oversight.frozen()}
            assert 1 <= len({tombstone.volume for tombstone in gone}) <= limits.AGENT_VOLUMES
            assert frozen == {"bot"}
            assert {item.id for item in vault.snapshots()} >= snapshots
        begun = time.monotonic()
        done = door.scene.run("undelete", "--by", "bot", "--since", "10m", "--json")
        took = time.monotonic() - begun
        assert done.returncode == 0, done.stderr
        assert {item["state"] for item in json.loads(done.stdout)["items"]} == {"restored"}
        assert _trees(tmp_path) == before
        report = door.scene.run("audit", "verify", "--json")
        assert report.returncode == 0, report.stdout
        paths = {answer.partition(":")[0] for answer in attacker.answers}
        assert paths == {"http", "library", "command", "tools"}
        with capsys.disabled():
            print(
                f"\nnine seconds through vault: {sum(attacker.answers.values())} attempts, "
                f"{len(gone)} volumes set aside, bytes lost 0, undone by one command in "
                f"{took:.1f} s; {dict(sorted(attacker.answers.items()))}"
            )


@contextmanager
def _tools(door: Door) -> Iterator[str]:
    """The door for agents by HTTP; it has no token of its own."""
    with vault_mcp(door.scene.environ(None) | {"VAULTD_URL": door.url}) as url:
        yield url


SINCE = b"written since the last capture"


def test_around_vault_no_more_is_lost_than_changed_since_the_last_capture(
    rgw_bucket: RgwBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root on the host, with the daemon's own credential and key in hand: nothing asks vault.

    The volumes, a tombstone's data, the home and all that it holds are gone; the bucket is not.
    """
    scene, present = _captured(rgw_bucket, tmp_path)
    attempts = _around(scene)
    assert attempts["refused"]
    assert not any((tmp_path / "srv").iterdir())
    assert not scene.home().exists()

    begun = time.monotonic()
    with Vault.from_store(scene.url, scene.kit, profile="reader") as vault:
        for name in (*VOLUMES, "branch"):
            place = tmp_path / "back" / name
            vault.restore(RestoreRequest(what=name, to=place, kit=scene.kit))
        log = vault.oversight.audit_verify()
    took = time.monotonic() - begun
    back = _files(tmp_path / "back")
    lost = {name: body for name, body in present.items() if back.get(name) != body}
    assert lost == {"mail/late": SINCE}
    assert back == {name: body for name, body in present.items() if name not in lost}
    assert log.entries
    assert {finding.what for finding in log.findings} <= {"marker", "overwritten"}
    with capsys.disabled():
        print(
            f"\nnine seconds around vault: {attempts.total()} attempts at the store, "
            f"{attempts['refused']} refused; {len(present)} files, a tombstone and the home "
            f"destroyed; bytes lost {sum(map(len, lost.values()))} (written since the last "
            f"capture), the rest back from bucket and kit alone in {took:.1f} s"
        )


def _captured(bucket: RgwBucket, root: Path) -> tuple[Scene, dict[str, bytes]]:
    """Every volume captured, one of them a tombstone with its final snapshot; and what is lost."""
    with open_door(bucket, root, *VOLUMES) as door:
        scene, files = door.scene, _files(root / "srv")
    with scene.vault() as vault:
        for name in (*VOLUMES, "branch"):
            vault.snapshot(name)
        vault.delete("index", reason="rebuilt elsewhere")
    done = scene.run("daemon", "--once", "--listen", "")
    assert done.returncode == 0, done.stderr
    (root / "srv" / "mail" / "late").write_bytes(SINCE)
    return scene, {**files, "mail/late": SINCE}


def _files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def _around(scene: Scene) -> Counter[str]:
    """Delete all that the host can reach, then try everything at the store until the time ends."""
    until = time.monotonic() + NINE_SECONDS
    client, attempts = scene.client("writer"), Counter[str]()
    shutil.rmtree(scene.root / "srv")
    (scene.root / "srv").mkdir()
    shutil.rmtree(scene.home())
    now = SystemClock().now()
    for version in scene.versions():
        target = Target(scene.bucket.name, version["Key"], version["VersionId"], now, now)
        for attack in OBJECT.values():
            if time.monotonic() > until:
                return attempts
            attempts["done" if attempt(attack, client, target) == "done" else "refused"] += 1
    return attempts


def _trees(root: Path) -> dict[str, Tree]:
    return {name: read_tree(root / "srv" / name) for name in (*VOLUMES, "branch")}


def test_a_found_token_of_another_environment_reaches_nothing(
    rgw_bucket: RgwBucket, tmp_path: Path
) -> None:
    """The incident: a token made for something else, one well-formed request, the wrong context."""
    with open_door(rgw_bucket, tmp_path, "db", "mail") as door:
        before = read_tree(tmp_path / "srv")
        with door.scene.vault() as vault:
            target = vault.volume("db").id
        with door.raw(door.token("bot", "staging")) as http:
            answer = http.delete(f"/v1/volumes/{target}", headers={"Vault-Reason": "mismatch"})
        assert answer.status_code == 404
        with door.raw(door.token("bot", "production", life=timedelta(minutes=5))) as http:
            answer = http.delete(f"/v1/volumes/{target}", headers={"Vault-Reason": "mismatch"})
        assert answer.status_code == 403
        assert "needs-grant" in answer.json()["detail"]
        assert read_tree(tmp_path / "srv") == before
