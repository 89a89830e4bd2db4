"""Keys: whether a recovery kit is this vault's and opens what is stored."""

from __future__ import annotations

from vault.codec.keyring import RecoveryKit
from vault.errors import KitWrong
from vault.operations import homes
from vault.operations.items import KeyReport
from vault.operations.unit import ReadUnit
from vault.repository.authentic import list_keys
from vault.repository.sessions import SessionRing


def check_kit(unit: ReadUnit, kit: RecoveryKit) -> KeyReport:
    """Try a kit on the newest stored session. A wrong kit is a report, not an error."""
    try:
        insist_same_vault(unit, kit)
        session = _newest_session(unit)
        if session is not None:
            SessionRing(unit.reader, unit.charter, kit.identities, unit.tampering).key(session)
    except KitWrong as error:
        return KeyReport(vault=unit.charter.vault, opens=False, detail=error.message)
    tried = f"it opened session {session}" if session else "nothing is stored yet to try it on"
    signs = "" if kit.root else "; it cannot sign charters: no root-secret line"
    return KeyReport(vault=unit.charter.vault, opens=True, detail=tried + signs)


def insist_same_vault(unit: ReadUnit, kit: RecoveryKit) -> None:
    """Refuse a kit of another vault before it is tried. Raises KitWrong."""
    if kit.root_public != homes.read_root(unit.home) or kit.vault != unit.charter.vault:
        raise KitWrong(
            f"this kit is for {kit.vault}, and this is {unit.charter.vault}",
            safe="Nothing was read or written.",
            hint="Give the kit that belongs to this vault.",
        )


def _newest_session(unit: ReadUnit) -> str | None:
    names = (listed.key for listed in list_keys(unit.reader, "keys/", unit.tampering))
    sessions = [name.removeprefix("keys/").rpartition("-")[0] for name in names]
    return max(sessions, default=None)
