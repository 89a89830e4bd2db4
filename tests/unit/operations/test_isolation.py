"""What a process could load that must stay with another one, named to it or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.operations import homes, isolation
from vault.operations.isolation import reachable
from vault.settings import Role, RoleName, Settings, StoreSettings

KEYS = "aws_access_key_id = a\naws_secret_access_key = b\n"


def told(home: Path, **profiles: str) -> tuple[str, ...]:
    """What is found by a daemon whose vault.toml names these profiles."""
    roles: dict[RoleName, Role] = {"writer": Role(profiles.get("writer", "writer"))}
    if "purger" in profiles:
        roles["purger"] = Role(profiles["purger"])
    return reachable(home, Settings(StoreSettings("s3://bucket/main"), roles=roles))


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an AWS configuration that knows nobody yet; nothing else tells of one."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("profile", "writer"),
    [
        ("purger", "writer"),
        ("collector", "writer"),
        ("provisioner", ""),
        ("vault-purger", "vault-writer"),
        ("vault-collector", "anything"),
        ("vault-provisioner", "writer"),
        ("vault-staging-purger", "vault-staging-writer"),
        ("acme-collector", "acme-writer"),
    ],
)
def test_the_others_are_known_by_their_usual_names(aws: Path, profile: str, writer: str) -> None:
    (aws / "credentials").write_text(f"[{writer or 'x'}]\n{KEYS}[{profile}]\n{KEYS}")
    (found,) = told(aws, writer=writer)
    assert f"“{profile}”" in found


def test_they_are_known_in_the_config_too(aws: Path) -> None:
    (aws / "config").write_text(f"[profile vault-purger]\n{KEYS}")
    (found,) = told(aws)
    assert found == "the purger's credential profile “vault-purger”"


def test_what_others_are_called_is_no_concern(aws: Path) -> None:
    (aws / "credentials").write_text(
        f"[writer]\n{KEYS}[default]\n{KEYS}[rubbish-collector]\n{KEYS}# [purger]\n"
    )
    (aws / "config").write_text("[profile collector]\nregion = eu-1\n")  # names it, has no key
    assert told(aws) == ()


def test_one_that_is_named_and_usual_is_told_once(aws: Path) -> None:
    (aws / "credentials").write_text(f"[purger]\n{KEYS}")
    assert len(told(aws, purger="purger")) == 1
    (aws / "credentials").write_text(f"[night]\n{KEYS}")
    assert told(aws, purger="night") == ("the purger's credential profile “night”",)
    (aws / homes.PURGER_KEY).parent.mkdir()
    (aws / homes.PURGER_KEY).touch()
    assert len(told(aws, purger="night")) == 2


def test_nothing_is_loaded_where_nobody_is_named(
    aws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks at a vault that is well apart does not wait for botocore."""
    asked: list[str] = []

    def loads(profile: str) -> bool:
        asked.append(profile)
        return False

    monkeypatch.setattr(isolation, "credential_loads", loads)
    assert told(aws) == ()
    (aws / "credentials").write_bytes(b"\xff[writer]\n")
    assert told(aws) == ()
    assert asked == []
    (aws / "config").write_text("[profile  'purger' ]\n")
    told(aws)
    assert asked == ["purger"]
