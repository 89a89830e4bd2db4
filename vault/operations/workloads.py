"""Workloads: who shows a token of an outside issuer that vault.toml names.

The issuer says who somebody is; what they may is said here: the token's subject is that of an
identity of the vault, an agent or a service, and its environment is the issuer's in vault.toml.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, Protocol

from vault import limits
from vault.errors import ExtraMissing
from vault.governance import biscuits
from vault.governance.identity import Identity
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.operations.unit import LocalUnit
from vault.settings import Workload

_LONGEST: Final = {
    PrincipalKind.AGENT: limits.AGENT_TOKEN_LONGEST,
    PrincipalKind.SERVICE: limits.SERVICE_TOKEN_LONGEST,
}


class KeySource(Protocol):
    """Where issuers publish their keys."""

    def keys(self, url: str, *, fresh: bool = False) -> bytes:
        """The JSON Web Key Set at a URL of vault.toml, from memory where it is not too old.

        With `fresh` it is fetched, unless that was just done. Raises TokenInvalid for none.
        """


def authenticate(
    unit: LocalUnit, token: str, source: KeySource, *, environment: str = ""
) -> Principal:
    """Who shows this token. With an `environment` none of another counts.

    Raises TokenInvalid, the same for whatever is amiss; ExtraMissing.
    """
    jwts = _loaded()
    shown, now = jwts.show(token), unit.clock.now()
    workload = _workload(unit, shown.issuer)
    key = jwts.choose(jwts.read_keys(source.keys(workload.keys)), shown)
    if key is None:
        key = jwts.choose(jwts.read_keys(source.keys(workload.keys, fresh=True)), shown)
    if key is None:
        raise biscuits.invalid("its issuer has no such key")
    claims = jwts.verify(shown, key, now, audience=workload.audience, claim=workload.claim)
    identity = _identity(unit, f"{workload.issuer}#{claims.name}")
    tokens = unit.catalog.audit.books().tokens
    faults = (
        (environment not in ("", workload.environment), f"it is of “{workload.environment}”"),
        (claims.expires_at - claims.made_at > _LONGEST[identity.kind], "it lives for too long"),
        (tokens.is_revoked(identity.name, claims.made_at, (claims.id,)), "it was revoked"),
    )
    for fault, detail in faults:
        if fault:
            raise biscuits.invalid(detail)
    return Principal(
        kind=identity.kind,
        name=identity.name,
        via=Via.WORKLOAD,
        environment=workload.environment,
        token=claims.id,
        lineage=claims.id,
        made_at=claims.made_at,
        expires_at=claims.expires_at,
    )


def _workload(unit: LocalUnit, issuer: str) -> Workload:
    for workload in unit.settings.workload:
        if workload.issuer == issuer:
            return workload
    raise biscuits.invalid("its issuer is not one that vault.toml names")


def _identity(unit: LocalUnit, subject: str) -> Identity:
    """Whom the issuer calls so. A person has a token of their own, and is no workload."""
    known = unit.catalog.audit.books().identities.of_subject(subject)
    if known is None or known.disabled or known.kind not in _LONGEST:
        raise biscuits.invalid("its subject is no agent and no service of ours")
    return known


def _loaded() -> Any:
    """The module of such tokens, which needs an extra. Raises ExtraMissing."""
    try:
        return import_module("vault.governance.jwts")
    except ImportError:
        raise ExtraMissing(
            "tokens of outside issuers need a library that is not installed",
            safe="Nothing was changed.",
            hint="Install it: pip install 'vault-softdelete[workload]'",
        ) from None
