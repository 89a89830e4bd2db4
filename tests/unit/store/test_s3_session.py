"""The quick session knows what botocore's own does."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from botocore.exceptions import ProfileNotFound, UnknownServiceError
from botocore.session import Session

from vault.store.s3_session import open_session


@pytest.mark.parametrize("service", ["s3", "sts"])
def test_its_models_are_those_of_botocore(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of the services that credentials come from."""
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))  # as read: a client changes what it uses
    quick, own = (s.get_component("data_loader") for s in (open_session(None), Session()))
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        assert quick.load_service_model(service, kind) == own.load_service_model(service, kind)
    assert quick.load_data("endpoints") == own.load_data("endpoints")


def test_a_service_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownServiceError):
        open_session(None).create_client("s4", region_name="us-east-1")


def test_a_further_session_reads_no_model_again() -> None:
    """Or a process that opens its vault anew each round grows by a model each time."""

    def client() -> object:
        return open_session(None).create_client("s3", region_name="us-east-1")

    first = client()
    gc.collect()
    before = len(gc.get_objects())
    second = client()
    gc.collect()
    assert len(gc.get_objects()) - before < 10_000  # the model alone has more than twice as many
    del first, second
    gc.collect()
    assert len(gc.get_objects()) <= before


def test_models_of_ones_own_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "mine" / "2026-01-01" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text('{"metadata": {"apiVersion": "2026-01-01"}}')
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    loader = open_session(None).get_component("data_loader")
    assert loader.load_service_model("mine", "service-2")["metadata"]["apiVersion"] == "2026-01-01"


def test_a_profile_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(ProfileNotFound, match="nobody"):
        open_session("nobody").create_client("s3", region_name="us-east-1")
