"""Stored objects, damaged or gone, judged without the kit: verify names each, and what destroys
stops. What a restore makes of them is P7's and the frozen repositories'.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta

import pytest

from tests.damage.homes import SEED, Site, make_site, read_home, stamp_with
from tests.damage.kinds import KINDS, MEANINGLESS, listed
from tests.damage.matrix import Changes, damages, of_kinds, one_of_each, some
from vault.errors import PurgeRefused, VaultMissing
from vault.library import Vault
from vault.operations import auditing
from vault.repository import collector
from vault.store import names

LATER = {"cut", "gap", "missing", "unlogged"}
"""What may be said of others than the damaged object: that it is referred to, and not there."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """With two charters, two time stamps, and what an attestation leaves behind."""
    site = make_site(tmp_path_factory.mktemp("site"))
    site.lay(site.homes[1])
    with Vault.open(site.home) as vault:
        stamp_with(vault, b"the first reply")
        vault.key_add(
            "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg", kit=site.kit
        )
        vault.attest()
        stamp_with(vault, b"the second reply")
    site.homes.append(read_home(site.home))
    site.keep_store()
    assert of_kinds(site.objects()).keys() >= {*KINDS}
    assert all(len(of_kinds(site.objects())[kind]) > 1 for kind in KINDS)
    return site


@pytest.fixture(autouse=True)
def _no_event_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """For its entry: what was stored here a moment ago is judged like anything else."""
    monkeypatch.setattr(auditing, "_SETTLING", timedelta(0))


def test_every_kind_of_object_is_among_those_that_are_damaged() -> None:
    """Those of docs/format.md, which lists what the code knows."""
    in_code = re.findall(r"^ {4}([a-z]+)/<", names.__doc__ or "", re.MULTILINE)
    collected = {prefix.removesuffix("/") for prefix in collector._PREFIXES}
    assert listed() == set(in_code) == collected == {*KINDS, *MEANINGLESS}


def found(site: Site) -> dict[str, set[str]]:
    """What the two verifications find, by key: of what is stored, and of what was entered."""
    with Vault.open(site.home) as vault:
        findings = vault.verify(deep=True).findings + vault.oversight.audit_verify().findings
    paths = {finding.path for finding in findings}
    return {path: {f.what for f in findings if f.path == path} for path in paths}


def change(site: Site, changes: Changes) -> None:
    """As a failing medium would: with the dates that they have."""
    for key, data in changes.items():
        path = site.root / "store" / "objects" / key
        times = path.stat()
        path.unlink()
        if data is not None:
            path.write_bytes(data)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("most", [2, pytest.param(None, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_object_is_named(site: Site, kind: str, most: int | None) -> None:
    """Nothing else is accused, but what refers to it."""
    objects = site.objects()
    every = damages(objects, site.vault, SEED)
    cases = [d for d in every if d.kind == kind and not {*d.changes.values()} & {None}]
    cases = [damage for damage in cases if damage.changes.keys() <= objects.keys()]
    if most:
        cases = some(one_of_each(cases, SEED), SEED, most)
    site.lay(site.homes[1])
    assert not found(site)
    for damage in cases:
        site.lay(site.homes[1])
        change(site, damage.changes)
        hint = f"{damage.how}: {damage.what}, VAULT_TEST_SEED={SEED}"
        altered = {key for key, data in damage.changes.items() if data != objects[key]}
        if altered == {key for key in objects if key.startswith("charter/")}:
            with pytest.raises(VaultMissing) as error:
                found(site)
            assert any(key in error.value.message for key in altered), hint
            continue
        words = found(site)
        assert all(words[key] & {"damaged", "unreadable"} for key in altered), hint
        others = {word for key in words.keys() - altered for word in words[key]}
        assert others <= LATER, hint


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"index", "stamps"}))
def test_an_object_that_is_gone_is_missed_by_its_host(site: Site, kind: str) -> None:
    """An index is a cache, and time stamps have a test of their own."""
    site.lay(site.homes[-1])
    assert not found(site)
    key = of_kinds(site.objects())[kind][-1]
    change(site, {key: None})
    missed = [key] if kind in ("packs", "snapshots", "events") else [key[:-65], "events/", "audit/"]
    assert any(path.startswith(tuple(missed)) for path in found(site))


def test_an_older_charter_is_noticed_where_a_newer_one_was_seen(site: Site) -> None:
    """It may admit a key that was revoked since; restoring goes on, destroying stops."""
    site.lay(site.homes[1])
    assert not found(site)
    folder = site.root / "store" / "objects" / "charter"
    _, newest = sorted(path for path in folder.iterdir() if "~" not in path.name)
    newest.unlink()
    assert found(site) == {"charter/00000002": {"gap"}}
    told = site.ask()
    assert not told["restore"].error
    with Vault.open(site.home, role="purger") as vault, pytest.raises(PurgeRefused):
        vault.purge()
    with Vault.open(site.home, role="collector") as vault, pytest.raises(PurgeRefused):
        vault.collect()


def test_what_an_attestation_left_means_nothing(site: Site) -> None:
    """Damaged or not; in a bucket it stays until its lock lapses."""
    data = b"vault canary 01kq4e1ezh8b5vtr6w8n9yq2zx"
    path = site.root / "store" / "objects" / names.named("canary/01kq4e1f00v2m5c8d9x7r3w6ta", data)
    for held in (data, b"?"):
        site.lay(site.homes[1])
        path.parent.mkdir()
        path.write_bytes(held)
        assert not found(site)
        assert not [told.error for told in site.ask().values() if told.error]
