"""An approval told anew from the log: every entry that is taken out or forged makes it none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.signers import SoftKey
from tests.unit.operations.approving import Council, make_council
from tests.unit.operations.conftest import Site
from vault.audit.entry import Entry, EntryKind
from vault.catalog.audit import AuditTable
from vault.codec.signing import SigningKey
from vault.errors import SignatureRefused
from vault.operations import approve, homes, roster
from vault.operations.recheck import check_approval, founding_statement


@pytest.fixture
def council(site: Site) -> Council:
    """Ann and Bob founded the roster, Cyd was added; two have to agree."""
    made = make_council(site)
    made.add("cyd", "bob")
    made.agreed_by(("bob",), lambda: roster.set_quorum(made.unit, 2))
    return made


def entries(council: Council) -> list[Entry]:
    """The whole log, in order."""
    return [entry for entry, _ in council.unit.catalog.audit.all()]


def check(council: Council, log: list[Entry], ask: str) -> tuple[str, ...]:
    """Check it by this vault's root key."""
    charter = council.unit.charter
    return check_approval(log, ask, vault=charter.vault, root=charter.root)


def test_what_was_agreed_to_and_done_is_found_so(council: Council) -> None:
    """The names of who agreed; not before it was carried out."""
    item = council.sign(council.asked(), "bob", "cyd")
    with pytest.raises(SignatureRefused):
        check(council, entries(council), item.id)
    council.admit()
    log = entries(council)
    assert check(council, log, item.id) == ("bob", "cyd")
    with pytest.raises(SignatureRefused):
        check(council, log, "ask_another")
    stranger = SigningKey.generate().public_hex
    with pytest.raises(SignatureRefused):
        check_approval(log, item.id, vault=council.unit.charter.vault, root=stranger)
    with pytest.raises(SignatureRefused):
        check_approval(log, item.id, vault="vault_other", root=council.unit.charter.root)


def test_a_crash_uses_an_approval_whole_or_not_at_all(
    council: Council, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is entered with its use or not: whoever checks it later finds it used once."""
    item, add = council.sign(council.asked(), "bob", "cyd"), AuditTable.add

    def dies(table: AuditTable, entry: Entry) -> None:
        if entry.kind is EntryKind.APPROVAL_USED:
            raise KeyboardInterrupt
        add(table, entry)

    with monkeypatch.context() as crash:
        crash.setattr(AuditTable, "add", dies)
        with pytest.raises(KeyboardInterrupt):
            council.admit()
    council.admit()
    assert check(council, entries(council), item.id) == ("bob", "cyd")


def test_what_became_of_the_roster_later_does_not_matter(council: Council) -> None:
    """It was good when it was used; of a later one the removed approver's does not count."""
    item = council.sign(council.asked(), "bob", "cyd")
    council.admit()
    council.add("dan", "bob", "cyd")
    council.agreed_by(("bob", "dan"), lambda: roster.remove_approver(council.unit, "cyd"))
    assert check(council, entries(council), item.id) == ("bob", "cyd")


@pytest.mark.parametrize(
    "kind",
    [
        EntryKind.APPROVAL_ASKED,
        EntryKind.APPROVAL_SIGNED,
        EntryKind.APPROVAL_USED,
        EntryKind.APPROVER_ADDED,
        EntryKind.REQUEST,
    ],
)
def test_nothing_that_it_stands_on_may_be_missing(council: Council, kind: EntryKind) -> None:
    """Without all entries of one kind that it needs, it is no approval."""
    item = council.sign(council.asked(), "bob", "cyd")
    council.admit()
    log = [entry for entry in entries(council) if entry.kind is not kind]
    with pytest.raises(SignatureRefused):
        check(council, log, item.id)


def test_a_host_that_lies_is_found_out(council: Council) -> None:
    """It enters signatures, keys, a smaller quorum, other terms; none of it is proved."""
    item = council.sign(council.asked(), "bob")
    mallory = SoftKey()
    key = " ".join(mallory.line.split(" ")[:2])
    lies: list[list[tuple[EntryKind, dict[str, Any]]]] = [
        [_signed(item.id, "cyd", key, mallory.sign(item.text))],
        [_signed(item.id, "cyd", council.keys["cyd"].line, mallory.sign(item.text))],
        [_signed(item.id, "ann", _own(council, "ann"), council.keys["bob"].sign(item.text))],
        [
            (EntryKind.APPROVER_ADDED, {"name": "mal", "key": key, "touch": True, "proof": "00"}),
            _signed(item.id, "mal", key, mallory.sign(item.text)),
        ],
        [(EntryKind.QUORUM_SET, {"quorum": 1})],
        [
            (EntryKind.APPROVER_REMOVED, {"name": "ann"}),
            (EntryKind.APPROVER_REMOVED, {"name": "cyd"}),
        ],
    ]
    honest = entries(council)
    template = next(e for e in honest if e.kind is EntryKind.APPROVAL_SIGNED)
    use = _use(council, honest, item)
    for lie in lies:
        forged = [msgspec.structs.replace(template, kind=kind, body=body) for kind, body in lie]
        with pytest.raises(SignatureRefused):
            check(council, [*honest, *forged, *use], item.id)
    truly = _signed(item.id, "cyd", _own(council, "cyd"), council.keys["cyd"].sign(item.text))
    told = msgspec.structs.replace(template, kind=truly[0], body=truly[1])
    assert check(council, [*honest, told, *use], item.id) == ("bob", "cyd")
    for changes in ({"reason": "x"}, {"verb": "remove"}, {"task": ""}, {"about": "x"}):
        other = msgspec.structs.replace(use[0], body=use[0].body | changes)
        with pytest.raises(SignatureRefused):
            check(council, [*honest, told, other, use[1]], item.id)
    again = msgspec.structs.replace(use[0], id=use[0].id + "x")
    with pytest.raises(SignatureRefused):
        check(council, [*honest, told, use[0], again, use[1]], item.id)


def test_nobody_talks_a_key_into_wanting_a_touch(site: Site) -> None:
    """The root key proves Cyd's key, a file's; that it wants a touch is the host's own word."""
    council = Council(site)
    council.found("cyd", touch=False)
    council.found("ann", "bob")
    council.let_agent()
    item, honest = council.asked(), entries(council)
    lied = [
        msgspec.structs.replace(e, body=e.body | {"touch": True}) if e.body.get("proof") else e
        for e in honest
    ]
    for name in ("bob", "cyd"):
        kind, body = _signed(item.id, name, _own(council, name), council.keys[name].sign(item.text))
        signed = msgspec.structs.replace(honest[-1], kind=kind, body=body)
        log = [*lied, signed, *_use(council, honest, item)]
        if name == "bob":
            assert check(council, log, item.id) == ("bob",)
        else:
            with pytest.raises(SignatureRefused):
                check(council, log, item.id)


def test_a_change_of_the_roster_is_the_one_that_was_signed(council: Council) -> None:
    """They agreed to Dan's key; a host enters another one for him. By the root key, too late."""
    council.add("dan", "bob", "cyd")
    mallory = SoftKey()
    key, line = " ".join(mallory.line.split(" ")[:2]), _own(council, "dan")
    honest = entries(council)
    lied = [
        msgspec.structs.replace(e, body=e.body | {"key": key}) if e.body.get("key") == line else e
        for e in honest
    ]
    assert lied != honest
    item = council.sign(council.asked(), "bob", "dan")
    later = [e for e in entries(council) if e.id > honest[-1].id]
    dan = next(e for e in later if e.body.get("approver") == "dan")
    by_mallory = msgspec.structs.replace(
        dan, body=dan.body | {"key": key, "signature": mallory.sign(item.text)}
    )
    others = [e for e in later if e is not dan]
    use = _use(council, later, item)
    assert check(council, [*honest, *later, *use], item.id) == ("bob", "dan")
    with pytest.raises(SignatureRefused):
        check(council, [*lied, *others, by_mallory, *use], item.id)
    root = homes.read_kit(council.kit).root
    assert root is not None
    proof = root.sign(founding_statement(council.unit.charter.vault, "mal", key)).hex()
    added = {"name": "mal", "key": key, "touch": True, "proof": proof}
    enrolled = msgspec.structs.replace(dan, kind=EntryKind.APPROVER_ADDED, body=added)
    signed = msgspec.structs.replace(
        dan, body=_signed(item.id, "mal", key, mallory.sign(item.text))[1]
    )
    with pytest.raises(SignatureRefused):
        check(council, [*honest, *others, enrolled, signed, *use], item.id)


def _signed(ask: str, name: str, key: str, signature: str) -> tuple[EntryKind, dict[str, Any]]:
    body = {"ask": ask, "approver": name, "key": key, "signature": signature}
    return EntryKind.APPROVAL_SIGNED, body


def _own(council: Council, name: str) -> str:
    return " ".join(council.keys[name].line.split(" ")[:2])


def _use(council: Council, log: list[Entry], item: approve.ApprovalItem) -> list[Entry]:
    """The entries of a request that is let pass by an approval, as the gate writes them."""
    request = next(
        e
        for e in reversed(log)
        if e.kind is EntryKind.REQUEST and e.body["decision"] == "ask" and e.volume
    )
    body = request.body | {"decision": "allow", "ask": item.id}
    used = {"ask": item.id}
    return [
        msgspec.structs.replace(request, id="aud_z1", body=body),
        msgspec.structs.replace(request, id="aud_z2", kind=EntryKind.APPROVAL_USED, body=used),
    ]
