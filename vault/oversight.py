"""Oversight: who may do what on a vault, and what they did. `vault.oversight` of an open Vault.

with Vault.open() as vault:
    vault.oversight.freeze("deploy-bot", reason="it deletes what it should not")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from vault import operations

if TYPE_CHECKING:
    from vault.governance.expectation import CaseResult
    from vault.governance.intent import Task
    from vault.governance.review import Finding
    from vault.governance.tokens import Token
    from vault.operations.approve import ApprovalItem
    from vault.operations.audit_items import AuditEntryItem, AuditProof, AuditReport
    from vault.operations.explain import Explanation, Supposition
    from vault.operations.freeze import FreezeItem
    from vault.operations.grants import GrantItem, GrantWish
    from vault.operations.history import AuditFilter
    from vault.operations.identities import IdentityItem
    from vault.operations.policy import Difference, PolicyReport
    from vault.operations.roster import ApproverItem
    from vault.operations.tasks import WindowItem, WindowWish
    from vault.operations.tokens import TokenMade, TokenWish
    from vault.operations.unit import ReadUnit, WriteUnit


class Oversight:
    """The verbs about identities, tasks, grants, approvals, freezes, policy and the audit log.

    Every method may raise VaultError; what changes something is judged and entered like a delete.
    """

    def __init__(self, writing: Callable[[], WriteUnit], reading: Callable[[], ReadUnit]) -> None:
        self._writing = writing
        self._reading = reading

    # --- audit -----------------------------------------------------------------------------------

    def audit_show(self, wish: AuditFilter | None = None) -> Iterator[AuditEntryItem]:
        """The entries that fit, the oldest first, as this host knows them. Raises UsageError."""
        return operations.history.show(self._reading(), wish or operations.history.AuditFilter())

    def audit_verify(self, roots: Path | None = None) -> AuditReport:
        """Look at every log in the store: nothing removed, changed, reordered or forked.

        `roots` are the certificates (PEM) of a time-stamping service. Raises SettingsError.
        """
        return operations.auditing.verify(self._reading(), roots)

    def audit_prove(self, entry: str, *, former: int = 0) -> AuditProof:
        """Prove an entry to be in its log; with `former`, that this has only grown since then."""
        return operations.auditing.prove(self._reading(), entry, former=former)

    @staticmethod
    def audit_check(text: str) -> AuditProof:
        """Check a proof, with no vault at hand. Raises Corrupt where it proves nothing."""
        return operations.auditing.check(text)

    def audit_export(self, wish: AuditFilter | None = None) -> Iterator[str]:
        """The entries that fit, a line of OCSF JSON each. Raises UsageError."""
        return operations.history.export(self._reading(), wish or operations.history.AuditFilter())

    # --- freezes ---------------------------------------------------------------------------------

    def frozen(self) -> tuple[FreezeItem, ...]:
        """Who waits for a person; everyone (`*`) first, where there is a panic."""
        return operations.freeze.frozen(self._writing())

    def freeze(self, name: str, *, reason: str) -> FreezeItem:
        """Let an identity do nothing but protect and undo until a person has looked."""
        return operations.freeze.freeze(self._writing(), name, reason)

    def unfreeze(self, name: str) -> FreezeItem:
        """A person has looked: the identity may go on. Raises UsageError: it was not frozen."""
        return operations.freeze.unfreeze(self._writing(), name)

    def panic(self, *, reason: str) -> FreezeItem:
        """Everything destructive waits, whoever asks for it, until `calm`."""
        return operations.freeze.panic(self._writing(), reason)

    def calm(self) -> FreezeItem:
        """The panic is over; where approvers are enrolled, they agree first."""
        return operations.freeze.calm(self._writing())

    # --- approvals -------------------------------------------------------------------------------

    def approvals(self, *, everything: bool = False) -> tuple[ApprovalItem, ...]:
        """What waits for people; with `everything` also what waits no more."""
        return operations.approve.approvals(self._writing(), everything=everything)

    def approval(self, ask: str) -> ApprovalItem:
        """One of them, with the text that people sign. Raises ApprovalUnknown, IdAmbiguous."""
        return operations.approve.approval(self._writing(), ask)

    def approve(self, ask: str, signature: str) -> ApprovalItem:
        """Count an approver's signature of that text. Raises ApprovalUnknown, SignatureRefused."""
        return operations.approve.approve(self._writing(), ask, signature)

    def reject(self, ask: str, *, reason: str) -> ApprovalItem:
        """Refuse what waits. Raises ApprovalUnknown, Denied."""
        return operations.approve.reject(self._writing(), ask, reason)

    def approvers(self) -> tuple[ApproverItem, ...]:
        """Everybody who may agree."""
        return operations.roster.approvers(self._writing())

    def quorum(self) -> int:
        """How many of them have to agree; 0 where nobody is enrolled."""
        return operations.roster.quorum(self._writing())

    def add_approver(self, name: str, key: str, *, kit: Path | None = None) -> ApproverItem:
        """Enrol a person by an SSH public key; the first two by the recovery kit.

        Raises KitWrong, KitMissing, ApprovalNeeded, UsageError.
        """
        return operations.roster.add_approver(self._writing(), name, key, kit)

    def passkey_creation(self, name: str, *, origin: str) -> str:
        """What a browser on the site `origin` makes a passkey with, as JSON. Raises UsageError."""
        return operations.roster.passkey_creation(self._writing(), name, origin)

    def add_passkey(
        self, name: str, response: str, *, origin: str, kit: Path | None = None
    ) -> ApproverItem:
        """Enrol a person by a browser's answer to that. Raises as `add_approver`."""
        return operations.roster.add_passkey(self._writing(), name, response, origin, kit)

    def passkey_made(self, name: str, response: str, *, origin: str) -> ApproverItem:
        """The public key in a browser's answer, as `add_approver` takes it; enrols nobody."""
        return operations.roster.passkey_made(self._writing(), name, response, origin)

    def passkey_challenge(self, ask: str, *, name: str) -> str:
        """What an approver's browser agrees to a request with; its answer goes to `approve`."""
        return operations.approve.passkey_challenge(self._writing(), ask, name)

    def remove_approver(self, name: str) -> None:
        """Let a person agree no more; the quorum has to agree to that."""
        operations.roster.remove_approver(self._writing(), name)

    def set_quorum(self, number: int) -> int:
        """How many have to agree from now on; the present quorum has to agree to that."""
        return operations.roster.set_quorum(self._writing(), number)

    # --- rules -----------------------------------------------------------------------------------

    def policy(self) -> PolicyReport:
        """The rules in force, and what is wrong with the home's own file of them."""
        return operations.policy.report(self._writing())

    def watch_policy(self) -> str:
        """What is wrong with the home's own file; people are told once when that changes."""
        return operations.policy.watch(self._writing())

    def use_policy(self) -> PolicyReport:
        """Let the home's own file hold. Raises ApprovalNeeded, SettingsError."""
        return operations.policy.use(self._writing())

    @staticmethod
    def policy_check(text: str) -> PolicyReport:
        """What rules would be with this text beside the shipped ones. Raises SettingsError."""
        return operations.policy.tried(text)

    @staticmethod
    def policy_test(cases: str, text: str) -> tuple[CaseResult, ...]:
        """Put cases (TOML) to the rules with this text beside the shipped ones.

        Raises SettingsError, UsageError.
        """
        return operations.policy.expected(cases, text)

    def explain(self, entry: str) -> Explanation:
        """Why a request of the audit log was answered as it was. Raises UsageError."""
        return operations.explain.explain(self._writing(), entry)

    def suppose(self, wish: Supposition) -> Explanation:
        """How a request would be answered, and why. Raises UsageError, VolumeUnknown."""
        return operations.explain.suppose(self._writing(), wish)

    def simulate(self, text: str, *, since: timedelta) -> tuple[Difference, ...]:
        """What other rules would have said of the requests since then, where it differs."""
        return operations.policy.simulate(self._writing(), text, since)

    # --- identities and tokens -------------------------------------------------------------------

    def identities(self) -> tuple[IdentityItem, ...]:
        """Who there is, by name."""
        return operations.identities.identities(self._writing())

    def identity(self, name: str) -> IdentityItem:
        """One identity. Raises IdentityUnknown."""
        return operations.identities.show(self._writing(), name)

    def add_identity(self, name: str, kind: str, *, subject: str = "") -> IdentityItem:
        """Add a human, an agent or a service. Raises UsageError."""
        return operations.identities.add_identity(self._writing(), name, kind, subject)

    def disable_identity(self, name: str, *, enable: bool = False) -> IdentityItem:
        """Let an identity do nothing more, or let it again. Raises IdentityUnknown."""
        return operations.identities.enable(self._writing(), name, disabled=not enable)

    def review_identities(self) -> tuple[Finding, ...]:
        """What no one should have, or has and does not use."""
        return operations.identities.review(self._writing())

    def make_token(self, wish: TokenWish) -> TokenMade:
        """Make a token; its secret is shown this once. Raises IdentityUnknown, UsageError."""
        return operations.tokens.make_token(self._writing(), wish)

    @staticmethod
    def narrow_token(
        secret: str, *, until: datetime | None, verbs: Sequence[str], volumes: Sequence[str]
    ) -> str:
        """A token that can do less, made offline. Raises UsageError, TokenInvalid."""
        return operations.tokens.narrow(secret, until=until, verbs=verbs, volumes=volumes)

    def tokens(self) -> tuple[Token, ...]:
        """Every token that was made, the oldest first, without its secret."""
        return operations.tokens.tokens(self._writing())

    def revoke_token(self, text: str) -> tuple[Token, ...]:
        """Let a token, or all that an identity has now, count no more. Raises IdentityUnknown."""
        return operations.tokens.revoke(self._writing(), text)

    def rotate_issuing_key(self, *, at_once: bool = False) -> datetime:
        """Sign tokens with a fresh key; gives the time until which the former ones count."""
        return operations.tokens.rotate(self._writing(), at_once=at_once)

    # --- tasks, windows, grants ------------------------------------------------------------------

    def tasks(self) -> tuple[Task, ...]:
        """Every task, by name."""
        return operations.tasks.tasks(self._writing())

    def task(self, name: str, environment: str) -> Task:
        """One task. Raises TaskUnknown."""
        return operations.tasks.get_task(self._writing(), name, environment)

    def add_task(self, task: Task) -> Task:
        """Add a task, or change it. Raises UsageError."""
        return operations.tasks.add_task(self._writing(), task)

    def close_task(self, name: str, environment: str) -> Task:
        """Nothing more is done for a task. Raises TaskUnknown."""
        return operations.tasks.close_task(self._writing(), name, environment)

    def windows(self) -> tuple[WindowItem, ...]:
        """Every maintenance window."""
        return operations.tasks.windows(self._writing())

    def add_window(self, wish: WindowWish) -> WindowItem:
        """Let agents' deletes in an environment wait for windows. Raises UsageError."""
        return operations.tasks.add_window(self._writing(), wish)

    def remove_window(self, window: str) -> None:
        """Take a window away. Raises WindowUnknown."""
        operations.tasks.remove_window(self._writing(), window)

    def grants(self) -> tuple[GrantItem, ...]:
        """Every grant, the oldest first."""
        return operations.grants.grants(self._writing())

    def request_grant(self, wish: GrantWish) -> GrantItem:
        """Ask for a grant for oneself. Raises UsageError."""
        return operations.grants.request_grant(self._writing(), wish)

    def give_grant(self, grant: str) -> GrantItem:
        """Give what was asked for. Raises GrantUnknown, UsageError, Denied."""
        return operations.grants.give_grant(self._writing(), grant)

    def give_unasked(self, wish: GrantWish) -> GrantItem:
        """Give a grant to somebody who did not ask for it. Raises UsageError, Denied."""
        return operations.grants.give_unasked(self._writing(), wish)

    def revoke_grant(self, grant: str) -> GrantItem:
        """Take a grant back. Raises GrantUnknown."""
        return operations.grants.revoke_grant(self._writing(), grant)
