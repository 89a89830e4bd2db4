"""P2 and P3 over HTTP under pressure: crowds, a clock that leaps, an undelete against a purge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.promises.clocks import Days, later
from tests.promises.doors import Door, open_door, serving
from tests.promises.scenes import Scene, make_scene
from tests.rgw import RgwBucket, fresh_bucket
from vault.api.application import create_app
from vault.clock import SystemClock, parse_time
from vault.governance import biscuits
from vault.ids import new_id
from vault.limits import PROTECTED_WINDOW_FLOOR
from vault.operations import homes
from vault.operations.enroll import Enrolment
from vault.operations.tokens import TokenWish
from vault.testing.rgw import Server

pytestmark = pytest.mark.rgw
WORDS = {"Vault-Reason": "replaced", "Vault-Task": "OPS-1"}
LEAP = timedelta(hours=49)
MANY = pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])
VOLUMES = tuple(f"v{number}" for number in range(8))


# --- a crowd -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [500, MANY])
def test_a_crowd_of_deletes_makes_one_tombstone(
    rgw_bucket: RgwBucket, tmp_path: Path, count: int
) -> None:
    """All with one token, as a client would that repeats itself; each is told of the same one."""
    with open_door(rgw_bucket, tmp_path, "db") as door:
        door.let("bot", "db", uses=count)
        with door.raw(door.token("bot", "production")) as http, ThreadPoolExecutor(32) as crowd:
            answers = list(
                crowd.map(
                    lambda _: http.delete("/v1/volumes/db", headers=WORDS, timeout=300),
                    range(count),
                )
            )
        assert Counter(answer.status_code for answer in answers) == {202: count}
        told = {answer.json()["tombstone"] for answer in answers}
        with door.scene.vault() as vault:
            made = [item for item in vault.tombstones() if item.state != "denied"]
            assert ({item.id for item in made}, made[0].state) == (told, "tombstoned")
            assert vault.oversight.audit_verify().findings == ()
            vault.undelete([made[0].id])
        assert door.scene.source.exists()


# --- a clock that leaps --------------------------------------------------------------------------


@pytest.fixture
def leaping(rgw_bucket: RgwBucket, tmp_path: Path) -> Iterator[Door]:
    """A vault of `db` and `mail`, for an app in this process."""
    with open_door(rgw_bucket, tmp_path, "db", "mail") as door:
        yield door


def lasting(scene: Scene) -> str:
    """A person's token that was made three days ago and is good for ten more."""
    with scene.vault() as vault:
        vault.oversight.add_identity("ann", "human")
        vault.oversight.make_token(TokenWish(name="ann", environment="production"))
    now = SystemClock().now().replace(microsecond=0)
    terms = biscuits.Terms(
        vault=homes.read_vault_id(scene.home()),
        name="ann",
        kind="human",
        environment="production",
        token=new_id("tok", now),
        made_at=now - timedelta(days=3),
        expires_at=now + timedelta(days=10),
    )
    return biscuits.mint((scene.home() / homes.ISSUING_KEY).read_text().strip(), terms)


def asking(scene: Scene, token: str, *calls: tuple[str, str]) -> list[Any]:
    """What an app answers whose vaults are opened now."""
    app = create_app(scene.vault, rate=1e6)
    with TestClient(app, headers={"Authorization": f"Bearer {token}", **WORDS}) as http:
        return [http.request(method, f"/v1{path}") for method, path in calls]


@pytest.mark.parametrize("leap", [LEAP, -LEAP], ids=["forward", "back"])
def test_a_leap_of_the_clock_ends_no_window(leaping: Door, leap: timedelta) -> None:
    """The host's by 49 hours: what was deleted before stays, what is deleted then has 48 hours."""
    scene, token = leaping.scene, lasting(leaping.scene)
    before = asking(scene, token, ("DELETE", "/volumes/db"))[0].json()
    with later(leap):
        told = asking(
            scene,
            token,
            ("GET", f"/tombstones/{before['tombstone']}"),
            ("DELETE", "/volumes/mail"),
            ("POST", "/volumes/mail/undelete"),
        )
        assert (told[0].json()["state"], told[0].json()["undo_until"]) == (
            *("tombstoned", before["undo_until"]),
        )
        assert told[1].status_code == 202, told[1].text
        window = parse_time(told[1].json()["undo_until"]) - SystemClock().now()
        assert timedelta(0) <= PROTECTED_WINDOW_FLOOR - window < timedelta(minutes=5)
        assert told[2].json()["state"] == "restored"
        with scene.vault("purger") as vault:
            assert {item.verdict for item in vault.purge().items} == {"refused"}
    (back,) = asking(scene, token, ("POST", f"/tombstones/{before['tombstone']}/undelete"))
    assert back.json()["state"] == "restored"


def test_a_token_does_not_live_longer_by_a_leap(leaping: Door) -> None:
    """An agent's of an hour: over after a leap forward, not yet made after one back."""
    token = leaping.token("bot", "production")
    for leap in (LEAP, -LEAP):
        with later(leap):
            (answer,) = asking(leaping.scene, token, ("GET", "/volumes"))
        assert answer.status_code == 401
    assert asking(leaping.scene, token, ("GET", "/volumes"))[0].status_code == 200


# --- a race --------------------------------------------------------------------------------------


@pytest.fixture
def days(rgw_own: Server, tmp_path: Path) -> Days:
    """A vault with eight volumes, on a server of its own."""
    scene = make_scene(fresh_bucket(rgw_own), tmp_path, tree=False)
    with scene.vault() as vault:
        for name in VOLUMES:
            place = tmp_path / "srv" / name
            place.mkdir()
            (place / "data").write_bytes(name.encode() * 1000)
            vault.add_volume(Enrolment(name=name, path=str(place)))
        vault.oversight.add_identity("ann", "human")
    return Days(scene)


def test_of_an_undelete_and_a_purge_one_succeeds(days: Days, tmp_path: Path) -> None:
    """Of each volume, whichever it is: back in its place, or purged and only in the store."""
    scene = days.scene
    with scene.vault() as vault:
        wish = TokenWish(name="ann", environment="production", life=timedelta(days=7))
        token = vault.oversight.make_token(wish).secret
        made = {name: vault.delete(name, reason="replaced").id for name in VOLUMES}
    days.daemon()
    after = PROTECTED_WINDOW_FLOOR + timedelta(minutes=5)
    days.move(server=after, host=after)

    with (
        serving(scene, env=days.env) as url,
        Door(scene, url).raw(token) as http,
        ThreadPoolExecutor(2) as both,
    ):
        purge = both.submit(days.run, "purger", "--once", role="purger")
        undo = both.submit(
            lambda: {n: http.post(f"/v1/tombstones/{made[n]}/undelete") for n in reversed(VOLUMES)}
        )
        verdicts: dict[str, str] = {i["tombstone"]: i["verdict"] for i in purge.result()}
        answers: dict[str, Any] = undo.result()
        states = {n: http.get(f"/v1/tombstones/{made[n]}").json()["state"] for n in VOLUMES}

    outcomes: Counter[str] = Counter()
    for name in VOLUMES:
        place, back = tmp_path / "srv" / name, answers[name].status_code == 200
        assert answers[name].status_code in (200, 409), answers[name].text
        assert back != (verdicts.get(made[name]) == "purged"), (name, verdicts)
        # Whoever undoes may come upon the empty place before the purger has said that it was it.
        assert states[name] in (("restored",) if back else ("purged", "store_only"))
        assert place.exists() == back
        assert not back or (place / "data").read_bytes() == name.encode() * 1000
        outcomes[states[name]] += 1
    print(dict(outcomes))
    for name in VOLUMES:
        to = tmp_path / "out" / name
        if states[name] == "purged":
            days.run("restore", made[name], "--to", str(to), "--kit", str(scene.kit))
            assert (to / "data").read_bytes() == name.encode() * 1000
