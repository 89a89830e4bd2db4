"""Imports only point down, one library has one door, and few may name what destroys."""

from __future__ import annotations

import ast
from typing import Final

from tests.tidy.source import Module, functions, modules

GROUND: Final = frozenset(
    {"errors", "ids", "clock", "lazy", "limits", "progress", "room", "settings", "urls"}
)

# What each part may import of ours, besides the ground and itself, and why.
ARROWS: Final[dict[str, dict[str, str]]] = {
    "provider": {},
    "codec": {},
    "lifecycle": {},
    "governance": {"audit": "its books are folds of the log's entries"},
    "audit": {"codec": "checkpoints are signed like records"},
    "messenger": {"governance": "what it brings is a notice"},
    "store": {"provider": "attestation compares the store's place with each volume's"},
    "repository": {
        "store": "what is stored lies in the store",
        "codec": "bytes are cut, sealed and signed by the pure layer",
        "lifecycle": "events and retention are its values",
        "provider": "manifests hold the provider's entries",
        "audit": "the journal is a chain",
    },
    "catalog": {
        "lifecycle": "rows are folds of events",
        "governance": "its books are the fold of the audit table",
        "audit": "entries are rows",
        "provider": "a source's identity is a column",
    },
    "operations": {
        "repository": "verbs write and read what is stored",
        "catalog": "verbs read and fold what is known",
        "store": "its ports, never an implementation's library",
        "codec": "keys and kits pass through",
        "lifecycle": "rules decide",
        "governance": "the gate decides",
        "audit": "what happened is recorded",
        "provider": "sources of data are called through the port",
        "messenger": "notices leave through it",
    },
    "compose": dict.fromkeys(
        (
            *("operations", "repository", "catalog", "store", "codec", "lifecycle"),
            *("governance", "audit", "provider"),
        ),
        "the one place that wires",
    ),
    "opened": dict.fromkeys(
        (
            *("compose", "operations", "repository", "catalog", "store", "codec"),
            *("lifecycle", "governance", "audit", "provider"),
        ),
        "what the library stands on: the rights of a role, as compose wires them",
    ),
    "library": dict.fromkeys(
        (
            *("opened", "compose", "operations", "repository", "catalog", "store", "codec"),
            *("lifecycle", "governance", "audit", "provider", "messenger", "oversight"),
        ),
        "the verbs, offered to whoever embeds vault, on what compose has wired",
    ),
    "oversight": {
        "operations": "the verbs of governance, offered beside the library's",
        "governance": "its values are what they answer with",
    },
    "tracker": {"governance": "what it was told is a value of the decision's"},
    "answers": {},
    "process": {},
    "testing": {
        **dict.fromkeys(
            ("store", "provider", "codec", "lifecycle", "repository"),
            "suites for the ports, and builders of what they need",
        ),
        **dict.fromkeys(
            ("library", "compose", "operations", "daemon", "governance"),
            "the simulator lets the whole product live in its world",
        ),
    },
}

_BELOW_DOORS: Final = {
    "library": "a door calls the library",
    "oversight": "and its verbs of governance",
    "operations": "the values that the library answers with",
    "process": "what long-running processes do alike",
}
_STARTS: Final = "the console script starts processes, by name"
DOORS: Final[dict[str, dict[str, str]]] = {
    "cli": {
        **_BELOW_DOORS,
        "demo": _STARTS,
        "client": "commands speak to a daemon, too",
        "api": _STARTS,
        "mcp": _STARTS,
    },
    "daemon": _BELOW_DOORS,
    "purger": _BELOW_DOORS,
    "collector": _BELOW_DOORS,
    "demo": _BELOW_DOORS,
    "client": {
        "answers": "which it reads",
        "operations": "the values that a daemon answers with",
    },
    "mcp": {
        "client": "each tool is one call of the HTTP interface",
        "operations": "the values that a daemon answers with",
    },
    "api": {
        **_BELOW_DOORS,
        "governance": "whoever asks is a principal",
    },
}

# One library, one door: who may import it.
LIBRARIES: Final[dict[str, tuple[str, ...]]] = {
    "boto3": ("vault.store.s3", "adapters.s3_bucket", "adapters.aws_ebs", "adapters.aws_rds"),
    "botocore": ("vault.store.s3", "adapters.s3_bucket", "adapters.aws_ebs", "adapters.aws_rds"),
    "sqlite_utils": ("vault.catalog",),
    "sqlite3": ("vault.catalog", "vault.repository.index"),
    "typer": ("vault.cli",),
    "rich": ("vault.cli",),
    "apscheduler": ("vault.daemon.clockwork",),
    "prometheus_client": ("vault.daemon.metrics",),
    "structlog": ("vault.process.logs",),
    "pyfastcdc": ("vault.codec.chunker",),
    "blake3": ("vault.codec.digest", "vault.store.names"),
    "zstandard": ("vault.codec.compressor",),
    "cryptography": ("vault.codec",),
    "webauthn": ("vault.codec.passkeys",),
    "rfc3161_client": ("vault.codec.timestamp",),
    "pyrage": ("vault.codec.keyring",),
    "platformdirs": ("vault.settings",),
    "ulid": ("vault.ids", "vault.store.s3_probe"),  # a canary is named by a ULID alone
    # asking a daemon; asking a tracker; fetching issuers' keys
    "httpx": ("vault.client", "vault.tracker", "vault.api.keys"),
    "joserfc": ("vault.governance.jwts",),
    "fastapi": ("vault.api",),
    "starlette": ("vault.api",),
    "pydantic": ("vault.api", "vault.mcp.server"),
    "mcp": ("vault.mcp.server",),
    "uvicorn": ("vault.api.service",),
    "anyio": ("vault.api.application",),
    "cedarpy": ("vault.governance.policy",),
    "biscuit_auth": ("vault.governance.biscuits",),
    "apprise": ("vault.messenger.services",),
    "requests": (),
    "dateutil": ("vault.governance.recurrence",),
    "click": (),
    "moto": (),
    "pytest": (),
    "hypothesis": (),
}

# Who may name what destroys, and in which role.
DESTROYERS: Final[dict[str, tuple[str, ...]]] = {
    "Reaper": (
        "vault.store",  # the port and its implementations
        "vault.operations.collect",  # the one that uses it
        "vault.compose",  # hands it to the collector
        "vault.testing",  # the conformance suite
    ),
    "PurgePermit": (
        "vault.provider",
        "vault.operations.purge",
        "vault.testing",
        "adapters",  # `purge` takes nothing else
    ),
}


def inside(name: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of `places`, below one, or a part of a split one (`s3_locks`)."""
    return any(name == p or name.startswith((p + ".", p + "_")) for p in places)


def wrong_arrow(module: Module, target: str) -> bool:
    """Whether `module` may not import `target`."""
    if target.split(".")[0] == "adapters":
        return not module.name.startswith("adapters")
    if target.split(".")[0] != "vault" or target == "vault":
        return False
    part = target.split(".")[1]
    if module.name.startswith("adapters"):
        return part not in GROUND | {"provider"}
    if module.name == "vault":
        return part not in {"library", "operations"}
    own = module.name.split(".")[1]
    if own in GROUND:
        return part not in GROUND
    allowed = ARROWS.get(own, DOORS.get(own, {}))
    return part != own and part not in allowed and part not in GROUND


def test_imports_only_point_down() -> None:
    """Every import of ours is an arrow of the table."""
    wrong = [
        f"{module.place(line)} imports {target}"
        for module in modules()
        for target, line in module.imports()
        if wrong_arrow(module, target)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_part_of_the_product_is_in_the_tables() -> None:
    """A new package is placed before it is used."""
    parts = {m.name.split(".")[1] for m in modules("vault") if "." in m.name}
    assert not parts - GROUND - ARROWS.keys() - DOORS.keys()


def test_the_ground_has_no_cycle() -> None:
    """Within the ground, too, imports have one direction: errors are the lowest."""
    errors = next(m for m in modules() if m.name == "vault.errors")
    assert not [t for t, _ in errors.imports() if t.startswith("vault.")]


def test_one_library_has_one_door() -> None:
    """A library is imported only where the table says."""
    wrong = [
        f"{module.place(line)} imports {target}"
        for module in modules()
        for target, line in module.imports()
        if target.split(".")[0] in LIBRARIES
        and not inside(module.name, LIBRARIES[target.split(".")[0]])
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_hold_no_imports() -> None:
    """A cycle is a missing module; what loads late is loaded by importlib, by name."""
    wrong = [
        module.place(node.lineno)
        for module in modules()
        for function in functions(module.tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not wrong, "\n".join(wrong)


def test_few_may_name_what_destroys() -> None:
    """Reaper and PurgePermit are named only where the table says."""
    wrong = [
        f"{module.place(getattr(node, 'lineno', 1))} names {name}"
        for module in modules()
        for node in ast.walk(module.tree)
        for name in [getattr(node, "id", getattr(node, "attr", getattr(node, "name", None)))]
        if name in DESTROYERS
        and not (isinstance(node, ast.alias) and module.name == "vault.compose")
        and not inside(module.name, DESTROYERS[name])
    ]
    assert not wrong, "\n".join(wrong)


def test_only_purge_calls_a_providers_purge() -> None:
    """`.purge(permit)` is called in operations/purge.py; doors call the library's, by keyword."""
    allowed = ("vault.operations.purge", "vault.testing", "adapters")
    wrong = [
        module.place(node.lineno)
        for module in modules()
        if not inside(module.name, allowed)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "purge"
        and node.args
    ]
    assert not wrong, "\n".join(wrong)


def test_the_rules_can_fail() -> None:
    """The table refuses what it should: up, sideways between doors, and out to adapters."""

    def module(name: str) -> Module:
        path = modules()[0].path
        return Module(name, path, "", ast.parse(""))

    assert wrong_arrow(module("vault.store.s3"), "vault.catalog.database")
    assert wrong_arrow(module("vault.errors"), "vault.codec.digest")
    assert wrong_arrow(module("vault.daemon.service"), "vault.cli.output")
    assert wrong_arrow(module("vault.operations.delete"), "adapters.directory")
    assert wrong_arrow(module("adapters.directory.provider"), "vault.store.contract")
    assert not wrong_arrow(module("vault.repository.pack"), "vault.codec.cipher")
    assert not inside("vault.storefront", ("vault.store",))
