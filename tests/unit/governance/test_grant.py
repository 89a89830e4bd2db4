"""The book of grants: given by somebody else, once, and used up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.unit.governance.entries import BOT, NOW, ODD, entry, request
from vault.audit.entry import Entry, EntryKind
from vault.governance.facts import GrantFact
from vault.governance.grant import Grant, Grants
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.request import Request, Verb

TERMS = Grant(
    grant="grant_1",
    principal="deploy-bot",
    environment="production",
    verbs=("delete",),
    volumes=("preview-*",),
    starts_at=NOW - timedelta(minutes=5),
    expires_at=NOW + timedelta(hours=1),
    task="OPS-1",
    uses=2,
)


def asked(**changes: Any) -> Entry:
    """The agent asks for it."""
    terms = msgspec.structs.replace(TERMS, **changes)
    return entry(EntryKind.GRANT_ASKED, msgspec.to_builtins(terms), by=terms.principal)


def given_by(name: str = "ann", **changes: Any) -> Entry:
    """Somebody gives it."""
    terms = msgspec.structs.replace(TERMS, **changes)
    return entry(EntryKind.GRANT_GIVEN, msgspec.to_builtins(terms), by=name)


def used(size: Any = 0, decision: str = "allow", grant: str = "grant_1") -> Entry:
    """A request that was let pass by it."""
    body = {"grant": grant, "bytes": size, "decision": decision}
    return entry(EntryKind.REQUEST, body, by="deploy-bot")


def book(*entries: Entry) -> Grants:
    """The book after these entries."""
    grants = Grants()
    for one in entries:
        grants.apply(one)
    return grants


def fact(grants: Grants, wish: Request | None = None, at: Any = NOW) -> GrantFact:
    """How it stands with a request."""
    return grants.fact(wish or request(), at)[0]


def state(grants: Grants, at: Any = NOW) -> str:
    """How people see the grant."""
    found = grants.get("grant_1")
    assert found is not None
    return found.state(at)


def test_a_size_that_somebody_made_up_is_none() -> None:
    """Such a use counts, and gives nothing back."""
    grants = book(asked(bytes=10, uses=4), given_by(bytes=10, uses=4), used(10), used(-(10**9)))
    assert fact(grants, request(size=1)) is GrantFact.SPENT
    grants.apply(used("many"))
    assert fact(grants) is GrantFact.FITS
    grants.apply(used([7]))
    assert fact(grants) is GrantFact.SPENT


def test_from_asked_to_spent() -> None:
    """Each use counts, and a request that was refused does not."""
    grants = book(asked())
    assert (fact(grants), state(grants)) == (GrantFact.ASKED, "asked")
    grants.apply(given_by())
    assert grants.fact(request(), NOW) == (GrantFact.FITS, "grant_1")
    assert state(grants) == "given"
    grants.apply(used(decision="deny"))
    grants.apply(used())
    assert fact(grants) is GrantFact.FITS
    grants.apply(used())
    assert (fact(grants), state(grants)) == (GrantFact.SPENT, "spent")


def test_it_counts_from_its_begin_to_its_end() -> None:
    """At the very end no more."""
    grants = book(given_by())
    moment = timedelta(microseconds=1)
    assert fact(grants, at=TERMS.starts_at - moment) is GrantFact.NONE
    assert fact(grants, at=TERMS.starts_at) is GrantFact.FITS
    assert fact(grants, at=TERMS.expires_at - moment) is GrantFact.FITS
    assert fact(grants, at=TERMS.expires_at) is GrantFact.EXPIRED
    assert state(grants, TERMS.expires_at) == "expired"


def test_bytes_are_spent_too() -> None:
    """What would go beyond them is not covered; what fits still is."""
    grants = book(given_by(uses=9, bytes=100), used(60))
    assert fact(grants, request(size=41)) is GrantFact.SPENT
    assert fact(grants, request(size=40)) is GrantFact.FITS
    grants.apply(used(40))
    assert fact(grants, request(size=1)) is GrantFact.SPENT
    assert fact(book(given_by(uses=9), used(1 << 60)), request(size=1 << 60)) is GrantFact.FITS


@pytest.mark.parametrize(
    "wish",
    [
        request(Verb.REMOVE),
        request(volume="db"),
        request(environment="staging"),
        request(task="OPS-2"),
        request(task=""),
        request(who=Principal(PrincipalKind.AGENT, "other-bot")),
        request(who=Principal(PrincipalKind.AGENT, "Deploy-Bot")),
    ],
    ids=lambda wish: f"{wish.verb}-{wish.volume}-{wish.environment}-{wish.task or 'none'}",
)
def test_it_covers_nothing_else(wish: Request) -> None:
    """One term apart, and there is no grant."""
    assert book(given_by()).fact(wish, NOW) == (GrantFact.NONE, "")


def test_a_volume_is_meant_by_name_id_or_pattern() -> None:
    """In a pattern `*` stands for any characters, and nothing else for others."""
    for volume in ("preview-7", "vol_preview-7", "preview-*", "*"):
        assert fact(book(given_by(volumes=(volume,)))) is GrantFact.FITS, volume
    for volume in (
        "preview-?",
        "preview-[0-9]",
        "PREVIEW-7",
        "preview",
        "",
        "previewX7",
        "review-7",
    ):
        assert fact(book(given_by(volumes=(volume,)))) is GrantFact.NONE, volume


def test_nobody_gives_to_themselves() -> None:
    """Neither what they asked for nor what nobody asked for."""
    assert fact(book(asked(), given_by("deploy-bot"))) is GrantFact.ASKED
    assert book(given_by("deploy-bot")).all() == []


def test_only_what_was_asked_for_is_given() -> None:
    """Wider terms under the same id give nothing, and given terms never change."""
    assert fact(book(asked(), given_by(volumes=("*",)))) is GrantFact.ASKED
    grants = book(asked(), given_by(), given_by("bob", uses=99), asked(uses=99), used(), used())
    assert fact(grants) is GrantFact.SPENT


def test_what_is_taken_back_is_none() -> None:
    """Also before it was given; whoever gives it then changes nothing."""
    revoked = entry(EntryKind.GRANT_REVOKED, {"grant": "grant_1"})
    for entries in ((given_by(), revoked), (asked(), revoked), (asked(), revoked, given_by())):
        grants = book(*entries)
        assert (fact(grants), state(grants)) == (GrantFact.NONE, "revoked")


def test_of_several_the_one_that_ends_first_is_used() -> None:
    """One that fits before any that does not."""
    sooner = TERMS.expires_at - timedelta(minutes=30)
    grants = book(
        given_by(),
        given_by(grant="grant_2", expires_at=sooner),
        asked(grant="grant_3"),
        given_by(grant="grant_0", expires_at=NOW),
    )
    assert grants.fact(request(), NOW) == (GrantFact.FITS, "grant_2")
    assert grants.fact(request(), sooner) == (GrantFact.FITS, "grant_1")
    assert [standing.terms.grant for standing in grants.all()] == [
        *("grant_0", "grant_1", "grant_2", "grant_3")
    ]


def test_a_time_without_an_offset_is_no_term() -> None:
    """It could not be compared with any other."""
    body = msgspec.to_builtins(TERMS) | {"expires_at": "2027-03-01T13:00:00"}
    assert book(entry(EntryKind.GRANT_GIVEN, body)).all() == []


@given(ODD)
def test_odd_entries_are_skipped(odd: list[Entry]) -> None:
    """Never a failure, never a grant that fits."""
    assert fact(book(*odd), request(who=BOT)) is not GrantFact.FITS
