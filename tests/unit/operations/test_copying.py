"""Copies: a snapshot becomes a volume of an ephemeral environment, by the gate's leave."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from tests.unit.operations.test_restore import tree
from vault.audit.entry import EntryKind
from vault.errors import Denied, SourceOverlaps, TargetNotEmpty, UsageError, VolumeExists
from vault.governance.principal import Principal, PrincipalKind
from vault.operations import homes
from vault.operations.amend import add_environment, environment_terms
from vault.operations.copying import let_copy, plan_copy, register_copy
from vault.operations.enroll import Enrolment, enroll
from vault.operations.items import RestoreRequest
from vault.operations.restore import execute_restore, plan_restore
from vault.operations.unit import WriteUnit

HOUR = timedelta(hours=1)


@pytest.fixture
def unit(site: Site) -> WriteUnit:
    """The site with an ephemeral environment and a snapshot."""
    kit = homes.read_kit(site.home / homes.KIT)
    terms = environment_terms(ephemeral=True, window=HOUR)
    site.write = replace(site.write, charter=add_environment(site.write, kit, "preview", terms))
    captured(site)
    return site.write


def copied(site: Site, **words: Any) -> str:
    """A copy of the volume; its id."""
    unit = site.write
    request = RestoreRequest(**{"what": "db", "environment": "preview"} | words)
    plan = plan_copy(unit, plan_restore(unit, request), request)
    let_copy(unit, plan)
    execute_restore(unit, site.ring, plan.restore, dry_run=False)
    return register_copy(unit, plan)


@pytest.mark.usefixtures("unit")
def test_a_copy_is_a_volume_of_its_own(site: Site, tmp_path: Path) -> None:
    identifier = copied(site, to=tmp_path / "copy")
    assert tree(tmp_path / "copy") == tree(site.source)
    original, copy = map(site.write.catalog.volumes.resolve, ("db", identifier))
    assert (copy.id, copy.name, copy.environment) == (identifier, "db-copy", "preview")
    assert (copy.location, copy.provider) == (str(tmp_path / "copy"), original.provider)
    assert copy.id != original.id
    assert copy.identity != original.identity


@pytest.mark.usefixtures("unit")
def test_both_ends_are_asked_of_the_gate_and_in_the_log(site: Site, tmp_path: Path) -> None:
    copied(site, to=tmp_path / "copy", name="mine")
    kept = site.write.catalog.audit.requests(site.write.principal.name, most=10)
    told = [(e.body["verb"], e.environment, e.body["volume_name"]) for e in kept[-2:]]
    assert told == [("restore", "production", "db"), ("add", "preview", "mine")]
    assert "as “mine” in preview" in kept[-2].body["about"]
    assert all(entry.kind is EntryKind.REQUEST for entry in kept)


@pytest.mark.usefixtures("unit")
def test_who_may_not_register_gets_no_copy(site: Site, tmp_path: Path) -> None:
    site.write = replace(site.write, principal=Principal(PrincipalKind.AGENT, "bot"))
    with pytest.raises(Denied):
        copied(site, to=tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert len(site.write.catalog.volumes.all()) == 1


@pytest.mark.usefixtures("unit")
def test_a_credential_of_the_target_alone_gets_none_either(site: Site, tmp_path: Path) -> None:
    """One of the target's environment does not reach what it would be copied from."""
    who = Principal(PrincipalKind.HUMAN, "eve", environment="preview")
    site.write = replace(site.write, principal=who)
    with pytest.raises(Denied, match="does not reach"):
        copied(site, to=tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.usefixtures("unit")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"environment": "staging"}, "“staging” is protected"),
        ({"environment": "nowhere"}, "there is no environment “nowhere”"),
        ({"include": ("orders",)}, "a copy is whole"),
        ({"to": None, "in_place": True}, "a copy is whole"),
    ],
)
def test_what_is_no_copy_is_refused_before_anything_is_written(
    site: Site, tmp_path: Path, words: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        copied(site, **{"to": tmp_path / "copy"} | words)
    assert not (tmp_path / "copy").exists()
    assert len(site.write.catalog.volumes.all()) == 1


@pytest.mark.usefixtures("unit")
def test_a_name_or_place_that_is_taken_is_refused_before_anything_is_written(
    site: Site, tmp_path: Path
) -> None:
    copied(site, to=tmp_path / "copy")
    with pytest.raises(VolumeExists):
        copied(site, to=tmp_path / "other")
    with pytest.raises(SourceOverlaps):
        copied(site, to=tmp_path / "copy" / "inside", name="inside")
    with pytest.raises(SourceOverlaps):
        copied(site, to=site.source / "inside", name="inside")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(TargetNotEmpty):
        copied(site, to=tmp_path / "full", name="full")
    assert not (tmp_path / "other").exists()
    assert not (site.source / "inside").exists()
    assert len(site.write.catalog.volumes.all()) == 2


def test_a_new_volume_belongs_where_the_settings_say(site: Site, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    settings = site.write.settings
    serves = type(settings.serves)(environment="staging")
    served = replace(site.write, settings=type(settings)(settings.store, serves=serves))
    volume = enroll(served, Enrolment(name="more", path=str(tmp_path / "more")))
    assert volume.environment == "staging"
