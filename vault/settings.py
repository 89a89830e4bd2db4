"""vault.toml: what one host adds to the charter. It can only be stricter, and holds no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from vault import limits
from vault.clock import format_span, format_time, parse_span
from vault.errors import DiskFull, NotInitialised, SettingsError, UsageError
from vault.limits import PROTECTED_WINDOW_FLOOR
from vault.room import NO_ROOM
from vault.urls import is_confidential

RoleName = Literal["writer", "purger", "collector", "reader"]
ROLES: Final[tuple[RoleName, ...]] = ("writer", "purger", "collector", "reader")

_Checks = Literal["attestation_failed", "verification_failed", "policy_invalid", "policy_valid"]
TopicName = Literal[
    "tombstone_made",
    "approval_wanted",
    "identity_frozen",
    "panic",
    _Checks,
    "purge_due",
    "volume_vanished",
    "volume_replaced",
    "volume_attacked",
    "quarantine_lost",
]

_LISTEN: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}")


class Span(timedelta):
    """A span longer than nothing, which vault.toml writes as `90s`, `10m`, `2h` or `30d`."""


class _Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of vault.toml; a name that is not known in it is an error."""


class StoreSettings(_Table, frozen=True):
    """Where the store is."""

    url: str

    def __post_init__(self) -> None:
        if not self.url:
            raise ValueError("the store's URL is empty")


class Role(_Table, frozen=True):
    """How one process reaches the store: the name of a credential profile, empty for none."""

    profile: str = ""


class Environment(_Table, frozen=True):
    """What this host asks of an environment: a window longer than the charter's, or zero.

    `deletes` is how many anybody may make there in ten minutes, 0 for the usual budgets; in a
    protected one it lowers these, and never raises them.
    """

    kind: Literal["protected", "ephemeral"] = "protected"
    window: Span = Span(0)
    deletes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0

    def __post_init__(self) -> None:
        if self.kind == "protected" and timedelta(0) < self.window < PROTECTED_WINDOW_FLOOR:
            floor = PROTECTED_WINDOW_FLOOR // timedelta(hours=1)
            raise ValueError(
                f"a window of {format_span(self.window)} is below the floor of a protected"
                f" environment, {floor}h"
            )


class TrackerSettings(_Table, frozen=True):
    """Where tasks are asked for that vault does not know; an empty URL is nowhere."""

    url: str = ""
    timeout: Span = Span(seconds=limits.TRACKER_TIMEOUT.total_seconds())

    def __post_init__(self) -> None:
        if self.url and not is_confidential(self.url):
            raise ValueError(f"“{self.url}”: a tracker is asked over https, or on loopback")
        parts = urlsplit(self.url)
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError("a tracker's URL holds no user, password or fragment")
        if self.timeout > limits.TRACKER_LONGEST:
            raise ValueError(f"a tracker has {format_span(limits.TRACKER_LONGEST)} at most")


class DaemonSettings(_Table, frozen=True):
    """The daemon's habits. `listen` (host:port, empty for none) serves /metrics and /healthz."""

    listen: str = "127.0.0.1:9464"
    verify_every: Span = Span(days=1)
    extend_every: Span = Span(hours=6)

    def __post_init__(self) -> None:
        if self.listen and not _LISTEN.fullmatch(self.listen):
            raise ValueError(f"“{self.listen}” is not host:port")


class AuditSettings(_Table, frozen=True):
    """Whether a time-stamping service (RFC 3161) sees how far the audit log goes, and how often.

    `timestamp_roots` is a file with its root certificate (PEM), taken from the home.
    """

    timestamp_url: str = ""
    timestamp_roots: str = ""
    timestamp_every: Span = Span(hours=1)

    def __post_init__(self) -> None:
        if self.timestamp_url and not self.timestamp_roots:
            raise ValueError("timestamp_url needs timestamp_roots: its time stamps are checked")
        if self.timestamp_url and not self.timestamp_url.startswith(("https://", "http://")):
            raise ValueError("timestamp_url is not https://host/path")


class Serves(_Table, frozen=True):
    """The one environment that this home serves, empty for all: no other is there for it."""

    environment: str = ""


class Defaults(_Table, frozen=True):
    """What a new volume gets where nobody says otherwise."""

    environment: str = "production"
    schedule: str = "@hourly"
    keep: str = "hourly=24,daily=7,weekly=5,monthly=12"


class ReceiverSettings(_Table, frozen=True):
    """Who is told of what happens. The URL stands here, or in a file of its own (`url_file`).

    With a `key_file` it is a webhook that is signed. Files are taken from the home. No `events` are
    all.
    """

    name: str = ""
    url: str = ""
    url_file: str = ""
    key_file: str = ""
    events: tuple[TopicName, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.url_file):
            raise ValueError("a receiver has a url or a url_file, one of both")

    @property
    def called(self) -> str:
        """Its name; without one, what can be told of it without telling a secret."""
        if self.name:
            return self.name
        given = self.url_file or self.url
        scheme = "file" if self.url_file else self.url.partition(":")[0]
        return f"{scheme}-{sha256(given.encode()).hexdigest()[:8]}"


class Workload(_Table, frozen=True):
    """An outside issuer of workload identities; its agents and services reach one environment.

    `keys` is where it publishes its keys, `claim` what it calls somebody by.
    """

    issuer: str
    audience: str
    environment: str
    keys: str
    claim: str = "sub"

    def __post_init__(self) -> None:
        if not all((self.issuer, self.audience, self.environment, self.claim)):
            raise ValueError("a workload's issuer, audience, environment and claim are not empty")
        if "#" in self.issuer:
            raise ValueError(f"the issuer “{self.issuer}” has a # in it")
        if not is_confidential(self.keys):
            raise ValueError(f"keys come by https, or from this very host; not “{self.keys}”")


class Settings(_Table, frozen=True):
    """All of vault.toml. `roles` has every role, named in the file or not."""

    store: StoreSettings
    serves: Serves = Serves()
    roles: dict[RoleName, Role] = {}
    environments: dict[str, Environment] = {}
    tracker: TrackerSettings = TrackerSettings()
    daemon: DaemonSettings = DaemonSettings()
    defaults: Defaults = Defaults()
    audit: AuditSettings = AuditSettings()
    notify: tuple[ReceiverSettings, ...] = ()
    workload: tuple[Workload, ...] = ()

    def __post_init__(self) -> None:
        complete = {role: self.roles.get(role, Role()) for role in ROLES}
        msgspec.structs.force_setattr(self, "roles", complete)
        names = [receiver.called for receiver in self.notify]
        if len(set(names)) < len(names):
            raise ValueError("two receivers of notices have one name")
        issuers = [workload.issuer for workload in self.workload]
        if len(set(issuers)) < len(issuers):
            raise ValueError("an issuer stands in one [[workload]] alone")

    @property
    def store_url(self) -> str:
        """The store's URL, as written."""
        return self.store.url

    @property
    def environment(self) -> str:
        """Where a new volume belongs, where nobody says otherwise."""
        return self.serves.environment or self.defaults.environment


def home(environ: Mapping[str, str]) -> Path:
    """Where this user's vault lives: $VAULT_HOME, or the platform's place for data."""
    given = environ.get("VAULT_HOME", "")
    if given:
        return Path(given).expanduser().absolute()
    usual: Path = import_module("platformdirs").user_data_path("vault", appauthor=False)
    return usual


@contextmanager
def usable(home: Path) -> Iterator[None]:
    """Say of a home what the system says of its files. Raises DiskFull, SettingsError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull(
                f"there is no room left for the vault's home {home}",
                hint="Make room there, then run the same again.",
            ) from error
        raise SettingsError(
            f"the vault's home {home} cannot be used: {error.strerror} ({error.filename})",
            hint="Run this as the user it belongs to, or choose another place: VAULT_HOME.",
        ) from error


def load_settings(path: Path) -> Settings:
    """Read vault.toml. Raises SettingsError, which names what is at fault."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotInitialised(
            f"there is no {path}", safe="Nothing was changed.", hint="Make a vault: vault init"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(f"{path} cannot be read: {error}", "Make it readable text.") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, source: str = "vault.toml") -> Settings:
    """Read the text of a vault.toml. Raises SettingsError, which names what is at fault."""
    try:
        return msgspec.toml.decode(text, type=Settings, dec_hook=_decode)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        # ValueError is of a number with thousands of digits, RecursionError of nested brackets.
        raise _invalid(
            f"{source}: {str(error).replace('$.', '').replace('Object', 'the table')}",
            "Correct it; every setting is explained in the vault.toml that `vault init` writes.",
        ) from error


def default_text(store_url: str, at: datetime, *, profile: str = "", environment: str = "") -> str:
    """The vault.toml that `init` writes at `at`; all else in it shows defaults, as comments.

    `profile` is the writer's credential profile, `environment` the only one that is served.
    """
    served = f"[serves]\nenvironment = {_quoted(environment)}" if environment else _SERVES
    role = f"[roles.writer]\nprofile = {_quoted(profile)}" if profile else _WRITER
    text = _TEMPLATE.replace("@TIME@", format_time(at)).replace("@URL@", _quoted(store_url))
    return text.replace("@WRITER@", role).replace("@SERVES@", served)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()  # a JSON string is a TOML string


def _decode(kind: type, value: Any) -> Span:
    if kind is not Span or not isinstance(value, str):
        raise ValueError("a span is written in quotes: “90s”, “10m”, “2h”, “30d”")
    try:
        span = parse_span(value)
    except UsageError as error:
        raise ValueError(f"{error.message}; write 90s, 10m, 2h or 30d") from None
    if not span:
        raise ValueError("a span is longer than nothing")
    return Span(seconds=span.total_seconds())


def _invalid(message: str, hint: str) -> SettingsError:
    return SettingsError(message, safe="Nothing was changed.", hint=hint)


_SERVES: Final = """\
# [serves]
# environment = \"\""""
_WRITER: Final = """\
# [roles.writer]
# profile = \"\""""
_TEMPLATE: Final = """\
# vault.toml, written by `vault init` at @TIME@.
#
# What stands here is this host's own. How long a delete can be undone at least, how long objects
# stay locked, and whose signatures count stands in the charter: in the store, signed by the key in
# your recovery kit. A setting here can be stricter than the charter and never weaker.
# No secret belongs into this file. Lines that begin with # show the defaults.

[store]
# Where everything is stored: s3://bucket/prefix?endpoint=https://host, or file:///path
url = @URL@

# Each process has its own credential, by the name of a profile in your AWS configuration
# (~/.aws/credentials). No process should be able to load another's. A file:// store needs none.
# The writer's is the daemon's and this command line's: it creates, locks, reads, deletes nothing.
@WRITER@
# [roles.purger]          # reads, and adds its signed records
# profile = ""
# [roles.collector]       # the only one that deletes from the store, and only what has lapsed
# profile = ""
# [roles.reader]          # reads; enough to restore
# profile = ""

# The one environment that this home serves; unset: all. No other is there for what runs from here.
@SERVES@

# An environment's undo window can be longer than the charter's; below 48h a protected one refuses.
# [environments.production]
# kind = "protected"
# window = "48h"
# How many deletes anybody may make there in ten minutes. Unset: 10 of an agent, on 5 volumes at
# most, 60 of a person, 120 of all together; what is more waits for a person. Only an ephemeral
# one can have more.
# deletes = 3

# Tasks that vault does not know are asked for here, over https or on loopback:
# GET URL?task=…&environment=…, with $VAULT_TRACKER_TOKEN as bearer where that is set.
# [tracker]
# url = ""
# timeout = "5s"

[daemon]
# Where /metrics and /healthz are served; "" for nowhere. It has no password: keep it on loopback.
# listen = "127.0.0.1:9464"
# How often all that is stored is checked, and how often locks are extended.
# verify_every = "1d"
# extend_every = "6h"

[audit]
# A time-stamping service (RFC 3161) that sees how far the audit log goes: what it has seen can not
# be written anew. Needs pip install 'vault-softdelete[timestamp]' and its root certificate (PEM).
# timestamp_url = ""
# timestamp_roots = ""
# timestamp_every = "1h"

[defaults]
# What `vault volume add` gives a volume. Schedules are cron (in UTC) or an interval: "every 15m".
# environment = "production"
# schedule = "@hourly"
# Of so many hours, days, weeks and months that have snapshots, the last one each is kept.
# keep = "hourly=24,daily=7,weekly=5,monthly=12"

# Who is told of what happens; see docs/notifications.md, and try it with: vault notify test
# [[notify]]
# name = "ops"
# A service that apprise knows (pip install 'vault-softdelete[notify]'), or, with a key_file, a
# webhook of your own. What holds a secret stands in a file that only this user can read (0600).
# url_file = "notify-ops.url"             # instead of: url = "https://hooks.example.org/vault"
# key_file = "notify-ops.key"
# Only these; unset, all: tombstone_made, approval_wanted, identity_frozen, panic, purge_due,
# attestation_failed, verification_failed, volume_vanished, volume_replaced, volume_attacked,
# quarantine_lost.
# events = ["tombstone_made", "approval_wanted"]

# An outside issuer whose tokens `vault api` believes; see docs/workloads.md.
# [[workload]]
# issuer = "https://token.actions.githubusercontent.com"
# audience = "vault"
# environment = "staging"       # the only one that they reach
# keys = "https://token.actions.githubusercontent.com/.well-known/jwks"
# claim = "sub"
"""
