"""Reading and the audit log: who had contents is entered, and nobody has to wait for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.operations.conftest import Site
from tests.unit.operations.test_capture import captured
from vault.audit.entry import Entry
from vault.errors import CatalogError, Denied, StoreDenied, VaultError
from vault.operations import gate
from vault.operations.audit import commit
from vault.operations.inspect import list_entries, read_file
from vault.operations.items import RestoreRequest
from vault.operations.policy import FILE
from vault.operations.restore import execute_restore, let_write, plan_restore
from vault.operations.unit import ReadUnit
from vault.progress import Silent


class Heard(Silent):
    """Keeps what whoever reads is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        """See Progress."""
        self.lines.append(text)


@pytest.fixture
def snapshot(site: Site) -> str:
    """The id of the volume's only one."""
    taken = captured(site)[0].header.id
    commit(site.write)
    return taken


def read(site: Site, snapshot: str) -> bytes:
    """A file's contents, as `vault cat` shows them."""
    return b"".join(read_file(site.write, site.ring, snapshot, "orders"))


def restored(site: Site, snapshot: str, to: Path) -> bytes:
    """A file's contents, as `vault restore --to` writes them."""
    plan = plan_restore(site.write, RestoreRequest(what=snapshot, to=to))
    let_write(site.write, plan)
    execute_restore(site.write, site.ring, plan, dry_run=False)
    return (to / "orders").read_bytes()


def requests(site: Site) -> list[Entry]:
    """What was asked for since the volume was added."""
    return site.write.catalog.audit.requests()[1:]


def test_contents_that_are_read_are_entered(site: Site, snapshot: str, tmp_path: Path) -> None:
    """Which, by whom, and where they went; names alone are not."""
    list(list_entries(site.write, site.ring, snapshot, ""))
    assert requests(site) == []
    assert read(site, snapshot) == restored(site, snapshot, tmp_path / "to") == b"orders" * 1000
    cat, restore = requests(site)
    assert (cat.body["verb"], cat.body["about"]) == ("read", f"“orders” of {snapshot}")
    assert (restore.body["verb"], restore.body["about"]) == (
        "restore",
        f"{snapshot} to {tmp_path / 'to'}",
    )
    for entry in (cat, restore):
        assert (entry.caller.name, entry.body["volume_name"]) == ("ann@host", "db")
        assert entry.volume == site.write.catalog.volumes.resolve("db").id
        assert entry.environment == "production"
    assert not site.write.catalog.audit.waiting(1)


@pytest.mark.parametrize("whole", [True, False])
def test_its_entry_lasts_from_the_first_byte_on(site: Site, snapshot: str, *, whole: bool) -> None:
    """It waits for the log while bytes are handed out, and is there however that ends."""
    blocks = read_file(site.write, site.ring, snapshot, "orders")
    assert requests(site) == []
    assert next(blocks).startswith(b"orders")
    assert [entry.body["verb"] for entry in requests(site)] == ["read"]
    assert site.write.catalog.audit.waiting(9)
    if whole:
        assert next(blocks, b"") == b""
    else:
        blocks.close()  # type: ignore[attr-defined]
    assert not site.write.catalog.audit.waiting(9)


@pytest.mark.parametrize(
    ("step", "error"),
    [("commit", StoreDenied("read only")), ("enter_request", CatalogError("full"))],
)
def test_reading_waits_for_no_entry(
    site: Site,
    snapshot: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: VaultError,
) -> None:
    """The store takes nothing, or the disk is full: whoever needs their data gets them, and hears.

    A line each, of what is not entered, why, that the data are well, and whether an entry waits.
    """
    heard = Heard()
    site.write = replace(site.write, progress=heard)
    with monkeypatch.context() as patched:
        patched.setattr(gate, step, failing(error))
        assert read(site, snapshot) == restored(site, snapshot, tmp_path / "to")
    waits = step == "commit"
    assert len(site.write.catalog.audit.waiting(9)) == (2 if waits else 0)
    for line, about in zip(
        heard.lines,
        (f"This read (“orders” of {snapshot})", f"This restore ({snapshot} to {tmp_path / 'to'})"),
        strict=True,
    ):
        assert line.startswith(about)
        assert error.message in line
        assert "data are not affected" in line
        assert ("waits here" in line) is waits
        assert "\n" not in line


def test_what_is_entered_is_not_spoken_of(site: Site, snapshot: str, tmp_path: Path) -> None:
    heard = Heard()
    site.write = replace(site.write, progress=heard)
    assert read(site, snapshot) == restored(site, snapshot, tmp_path / "to")
    assert heard.lines == []


def test_what_is_forbidden_is_refused_though_the_store_takes_nothing(
    site: Site, snapshot: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.home / FILE).write_text(
        '@id("sealed") @says("nobody reads these")'
        ' forbid (principal, action == Action::"read", resource);'
    )
    monkeypatch.setattr(gate, "commit", failing(StoreDenied("read only")))
    with pytest.raises(Denied, match="nobody reads these"):
        next(read_file(site.write, site.ring, snapshot, "orders"))


def failing(error: VaultError) -> Callable[..., None]:
    """A step that fails so."""

    def fails(*_: object) -> None:
        raise error

    return fails


def test_a_rule_of_ones_own_can_forbid_it(site: Site, snapshot: str) -> None:
    """Before a byte of it is handed out; looking at names goes on."""
    (site.home / FILE).write_text(
        '@id("sealed") @says("nobody reads these")'
        ' forbid (principal, action == Action::"read", resource);'
    )
    with pytest.raises(Denied, match="nobody reads these"):
        next(read_file(site.write, site.ring, snapshot, "orders"))
    assert list(list_entries(site.write, site.ring, snapshot, ""))
    assert requests(site)[-1].body["decision"] == "deny"


@pytest.mark.parametrize("narrowed", [lambda site: reader_of(site), lambda site: site.purger])
def test_who_has_no_writers_key_enters_nothing(
    site: Site, snapshot: str, narrowed: Callable[[Site], ReadUnit]
) -> None:
    """A reader, or the kit and the store alone, has no log."""
    unit = replace(narrowed(site))
    assert b"".join(read_file(unit, site.ring, snapshot, "orders")) == b"orders" * 1000
    assert requests(site) == []


def reader_of(site: Site) -> ReadUnit:
    """The reader's unit."""
    return ReadUnit(**{name: getattr(site.write, name) for name in ReadUnit.__struct_fields__})
