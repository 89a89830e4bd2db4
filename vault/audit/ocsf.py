"""Entries as OCSF events (https://schema.ocsf.io, 1.3.0), for whoever collects those of all tools.

What was asked for and what happened are of the class API Activity (6003); changes of who may do
what are of the class Entity Management (3004). What OCSF has no field for is in `unmapped`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from vault.audit.entry import ADMINISTRATIVE, Entry, EntryKind

_VERSION: Final = "1.3.0"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_API: Final = (6, "Application Activity", 6003, "API Activity")
_ENTITY: Final = (3, "Identity & Access Management", 3004, "Entity Management")
_CREATE: Final = (1, "Create")
_READ: Final = (2, "Read")
_UPDATE: Final = (3, "Update")
_DELETE: Final = (4, "Delete")
_OTHER: Final = (99, "Other")
_USER_TYPES: Final = {"human": (1, "User"), "agent": (4, "Service"), "service": (4, "Service")}
_ENDINGS: Final = {
    "added": _CREATE,
    "made": _CREATE,
    "asked": _CREATE,
    "given": _CREATE,
    "removed": _DELETE,
    "revoked": _DELETE,
}


def ocsf_line(entry: Entry, log: str, index: int) -> str:
    """One event as JSON on one line; the same entry gives the same text."""
    return msgspec.json.encode(ocsf_event(entry, log, index), order="deterministic").decode()


def ocsf_event(entry: Entry, log: str, index: int) -> dict[str, Any]:
    """One entry as an event of the class that fits; `log` and `index` say where it lies."""
    administrative = entry.kind in ADMINISTRATIVE
    category, category_name, kind, kind_name = _ENTITY if administrative else _API
    activity, activity_name = _activity(entry)
    status = _status(entry)
    event: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": activity_name,
        "actor": {"user": _user(entry), "session": {"uid": entry.caller.token}},
        "category_name": category_name,
        "category_uid": category,
        "class_name": kind_name,
        "class_uid": kind,
        "message": str(entry.body.get("reason", "")),
        "metadata": {
            "correlation_uid": entry.about or entry.id,
            "product": {"name": "vault", "vendor_name": "vault"},
            "sequence": index,
            "log_name": log,
            "uid": entry.id,
            "version": _VERSION,
        },
        "severity": "Informational" if status[0] == 1 else "Medium",
        "severity_id": 1 if status[0] == 1 else 3,
        "status": status[1],
        "status_id": status[0],
        "time": (entry.at - _EPOCH) // timedelta(milliseconds=1),
        "type_uid": kind * 100 + activity,
        "type_name": f"{kind_name}: {activity_name}",
        "unmapped": {"kind": entry.kind.value, "body": entry.body},
    }
    if administrative:
        event["entity"] = {"type": entry.kind.value.partition("_")[0], "name": _subject(entry)}
    else:
        event["api"] = {"operation": _operation(entry), "service": {"name": "vault"}}
        event["src_endpoint"] = {"name": entry.caller.via or "local"} | _address(entry)
        event["resources"] = [
            {"type": "volume", "uid": entry.volume, "namespace": entry.environment}
        ]
    return event


def _address(entry: Entry) -> dict[str, str]:
    """Where a request came from, when it came over a network."""
    origin = str(entry.body.get("origin", ""))
    try:
        return {"ip": str(ip_address(origin))}
    except ValueError:
        return {}


def _activity(entry: Entry) -> tuple[int, str]:
    if entry.kind in ADMINISTRATIVE:
        return _ENDINGS.get(entry.kind.value.rpartition("_")[2], _UPDATE)
    operation = _operation(entry)
    if operation.startswith(("delete", "purge", "collect", "volume_removed")):
        return _DELETE
    if operation.startswith(("look", "list", "read", "restore")):
        return _READ
    return _UPDATE if entry.kind is EntryKind.TRANSITION else _OTHER


def _operation(entry: Entry) -> str:
    return str(entry.body.get("verb") or entry.body.get("type") or entry.kind.value)


def _status(entry: Entry) -> tuple[int, str]:
    """A refused request and a failed check are failures; everything else has happened."""
    decision = str(entry.body.get("decision", "allow"))
    failed = decision != "allow" or entry.kind is EntryKind.CHECK_FAILED
    return (2, "Failure") if failed else (1, "Success")


def _subject(entry: Entry) -> str:
    """What an administrative entry is about: the first field that names something."""
    names = ("name", "grant", "task", "window", "ask", "token", "digest", "recipient")
    return next((str(entry.body[name]) for name in names if entry.body.get(name)), "")


def _user(entry: Entry) -> dict[str, Any]:
    number, word = _USER_TYPES.get(entry.caller.kind, (99, "Other"))
    return {"name": entry.caller.name, "type": word, "type_id": number}
