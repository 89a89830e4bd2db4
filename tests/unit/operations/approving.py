"""A site where people are enrolled, and an agent whose deletes wait for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tests.signers import SoftKey
from tests.unit.operations.conftest import Site
from vault.audit.entry import EntryKind
from vault.errors import ApprovalNeeded
from vault.governance.grant import Grant
from vault.governance.intent import Task
from vault.governance.principal import Principal, PrincipalKind, Via
from vault.governance.request import Verb
from vault.operations import approve, homes, roster
from vault.operations.approve import ApprovalItem
from vault.operations.gate import Admission, Question, admit
from vault.operations.ledger import enter
from vault.operations.unit import WriteUnit
from vault.repository.charter import EnvironmentTerms

AGENT = Principal(PrincipalKind.AGENT, "deploy-bot", Via.TOKEN, token="tok_bot", lineage="tok_bot")
EPHEMERAL = "preview"
OWN_RULES = """
@id("ours") @says("we look at each of them") @ask("approval")
forbid (principal, action == Action::"delete", resource)
when { context.class == "ephemeral" && context.approval != "given" };
"""


@dataclass
class Council:
    """People with keys, and what waits for them."""

    site: Site
    keys: dict[str, SoftKey] = field(default_factory=dict)

    @property
    def unit(self) -> WriteUnit:
        """The operator's, ann@host by uid; with an ephemeral environment beside the usual one."""
        charter = self.site.write.charter
        terms = EnvironmentTerms(kind="ephemeral", window_seconds=3600)
        both = {**charter.environments, EPHEMERAL: terms}
        return replace(self.site.write, charter=replace(charter, environments=both))

    @property
    def kit(self) -> Path:
        """The recovery kit's file."""
        return self.site.home / homes.KIT

    def by(self, principal: Principal) -> WriteUnit:
        """The same unit in somebody else's hands."""
        return replace(self.unit, principal=principal)

    def found(self, *names: str, touch: bool = True) -> None:
        """Enrol people by the kit."""
        for name in names:
            self.keys[name] = SoftKey(touch=touch)
            roster.add_approver(self.unit, name, self.keys[name].line, self.kit)

    def question(self, **changes: Any) -> Question:
        """The agent's wish to delete the volume `db`."""
        volume = self.unit.catalog.volumes.resolve("db")
        terms = {
            "verb": Verb.DELETE,
            "volume": "db",
            "volume_id": volume.id,
            "environment": volume.environment,
            "reason": "no longer used",
            "task": "OPS-1",
        }
        return Question(**{**terms, **changes})

    def let_agent(self, task: str = "OPS-1", name: str = AGENT.name, uses: int = 99) -> None:
        """A task and a grant, so that an agent's delete wants nothing but people."""
        now, where = self.site.clock.now(), self.question().environment
        terms = Task(task=task, environment=where, assignees=(AGENT.name, name), volumes=("*",))
        grant = Grant(
            grant=f"grant_{task}_{name}",
            principal=name,
            environment=where,
            verbs=("delete",),
            volumes=("*",),
            starts_at=now,
            expires_at=now + timedelta(days=9),
            task=task,
            uses=uses,
        )
        enter(self.unit, EntryKind.TASK_ADDED, msgspec.to_builtins(terms))
        enter(self.unit, EntryKind.GRANT_GIVEN, msgspec.to_builtins(grant))

    def admit(self, by: Principal = AGENT, **changes: Any) -> Admission:
        """Ask the gate."""
        return admit(self.by(by), self.question(**changes))

    def asked(self, by: Principal = AGENT, **changes: Any) -> ApprovalItem:
        """Ask the gate, which lets people decide."""
        with pytest.raises(ApprovalNeeded) as caught:
            self.admit(by, **changes)
        return approve.approval(self.unit, caught.value.ask)

    def sign(self, item: ApprovalItem, *names: str) -> ApprovalItem:
        """Let people agree."""
        for name in names:
            item = approve.approve(self.unit, item.id, self.keys[name].sign(item.text))
        return item

    def agreed_by(self, names: Sequence[str], act: Callable[[], object]) -> None:
        """Do what the approvers have to agree to, with these of them."""
        with pytest.raises(ApprovalNeeded) as caught:
            act()
        self.sign(approve.approval(self.unit, caught.value.ask), *names)
        act()

    def add(self, name: str, *agreeing: str) -> None:
        """Enrol one more, without the kit."""
        self.keys[name] = key = SoftKey("ecdsa")
        self.agreed_by(agreeing, lambda: roster.add_approver(self.unit, name, key.line))


def make_council(site: Site) -> Council:
    """Ann and Bob may agree; one of them is enough."""
    made = Council(site)
    made.found("ann", "bob")
    made.let_agent()
    return made
