"""The charter: a numbered chain of records by the root key that says who and what is trusted."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from vault.codec.decoding import read_json
from vault.codec.envelope import parse, sign
from vault.codec.signing import SigningKey, is_public_hex
from vault.errors import Corrupt, FeatureUnknown, UsageError, VaultMissing
from vault.ids import is_id
from vault.lifecycle.retention import Keep
from vault.limits import PROTECTED_WINDOW_FLOOR
from vault.repository.authentic import TamperingLog, Verified, note, read_all
from vault.store.contract import Reader, Writer
from vault.store.names import digest_of, named

KIND: Final = "charter"
PREFIX: Final = "charter/"
Role = Literal["writer", "purger", "collector"]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=10**10)]
"""A span of up to 317 years: what is added to a date stays one."""

_NAME: Final = re.compile(r"charter/(\d{8})-[0-9a-f]{64}")
_NUMBER_MAX: Final = 99_999_999


class Member(msgspec.Struct, frozen=True):
    """A key that may sign records of its role, until `revoked_at` by the store's time.

    `added_at` only informs. A revoked key is never admitted again: a new one is made.
    """

    key: str
    role: Role
    name: str
    added_at: datetime
    revoked_at: datetime | None = None


class EnvironmentTerms(msgspec.Struct, frozen=True):
    """What holds for the volumes of an environment; the window is in seconds."""

    kind: Literal["protected", "ephemeral"]
    window_seconds: Seconds


class Charter(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain. The one with the highest number holds.

    `previous` is the digest in the key of the charter before, empty in the first. `keep` is the
    least that is retained. Locks are in seconds: `min_lock_seconds` at birth,
    `max_lock_seconds` the ceiling, `final_lock_seconds` what a final snapshot outlives its purge.
    """

    vault: str
    number: int
    previous: str
    created_at: datetime
    root: str
    recipients: tuple[str, ...]
    members: tuple[Member, ...]
    environments: dict[str, EnvironmentTerms]
    keep: Keep
    min_lock_seconds: Seconds
    max_lock_seconds: Seconds
    final_lock_seconds: Seconds
    features: tuple[str, ...] = ()

    def allows(self, key_hex: str, role: str, at: datetime) -> bool:
        """Whether what this key signed in this role counts, if the store received it at `at`."""
        return self.member(key_hex, (role,), at) is not None

    def member(self, key_hex: str, roles: Collection[str], at: datetime) -> Member | None:
        """The membership by which this key might sign in one of these roles at `at`."""
        for member in self.members:
            held = member.revoked_at is None or at < member.revoked_at
            if held and member.key == key_hex and member.role in roles:
                return member
        return None

    def window(self, environment: str) -> timedelta | None:
        """How long a delete can be undone there; None where the charter has no such environment."""
        terms = self.environments.get(environment)
        if terms is None:
            return None
        window = timedelta(seconds=terms.window_seconds)
        return max(window, PROTECTED_WINDOW_FLOOR) if terms.kind == "protected" else window


class _Numbered(msgspec.Struct, frozen=True):
    """What every charter says of itself, whatever features it needs."""

    number: int


class StoredCharter(msgspec.Struct, frozen=True):
    """A charter with its key in the store and the time at which it arrived there."""

    charter: Charter
    key: str
    stored_at: datetime


def store_charter(store: Writer, charter: Charter, root: SigningKey, retain_until: datetime) -> str:
    """Sign and store a charter; returns its key. Raises UsageError where it contradicts itself."""
    key, data = _sealed(charter, root)
    return store.put(key, data, retain_until).key


def key_of(charter: Charter, root: SigningKey) -> str:
    """The key under which a charter will be stored. Raises UsageError as `store_charter`."""
    return _sealed(charter, root)[0]


def _sealed(charter: Charter, root: SigningKey) -> tuple[str, bytes]:
    fault = _fault(charter)
    if fault is None and charter.root != root.public_hex:
        fault = "it names another root key than the one that signs it"
    if fault is not None:
        raise UsageError(f"this charter cannot be: {fault}", safe="The former charter holds.")
    body = msgspec.json.encode(charter, order="deterministic")
    data = sign(KIND, charter.vault, body, root, features=charter.features)
    return named(f"{PREFIX}{charter.number:08d}", data), data


def load_charter(
    reader: Reader, root_public_hex: str, tampering: TamperingLog | None = None
) -> Charter:
    """The charter that holds. Raises as `load_latest` does."""
    return load_latest(reader, root_public_hex, tampering).charter


def load_latest(
    reader: Reader, root_public_hex: str, tampering: TamperingLog | None = None
) -> StoredCharter:
    """The charter with the highest number that the root key signed.

    A link missing below it and a second one beside it are noted; the root's signature decides.
    Raises VaultMissing where there is none, FeatureUnknown, Corrupt.
    """
    notes = [] if tampering is None else tampering
    chain = read_chain(reader, root_public_hex, notes)
    if not chain:
        damaged = [n.detail for n in notes if n.key.startswith(PREFIX) and n.what == "unreadable"]
        raise VaultMissing(
            ": ".join([f"no vault with this root key is in {reader.address}", *damaged[:1]]),
            safe="Nothing was changed.",
            hint="Check the store's URL and that the recovery kit is this vault's.",
        )
    stored = _read(chain[max(chain)])
    _note_gaps(stored, chain, notes)
    return stored


def read_chain(
    reader: Reader, root_public_hex: str, tampering: TamperingLog, prefix: str = PREFIX
) -> dict[int, Verified]:
    """By its number, each charter that the root key signed: of several with one, the first."""
    signed: dict[int, list[Verified]] = {}
    for verified in read_all(reader, prefix, tampering):
        number = signed_number(verified, root_public_hex, tampering)
        if number is not None:
            signed.setdefault(number, []).append(verified)
    return {number: _first(links, tampering) for number, links in signed.items()}


def _fault(charter: Charter) -> str | None:
    """The first thing in a charter that contradicts another; None where all is well."""
    roles = [(member.key, member.role) for member in charter.members]
    checks = (
        (is_id(charter.vault, "vault"), "its vault has no proper id"),
        (1 <= charter.number <= _NUMBER_MAX, "its number is out of range"),
        ((charter.number == 1) == (charter.previous == ""), "only the first has no predecessor"),
        (all(is_public_hex(key) for key, _ in roles), "a member's key is malformed"),
        (len(set(roles)) == len(roles), "a key is a member twice in one role"),
        (charter.root not in {key for key, _ in roles}, "the root key is a member"),
        (bool(charter.recipients), "nobody could read what is stored"),
        (
            0 < charter.min_lock_seconds <= charter.max_lock_seconds,
            "the shortest lock is longer than the longest, or none",
        ),
        (charter.final_lock_seconds >= 0, "the final lock is negative"),
        (
            all(
                terms.window_seconds >= PROTECTED_WINDOW_FLOOR.total_seconds()
                for terms in charter.environments.values()
                if terms.kind == "protected"
            ),
            "a protected environment's window is shorter than 48 hours",
        ),
    )
    return next((words for holds, words in checks if not holds), None)


def signed_number(verified: Verified, root: str, notes: TamperingLog) -> int | None:
    """The number of a charter that the root signed; None (and a note) for anything else."""
    name = _NAME.fullmatch(verified.key)
    try:
        envelope = parse(verified.data)
        if name is None or envelope.kind != KIND:
            raise Corrupt("no charter, or not under a charter's name")
        if envelope.signer_hex != root:
            note(notes, verified.key, "unauthentic", "a charter that another root key signed")
            return None
        # Anyone who can put can lay an authentic charter under a higher number.
        number = read_json(_Numbered, envelope.body, "a charter").number
        if number != int(name[1]):
            raise Corrupt(f"the charter with number {number}, under another name")
    except (Corrupt, FeatureUnknown) as error:
        note(notes, verified.key, "forged", error.message)
        return None
    return number


def _first(links: list[Verified], notes: TamperingLog) -> Verified:
    """The one that was stored first, of charters with one number."""
    links.sort(key=lambda link: (link.modified, link.key))
    for link in links[1:]:
        note(notes, link.key, "fork", f"a second charter beside {links[0].key}")
    return links[0]


def _read(verified: Verified) -> StoredCharter:
    envelope = parse(verified.data)
    body = envelope.require(KIND, envelope.vault)
    charter = read_json(Charter, body, "the charter")
    times = [charter.created_at]
    for member in charter.members:
        times += [member.added_at, member.revoked_at or member.added_at]
    name = _NAME.fullmatch(verified.key)
    if (
        name is None
        or int(name[1]) != charter.number
        or (charter.vault, charter.root) != (envelope.vault, envelope.signer_hex)
        or any(at.tzinfo is None for at in times)
    ):
        raise Corrupt(f"{verified.key} is signed by the root key and contradicts itself")
    return StoredCharter(charter, verified.key, verified.modified)


def _note_gaps(stored: StoredCharter, chain: dict[int, Verified], notes: TamperingLog) -> None:
    previous = stored.charter.previous
    for number in range(stored.charter.number - 1, 0, -1):
        link = chain.get(number)
        if link is None or digest_of(link.key) != previous:
            note(notes, f"{PREFIX}{number:08d}-{previous}", "gap", "a charter of the chain is gone")
            return
        try:
            previous = _read(link).charter.previous
        except (Corrupt, FeatureUnknown) as error:
            note(notes, link.key, "gap", error.message)
            return
