"""Parsers of governance: the audit log, tokens, signatures, passkeys, rules and windows."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import cache
from itertools import islice
from typing import Any, Final

import msgspec
from biscuit_auth import (
    Biscuit,
    BiscuitValidationError,
    BlockBuilder,
    DataLogError,
    PublicKey,
)

from tests.authenticators import SoftAuthenticator
from tests.fuzz import sealing
from tests.fuzz.mutation import as_json
from tests.fuzz.stored import CHARTER, known, store_of
from tests.fuzz.texts import in_file
from tests.signers import SoftKey, armored, unarmored
from tests.unit.repository.founding import VAULT, WRITER
from vault.audit.checkpoint import Checkpoint, open_checkpoint, origin_of, sign_checkpoint
from vault.audit.entry import Caller, Entry, EntryKind, decode_entry, encode_entry
from vault.audit.line import Line
from vault.audit.merkle import Frontier, leaf_hash
from vault.audit.ocsf import ocsf_line
from vault.audit.proof import make_proof, with_former
from vault.audit.segment import write_segment
from vault.catalog.audit import Lately
from vault.catalog.database import open_catalog
from vault.codec import passkeys, sshsig
from vault.governance import biscuits
from vault.governance.approval import Plan, digest_of_plan
from vault.governance.books import Books
from vault.governance.intent import Window
from vault.governance.policy import Policies, check
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.recurrence import check_window, from_cron, is_open, openings
from vault.governance.request import DESTRUCTIVE, Request, Verb
from vault.ids import new_id
from vault.operations import auditing
from vault.repository.audit_log import read_segments, stem
from vault.repository.authentic import Tampering
from vault.testing.clock import START

TEXT: Final = b"vault: approval of a request\nwho: agent deploy-bot\n"
ORIGIN: Final = origin_of(VAULT, WRITER.key_id)
SITE: Final = "https://vault.example.org"
LATER: Final = START + timedelta(hours=1)

_ISSUER: Final = "1f" * 32
_KEYS: Final = (SoftKey(), SoftKey("ecdsa"), SoftKey(touch=False))
_DEVICE: Final = SoftAuthenticator()
_WHO: Final = Principal(PrincipalKind.AGENT, "deploy-bot")
REQUEST: Final = Request(
    verb=Verb.DELETE, volume="db", environment="production", principal=_WHO, task="OPS-1"
)


# --- the audit log -------------------------------------------------------------------------------


@cache
def bodies() -> dict[EntryKind, dict[str, Any]]:
    """A body of each kind that the books read, and of some that others do."""
    soon = (START + timedelta(days=9)).isoformat()
    own: dict[str, Any] = {
        "environment": "production",
        "verbs": ["delete"],
        "volumes": ["db", "preview-*"],
    }
    grant: dict[str, Any] = {"grant": "grant_1", "principal": "deploy-bot", "task": "OPS-1", **own}
    grant |= {"starts_at": START.isoformat(), "expires_at": soon, "uses": 3, "bytes": 9}
    token = {"token": "tok_1", "name": "deploy-bot", **own, "made_at": START.isoformat()}
    window: dict[str, Any] = {
        "window": "win_1",
        "environment": "production",
        "rule": "FREQ=DAILY;BYHOUR=3",
    }
    window |= {"starts": "2026-04-24T00:00:00", "seconds": 7200, "zone": "Europe/Berlin"}
    asked = {"ask": "ask_1", "approver": "ann", "key": _KEYS[0].line, "reason": "no"}
    request = {"verb": "delete", "volume_name": "db", "decision": "allow", "grant": "grant_1"}
    return {
        EntryKind.REQUEST: {**request, "bytes": 7, "facts": {}, "rules": []},
        EntryKind.TRANSITION: {"event": "events/v/e", "type": "quarantined", "tombstone": "t"},
        EntryKind.IDENTITY_ADDED: {"name": "deploy-bot", "kind": "agent", "subject": "s"},
        EntryKind.IDENTITY_DISABLED: {"name": "deploy-bot"},
        EntryKind.TOKEN_MADE: {**token, "expires_at": soon},
        EntryKind.TOKEN_REVOKED: {"name": "deploy-bot"},
        EntryKind.KEY_ROTATED: {"public": "ab" * 32, "until": soon},
        EntryKind.TASK_ADDED: {"task": "OPS-1", "assignees": ["deploy-bot"], "until": soon, **own},
        EntryKind.WINDOW_ADDED: window,
        EntryKind.GRANT_ASKED: grant,
        EntryKind.GRANT_GIVEN: grant,
        EntryKind.APPROVAL_ASKED: msgspec.to_builtins(_plan()),
        EntryKind.APPROVAL_SIGNED: {**asked, "signature": "s"},
        EntryKind.APPROVAL_REJECTED: asked,
        EntryKind.APPROVER_ADDED: {"name": "ann", "key": _KEYS[0].line, "touch": True},
        EntryKind.QUORUM_SET: {"quorum": 2},
        EntryKind.FROZEN: {"name": "deploy-bot", "reason": "too fast"},
        EntryKind.PANIC: {"reason": "fire"},
        EntryKind.POLICY_CHANGED: {"text": "", "digest": "d"},
        EntryKind.MEMBER_ADDED: {"name": "host", "role": "writer", "key": "k", "charter": "c"},
        EntryKind.COLLECTED: {"versions": 3, "deleted": 3, "bytes": 9, "snapshots": ["snap_1"]},
    }


def _plan() -> Plan:
    words = dict.fromkeys(Plan.__struct_fields__, "x")
    told = words | {"ask": "ask_1", "expires_at": (START + timedelta(days=1)).isoformat()}
    return msgspec.convert(told, Plan)


@cache
def entries() -> list[Any]:
    """One entry of each kind, as plain values."""
    told = []
    for number, (kind, body) in enumerate(bodies().items()):
        at = START + timedelta(seconds=number)
        plain = Entry(
            id=new_id("aud", at),
            at=at,
            uptime=float(number),
            kind=kind,
            caller=Caller("human", "ann@host", "uid"),
            environment="production",
            volume="vol_1",
            body=body,
        )
        told.append(msgspec.to_builtins(plain))
    return told


def run_entry(data: bytes) -> Entry:
    """An entry's exact bytes."""
    entry = decode_entry(data)
    ocsf_line(entry, "log", 0)
    return entry


def run_books(values: Any) -> Any:
    """Entries that an admitted writer made up, taken into a catalog, and all that asks them."""
    catalog = open_catalog(None)
    try:
        for value in values if isinstance(values, list) else [values]:
            catalog.audit.add(decode_entry(as_json(value)))
        books = catalog.audit.books()
        for one in (
            *catalog.audit.requests(),
            *catalog.audit.allowed(DESTRUCTIVE, Lately("log", own=True, since=0.0), most=9),
            *catalog.audit.allowed(DESTRUCTIVE, Lately("log", own=False, since=""), most=9),
        ):
            ocsf_line(one, "", -1)
        return _asked(books)
    finally:
        catalog.close()


def _asked(books: Books) -> Any:
    plan = _plan()
    return [
        books.tasks.fact(REQUEST, LATER),
        books.windows.fact("production", LATER),
        books.windows.next_open("production", LATER),
        books.grants.fact(REQUEST, LATER),
        [standing.state(LATER) for standing in books.grants.all()],
        books.approvals.find(plan, books.roster, LATER),
        [asked.state(books.roster, LATER) for asked in books.approvals.all()],
        [digest_of_plan(asked.plan) for asked in books.approvals.all()],
        (books.roster.quorum, books.roster.founding, books.roster.counts("ann", "", "protected")),
        (books.identities.all(), books.identities.of_subject("s")),
        (books.tokens.all(), books.tokens.keys(LATER)),
        (books.freezes.frozen("deploy-bot"), books.freezes.panic, books.freezes.all()),
    ]


def _segment(first: int, count: int) -> list[Any]:
    return [first, entries()[:count], first + count, ""]


def run_segment(parts: Any) -> Any:
    """A segment by a writer who was admitted and turned bad: [first, entries, size, root]."""
    match parts:
        case [first, list(told), int(size), str(root)] if 0 <= size < 10**18:
            leaves = [as_json(value) for value in told]
        case _:
            return None
    tree = Frontier().grown(map(leaf_hash, leaves)).root()
    forged = hashlib.sha256(root.encode("utf-8", "replace")).digest() if root else tree
    note = sign_checkpoint(Checkpoint(ORIGIN, size, forged), WRITER)
    raw = [msgspec.Raw(leaf) for leaf in leaves]
    body = as_json({"first": first, "entries": raw, "checkpoint": note})
    place = first if isinstance(first, int) and 0 <= first < 10**12 else 0
    notes: list[Tampering] = []
    store = store_of([sealing.record("audit", stem(WRITER.key_id, place), body)])
    line = Line(WRITER.key_id)
    for stored in read_segments(store, CHARTER, notes):
        list(line.add(stored.key, stored.segment))
    known(notes)
    return line.size, line.root_at(line.size), line.root_at(1), [f.what for f in line.faults]


def run_checkpoint(text: str) -> Any:
    """A signed note."""
    return open_checkpoint(in_file(text), ORIGIN, WRITER.public_hex)


@cache
def proofs() -> list[str]:
    """Proofs, of a log of eleven entries."""
    leaves = [as_json(value) for value in entries()[:11]]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    body = json.loads(write_segment(VAULT, Frontier(), leaves, WRITER))
    note = body["checkpoint"]
    plain = make_proof(VAULT, WRITER.public_hex, hashes, note, (6, leaves[6]))
    return [msgspec.json.encode(p).decode() for p in (plain, with_former(plain, hashes, 5))]


def run_proof(text: str) -> Any:
    """A proof, as somebody has it in a file."""
    return auditing.check(in_file(text))


def run_proof_value(value: Any) -> Any:
    """A proof in JSON that is whole."""
    return auditing.check(as_json(value).decode())


# --- who it is, and who agrees -------------------------------------------------------------------


@cache
def tokens() -> list[str]:
    """A token, and what its holder narrowed it to."""
    terms = biscuits.Terms(
        vault=VAULT,
        name="deploy-bot",
        kind="agent",
        environment="staging",
        token="tok_1",
        made_at=START,
        expires_at=START + timedelta(days=1),
        verbs=frozenset(("delete", "snapshot")),
    )
    made = biscuits.mint(_ISSUER, terms)
    until = START + timedelta(hours=5)
    return [made, biscuits.narrow(made, until=until, verbs=("delete",), volumes=("db",))]


def run_token(text: str) -> Any:
    """A token, shown and narrowed."""
    terms = biscuits.read(text, (biscuits.public_of(_ISSUER),), LATER)
    biscuits.narrow(text, until=LATER, verbs=(), volumes=())
    return terms


def run_block(code: str) -> Any:
    """A block that the holder of a token wrote without our help: it never widens anything."""
    biscuit, key = tokens()[0].removeprefix(biscuits.PREFIX).split(".")
    try:
        opened = Biscuit.from_base64(biscuit, PublicKey(f"ed25519/{key}"))
        made = opened.append(BlockBuilder(code)).to_base64()
    except (DataLogError, BiscuitValidationError, ValueError):
        return None
    terms = biscuits.read(f"{biscuits.PREFIX}{made}.{key}", (key,), LATER)
    assert terms.verbs is not None
    assert terms.verbs <= {"delete", "snapshot"}
    assert terms.expires_at <= START + timedelta(days=1)
    assert (terms.name, terms.environment) == ("deploy-bot", "staging")
    return terms


def run_signature(text: str) -> Any:
    """What should be an SSH signature of a text."""
    told = []
    for soft in _KEYS:
        key = sshsig.read_public_key(soft.line)
        if sshsig.is_by(key, text):
            sshsig.check_signature(key, TEXT, text)
            told.append(key.kind)
    return told


def run_signature_bytes(data: bytes) -> Any:
    """The same, within its armor: a signature that counts is of this very text."""
    return run_signature(armored(data))


def run_passkey(line: str) -> Any:
    """A passkey's line."""
    key = passkeys.read_passkey(line)
    passkeys.assertion(key, TEXT)
    return key.line


@cache
def _passkey() -> passkeys.Passkey:
    options = passkeys.creation(TEXT, "ann", SITE)
    return passkeys.created(_DEVICE.create(options), TEXT, SITE)


@cache
def answers() -> list[Any]:
    """What a browser answers to being asked to agree."""
    return [json.loads(_DEVICE.get(passkeys.assertion(_passkey(), TEXT)))]


@cache
def creations() -> list[Any]:
    """What a browser answers to being asked for a passkey."""
    return [json.loads(_DEVICE.create(passkeys.creation(TEXT, "ann", SITE)))]


def run_answer(value: Any) -> Any:
    """An answer of a browser's: it agrees, or is refused."""
    text = as_json(value).decode("utf-8", "replace")
    passkeys.is_by(_passkey(), text)
    passkeys.check_assertion(_passkey(), TEXT, text)
    return True


def run_creation(value: Any) -> Any:
    """A passkey of a browser's."""
    return passkeys.created(as_json(value).decode("utf-8", "replace"), TEXT, SITE).line


# --- rules and windows ---------------------------------------------------------------------------


def run_rules(text: str) -> Any:
    """A home's own rules, beside the shipped ones."""
    check(in_file(text))
    return Policies(in_file(text)).digest


def run_window(value: Any) -> Any:
    """A maintenance window that somebody asks for: what is accepted opens, or never does."""
    try:
        window = msgspec.json.decode(as_json(value), type=Window)
    except msgspec.ValidationError:
        return None
    check_window(window)
    return is_open(window, LATER), list(islice(openings(window, LATER), 3))


_RULES: Final = (
    """\
@id("own") @says("not at night")
forbid (principal, action == Action::"delete", resource)
  when { context.class == "protected" && !context.named };
""",
    """\
@id("a") @ask
forbid (principal is Agent, action, resource == Environment::"production");
""",
)
_BLOCKS: Final = (
    'check if verb($v), {"delete"}.contains($v)',
    "check if time($t), $t < 2026-04-24T12:00:00Z",
    'check if volume($v), {"db", "x-*"}.contains($v); check if verb($v), {"delete"}.contains($v)',
)


def _signatures() -> list[str]:
    return [key.sign(TEXT) for key in _KEYS] + [_KEYS[0].sign(TEXT, digest="sha256")]


def _windows() -> list[Any]:
    return [bodies()[EntryKind.WINDOW_ADDED], {**bodies()[EntryKind.WINDOW_ADDED], "zone": "UTC"}]


TARGETS: Final = (
    ("audit entry", lambda: [as_json(e) for e in entries()], run_entry, encode_entry),
    ("audit books", lambda: [entries(), entries()[7:]], run_books),
    ("audit segment", lambda: [_segment(0, 3), _segment(7, 1)], run_segment),
    (
        "checkpoint",
        lambda: [sign_checkpoint(Checkpoint(ORIGIN, 7, b"r" * 32), WRITER)],
        run_checkpoint,
    ),
    ("audit proof", proofs, run_proof),
    ("audit proof, as a value", lambda: [json.loads(p) for p in proofs()], run_proof_value),
    ("token", tokens, run_token),
    ("token's block", lambda: list(_BLOCKS), run_block),
    ("SSH key", lambda: [key.line for key in _KEYS], lambda t: sshsig.read_public_key(t).line, str),
    ("SSH signature", _signatures, run_signature),
    ("SSH signature, unarmored", lambda: [*map(unarmored, _signatures())], run_signature_bytes),
    ("passkey", lambda: [_passkey().line], run_passkey, str),
    ("passkey's answer", answers, run_answer),
    ("passkey's creation", creations, run_creation),
    ("rules", lambda: list(_RULES), run_rules),
    ("window", _windows, run_window),
    ("cron of a window", lambda: ["0 3 * * 6", "15,45 * 1 1,7 *"], from_cron),
)
