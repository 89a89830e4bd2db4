"""Join: a home that begins to write is judged by what the others entered, and enters itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.errors import Denied, Unauthentic
from vault.library import Vault
from vault.operations import homes, rebuild


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The store of a vault, whose first home is `home`."""
    url = f"file://{tmp_path}/store?immutable=no"
    Vault.init(tmp_path / "home", store=url)
    return url


def join(tmp_path: Path, store: str) -> Path:
    """Another home."""
    home, kit = tmp_path / "other", tmp_path / "home" / homes.KIT
    Vault.join(home, store=store, kit=kit)
    return home


def test_the_first_that_a_home_enters_is_that_it_joined(tmp_path: Path, store: str) -> None:
    """Asked as a person, let pass, admitted; others read it, and once is enough."""
    for _ in range(2):
        home = join(tmp_path, store)
    with Vault.open(home) as vault:
        own = [e for e in vault.oversight.audit_show() if e.log == vault._writing.signer.key_id]
        request, joined = own
        assert (request.kind, request.index, request.body["verb"]) == ("request", 0, "join")
        assert (joined.kind, joined.about, joined.index) == ("member_added", request.id, 1)
        assert joined.body["key"] == vault._writing.signer.public_hex
        assert joined.body["role"] == "writer"
        assert vault.oversight.audit_verify().findings == ()
    with Vault.open(tmp_path / "home") as vault:
        vault.rebuild()
        assert joined.id in {entry.id for entry in vault.oversight.audit_show()}


def test_who_waits_for_a_person_does_not_join(tmp_path: Path, store: str) -> None:
    """What the first home has entered is known to the second before it is one."""
    with Vault.open(tmp_path / "home") as vault:
        me = vault._writing.principal.name
        vault.oversight.freeze(me, reason="a person has to look")
    with pytest.raises(Denied, match="a person has to look"):
        join(tmp_path, store)
    other = tmp_path / "other"
    assert not (other / homes.SETTINGS).exists()
    with Vault.open(tmp_path / "home") as vault:
        assert vault._writing.charter.number == 1
        assert vault._writing.signer.public_hex != homes.read_writer_keys(other).signing.public_hex


def test_a_home_whose_key_was_revoked_enters_nothing(tmp_path: Path, store: str) -> None:
    """It has joined, and to join again does not let it back in."""
    home = join(tmp_path, store)
    with Vault.open(home) as vault:
        vault.key_revoke(rebuild_name(tmp_path / "home"), kit=tmp_path / "home" / homes.KIT)
    join(tmp_path, store)
    with Vault.open(tmp_path / "home") as vault, pytest.raises(Unauthentic):
        vault.oversight.panic(reason="nobody hears it")
    with Vault.open(home) as vault:
        vault.oversight.panic(reason="somebody does")


def rebuild_name(home: Path) -> str:
    """The name of a home's key."""
    return homes.read_writer_keys(home).name


def test_a_home_without_vault_toml_is_taken_up_again(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died before the commit: one key, one entry, one member."""

    def dies(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rebuild, "default_text", dies)
        with pytest.raises(KeyboardInterrupt):
            join(tmp_path, store)
    with Vault.open(join(tmp_path, store)) as vault:
        assert len(vault._writing.charter.members) == 4
        kinds = [entry.kind for entry in vault.oversight.audit_show()]
        assert kinds == ["request", "member_added"]
