"""Keys: whether a recovery kit is this vault's and opens what is stored; the processes' own."""

from __future__ import annotations

from pathlib import Path

from vault import operations
from vault.codec.keyring import RecoveryKit
from vault.errors import KitWrong, UsageError
from vault.operations import homes
from vault.operations.items import KeyReport
from vault.operations.unit import ReadUnit, RecordUnit
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


def make_role_key(unit: RecordUnit, kit: RecoveryKit, role: str) -> Path:
    """Make sure that this home has a key by which a process signs; where it lies.

    Raises UsageError, and as every amendment of the charter does; repeated, it goes on from there.
    """
    for known, path in homes.PROCESS_KEYS.items():
        if role == known:
            insist_same_vault(unit, kit)
            key = operations.establish.make_role_key(unit.home, path)
            operations.amend.admit_member(unit, kit, key, role=known, name=known)
            return unit.home / path
    raise UsageError(
        f"there is no process “{role}” that signs",
        safe="Nothing was made.",
        hint=f"There are: {', '.join(homes.PROCESS_KEYS)}.",
    )


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
