"""Stored objects, damaged or gone, judged without the kit: verify names each, and what destroys
stops. What a restore makes of them is P7's and the frozen repository's.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.damage.homes import Site, make_site
from tests.promises.forgeries import draw, flipped
from vault.errors import PurgeRefused
from vault.library import Vault

KINDS = ("audit", "charter", "events", "index", "keys", "packs", "snapshots")
SEED = os.environ.get("VAULT_TEST_SEED") or ("ci" if os.environ.get("CI") else secrets.token_hex(4))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """With two charters, and what an attestation leaves behind."""
    site = make_site(tmp_path_factory.mktemp("site"))
    site.lay(site.homes[1])
    with Vault.open(site.home) as vault:
        vault.key_add(
            "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg", kit=site.kit
        )
        vault.attest()
    os.rename(site.root / "store-as-it-was", site.root / "store-as-it-once-was")
    os.rename(site.root / "store", site.root / "store-as-it-was")
    return site


def stored(site: Site) -> Iterator[tuple[str, Path]]:
    """(key, its file) of one object of each kind, drawn by the seed."""
    root, kinds = site.store / "objects", dict[str, list[Path]]()
    for path in sorted(root.rglob("*")):
        if path.is_file() and "~" not in path.name:
            kinds.setdefault(path.relative_to(root).parts[0], []).append(path)
    assert kinds.keys() >= set(KINDS)
    for kind, paths in kinds.items():
        path = paths[draw(f"{SEED} {kind}", len(paths))]
        yield path.relative_to(root).as_posix(), path


def found(site: Site) -> dict[str, set[str]]:
    """What the two verifications find, by key: of what is stored, and of what was entered."""
    with Vault.open(site.home) as vault:
        findings = vault.verify(deep=True).findings + vault.oversight.audit_verify().findings
    paths = {finding.path for finding in findings}
    return {path: {f.what for f in findings if f.path == path} for path in paths}


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_object_is_named(site: Site, kind: str) -> None:
    """One bit of it is enough; nothing else is accused, but what refers to it."""
    key = next(key for key, _ in stored(site) if key.startswith(f"{kind}/"))
    site.lay(site.homes[1])
    assert not found(site)
    path = site.root / "store" / "objects" / key
    data, times = path.read_bytes(), path.stat()
    path.chmod(0o644)
    path.write_bytes(flipped(data, draw(f"{SEED} bit {key}", len(data) * 8)))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    words = found(site)
    assert words[key] & {"damaged", "unreadable"}, f"VAULT_TEST_SEED={SEED}"
    others = {word for other in words if other != key for word in words[other]}
    assert others <= {"cut", "gap", "missing", "unlogged"}  # the last once an event is a minute old


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
    """Damaged or not."""
    site.lay(site.homes[1])
    for path in (site.root / "store" / "objects" / "canary").rglob("*"):
        path.chmod(0o644)
        path.write_bytes(b"?")
    assert not found(site)
