"""Every file below $VAULT_HOME, damaged: it is refused or made anew, and never believed.

Each case lays the whole home down anew with one damage and asks everything of it: each answer is
what it would have been, or one of vault's errors. What is only a cache is then made anew; whatever
else is damaged, store and kit alone restore.

The damage is drawn: VAULT_TEST_SEED repeats a run, and every failure names its seed.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.damage.homes import CACHES, Files, Site, Told, make_site, read_home
from tests.promises.forgeries import draw, flipped
from vault.errors import SourceVanished, VaultError
from vault.library import Vault

SEED = os.environ.get("VAULT_TEST_SEED") or ("ci" if os.environ.get("CI") else secrets.token_hex(4))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Made once."""
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Another vault, of volumes with the same names."""
    return make_site(tmp_path_factory.mktemp("foreign"))


def cases(site: Site, foreign: Site, flips: int) -> Iterator[tuple[str, str, bytes | None]]:
    """(what, file, its bytes or None for gone); `flips` single bits of each file."""
    former, present = site.homes
    for name, data in present.items():
        if not data:
            continue  # locks
        at = draw(f"{SEED} {name}", len(data))
        half = len(data) // 2
        yield "gone", name, None
        yield "emptied", name, b""
        yield f"cut at {at}", name, data[:at]
        yield "longer", name, data + b"\0" * 100
        yield "twice", name, data + data
        yield "halves exchanged", name, data[half:] + data[:half]
        yield "noise", name, secrets.token_bytes(len(data))
        yield (
            f"a block of zeros at {at}",
            name,
            data[:at] + bytes(512)[: len(data) - at] + data[at + 512 :],
        )
        for number in range(flips):
            bit = draw(f"{SEED} {name} {number}", len(data) * 8)
            yield f"bit {bit}", name, flipped(data, bit)
        if name in former and former[name] != data and name != "catalog.db":  # it has its own test
            yield "an older one", name, former[name]
    for name, data in _foreign(present, foreign.homes[1]):
        yield "another vault's", name, data


def _foreign(present: Files, other: Files) -> Iterator[tuple[str, bytes]]:
    for name in present:
        kind = name.rpartition("/")[0] + "/"
        if name.startswith("baselines/"):
            yield name, next(data for place, data in other.items() if place.startswith(kind))
        elif other.get(name) and name != "vault.toml":
            yield name, other[name]


def is_cache(name: str) -> bool:
    """Whether it can be made again."""
    return name.startswith(CACHES)


def judge(whole: dict[str, Told], told: dict[str, Told]) -> list[str]:
    """What is neither as it would have been nor an error."""
    return [
        f"{question}: {answer}, not {whole[question]}"
        for question, answer in told.items()
        if not answer.error and answer != whole[question]
    ]


def run(site: Site, found: list[tuple[str, str, bytes | None]]) -> None:
    """One damage after the other; all that went wrong at once."""
    whole = undamaged(site)
    wrong = []
    for what, name, data in found:
        files = {**site.homes[1], name: data or b""}
        if data is None:
            del files[name]
        site.lay(files)
        wrong += [f"{name}, {what}: {line}" for line in judge(whole, site.ask())]
        if is_cache(name):
            site.lay(files)
            wrong += [f"{name}, {what}, made anew: {line}" for line in cured(site, whole)]
        elif (told := site.restored_elsewhere()) != whole["restore"]:
            wrong.append(f"{name}, {what}, from store and kit alone: {told}")
    assert wrong == [], f"VAULT_TEST_SEED={SEED}"


def undamaged(site: Site) -> dict[str, Told]:
    """What all questions are answered with."""
    site.lay(site.homes[1])
    whole = site.ask()
    assert not [told.error for told in whole.values() if told.error], whole
    return whole


def cured(site: Site, whole: dict[str, Told]) -> list[str]:
    """What is still amiss after `vault rebuild`."""
    try:
        Vault.repair(site.home)
        with Vault.open(site.home) as vault:
            vault.rebuild()
    except VaultError as error:
        return [f"rebuild: {error.code}: {error.message}"]
    told = site.ask()
    return [
        f"{name}: {told[name]}, not {whole[name]}" for name in whole if told[name] != whole[name]
    ]


def test_damaged_files(site: Site, foreign: Site) -> None:
    """Some, drawn by the seed."""
    found = list(cases(site, foreign, 3))
    run(site, sorted(found, key=lambda case: draw(f"{SEED} {case[:2]}", 1 << 60))[:30])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_all_damaged_files(site: Site, foreign: Site) -> None:
    """All of them, and very many bits."""
    run(site, list(cases(site, foreign, 150)))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"no key\n", b"1f" * 31 + b"\n", b"1f" * 32 + b"\n"]
)
def test_a_damaged_issuing_key_is_made_anew(site: Site, data: bytes) -> None:
    """And what it makes counts."""
    whole = undamaged(site)
    site.lay({**site.homes[1], "keys/issuing.key": data})
    assert site.ask() == whole


def test_a_damaged_kit_opens_nothing_wrong(site: Site) -> None:
    """It is refused, or opens the vault as before; its comments and ends of lines do not matter."""
    whole, kit = undamaged(site), site.kit.read_bytes()
    damaged = {
        "emptied": b"",
        "another's": kit[::-1],
        "twice": kit + kit,
        **{f"cut at {at}": kit[:at] for at in range(0, len(kit), len(kit) // 12)},
        **{
            f"bit {bit}": flipped(kit, bit)
            for bit in (draw(f"{SEED} kit {number}", len(kit) * 8) for number in range(25))
        },
    }
    try:
        for what, data in damaged.items():
            site.kit.write_bytes(data)
            site.lay(site.homes[1])
            told = site.ask()
            wrong = judge({"restore": whole["restore"]}, {"restore": told["restore"]})
            assert not wrong, f"{what}, VAULT_TEST_SEED={SEED}"
    finally:
        site.kit.write_bytes(kit)


def test_an_older_catalog_hides_nothing(site: Site) -> None:
    """It is a view, and cannot know that it is an older one; what is done asks the store."""
    whole = undamaged(site)
    older = {**site.homes[1], "catalog.db": site.homes[0]["catalog.db"]}
    site.lay(older)
    told = site.ask()
    for question in ("restore", "snapshot", "boot time"):
        assert told[question] == whole[question]
    assert told["undelete"].error == "tombstone_unknown"
    site.lay(older)
    with Vault.open(site.home) as vault:
        with pytest.raises(SourceVanished):  # and nothing was recorded of it
            vault.delete("other", reason="a second time")
        vault.verify()  # as the daemon does every day
    assert site.ask() == whole


def test_a_damaged_log_of_the_catalog(site: Site, tmp_path: Path) -> None:
    """What SQLite had not moved into the file yet when the process was killed."""
    site.lay(site.homes[1])
    with Vault.open(site.home) as vault:
        vault.snapshot("db")
        files = read_home(site.home)
    shutil.copytree(site.root / "store", tmp_path / "store")
    killed = replace(site, store=tmp_path / "store", homes=[files, files])
    whole, log = undamaged(killed), files["catalog.db-wal"]
    assert len(log) > 4096
    for at in range(0, len(log), len(log) // 8):
        killed.lay({**files, "catalog.db-wal": flipped(log, at * 8)})
        with Vault.open(site.home) as vault:
            vault.verify()
        assert killed.ask() == whole
