"""Nine seconds: an agent's credential deletes all it can reach, by every path, as fast as it can.

Through vault nothing is lost, and one command brings everything back.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.promises.doors import Door, open_door
from tests.rgw import RgwBucket
from vault.errors import VaultError
from vault.testing.trees import Tree, read_tree

pytestmark = pytest.mark.rgw
NINE_SECONDS = 9.0
VOLUMES = ("db", "mail", "photos", "logs", "queue", "wiki", "builds", "index")


class Attacker:
    """All paths at once, with the one token that it found."""

    def __init__(self, door: Door, token: str, until: float) -> None:
        self.door, self.token, self.until = door, token, until
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        paths = (self.by_http, self.by_library, self.by_command, self.by_http_oddly)
        threads = [threading.Thread(target=self.again, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def again(self, path: object) -> None:
        assert callable(path)
        while time.monotonic() < self.until:
            path()

    def by_http(self) -> None:
        """Every volume and every tombstone that is shown."""
        with self.door.raw(self.token) as http:
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
            for volume in me.volumes():
                try:
                    me.delete(volume.name, reason="cleaning up", task="OPS-1")
                    self.answers["library: tombstoned"] += 1
                except VaultError as error:
                    self.answers[f"library: {error.code}"] += 1

    def by_command(self) -> None:
        """The command line, with the token in its environment."""
        environ = {"VAULTD_URL": self.door.url, "VAULTD_TOKEN": self.token}
        for name in VOLUMES[:2]:
            words = ("delete", name, "--reason", "cleaning up", "--task", "OPS-1", "--json")
            done = self.door.scene.run(*words, env=environ)
            told = json.loads(done.stdout if done.returncode == 0 else done.stderr)
            self.answers[f"command: {told.get('code', 'tombstoned')}"] += 1

    @property
    def words(self) -> dict[str, str]:
        return {"Vault-Reason": "cleaning up", "Vault-Task": "OPS-1"}

    def note(self, answer: httpx.Response) -> None:
        assert answer.status_code < 500, answer.text
        self.answers[f"http: {answer.status_code}"] += 1


def test_nothing_is_lost_and_one_command_undoes_it(
    rgw_bucket: RgwBucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_door(rgw_bucket, tmp_path, *VOLUMES) as door:
        (door.scene.source / "data").write_bytes(b"the database" * 1000)
        before = _trees(tmp_path)
        with door.scene.vault() as vault:
            for name in VOLUMES:
                vault.snapshot(name)
            snapshots = {item.id for item in vault.snapshots()}
        door.let("bot", "*", uses=1000)  # the most that a careless person could give
        token = door.token("bot", "production")
        attacker = Attacker(door, token, time.monotonic() + NINE_SECONDS)
        attacker.run()

        with door.scene.vault() as vault:
            gone = [t for t in vault.tombstones() if t.state == "tombstoned"]
            frozen = {item.name for item in vault.oversight.frozen()}
            budget = 5  # volumes of one agent in ten minutes
            assert 1 <= len({tombstone.volume for tombstone in gone}) <= budget
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
        with capsys.disabled():
            print(
                f"\nnine seconds: {sum(attacker.answers.values())} attempts, {len(gone)} volumes "
                f"set aside, bytes lost 0, undone by one command in {took:.1f} s; "
                f"{dict(sorted(attacker.answers.items()))}"
            )


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
