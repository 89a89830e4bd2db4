"""Bucket policies: each role's right, and nothing that destroys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from vault.store.policy import Role, bucket_policy

PRINCIPALS: Mapping[Role, list[str]] = {
    "writer": ["arn:w"],
    "purger": ["arn:p"],
    "reader": ["arn:r"],
    "collector": ["arn:c"],
}


def allowed(policy: Mapping[str, Any], arn: str, action: str, resource: str) -> bool:
    """Decide as AWS does, conditions aside: a denial wins, nothing said is a denial."""
    effects = {
        statement["Effect"]
        for statement in policy["Statement"]
        if arn in statement["Principal"]["AWS"]
        and action in statement["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and "Condition" not in statement
    }
    return effects == {"Allow"}


@pytest.mark.parametrize("vendor", ["aws", "ceph"])
@pytest.mark.parametrize("prefix", ["", "some/place", "some/place/"])
def test_each_role_may_what_it_needs_and_no_more(vendor: Any, prefix: str) -> None:
    policy = bucket_policy("bucket", prefix, PRINCIPALS, vendor=vendor)
    root = "arn:aws:s3:::bucket"
    base = f"{root}/{prefix.strip('/')}/" if prefix else f"{root}/"
    pack, event = f"{base}packs/3f/3fab", f"{base}events/vol/evt"
    verbs = {
        "Put": ("s3:PutObject", pack),
        "PutRetention": ("s3:PutObjectRetention", pack),
        "PutEvent": ("s3:PutObject", event),
        "Get": ("s3:GetObjectVersion", pack),
        "Delete": ("s3:DeleteObjectVersion", pack),
        "Mark": ("s3:DeleteObject", pack),
        "List": ("s3:ListBucketVersions", root),
    }
    may = {
        arn: {verb for verb, (action, on) in verbs.items() if allowed(policy, arn, action, on)}
        for arn in ("arn:w", "arn:p", "arn:r", "arn:c", "arn:stranger")
    }
    assert may == {
        "arn:w": {"Put", "PutRetention", "PutEvent", "Get", "List"},
        "arn:p": {"PutEvent", "Get", "List"},
        "arn:r": {"Get", "List"},
        "arn:c": {"PutEvent", "Get", "Delete", "List"},
        "arn:stranger": set(),
    }


@pytest.mark.parametrize(
    "action",
    [
        "s3:BypassGovernanceRetention",
        "s3:PutBucketVersioning",
        "s3:PutBucketObjectLockConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutBucketPolicy",
        "s3:DeleteBucket",
    ],
)
def test_nobody_has_leave_to_undo_the_bucket(action: str) -> None:
    policy = bucket_policy("bucket", "", PRINCIPALS)
    for arn in ("arn:w", "arn:p", "arn:r", "arn:c"):
        assert not allowed(policy, arn, action, "arn:aws:s3:::bucket")
        denials = [
            s for s in policy["Statement"] if s["Effect"] == "Deny" and action in s["Action"]
        ]
        assert any(arn in statement["Principal"]["AWS"] for statement in denials)


def test_a_prefix_keeps_to_its_own_place() -> None:
    policy = bucket_policy("bucket", "mine", PRINCIPALS)
    assert not allowed(policy, "arn:w", "s3:PutObject", "arn:aws:s3:::bucket/others/x")
    assert not allowed(policy, "arn:c", "s3:DeleteObjectVersion", "arn:aws:s3:::bucket/minex")


@pytest.mark.parametrize(
    ("vendor", "conditions"),
    [
        ("ceph", []),
        (
            "aws",
            [
                {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "9"}},
                {"StringNotEquals": {"s3:object-lock-mode": "COMPLIANCE"}},
            ],
        ),
    ],
)
def test_only_aws_is_told_the_ceiling_and_the_mode(vendor: Any, conditions: list[Any]) -> None:
    policy = bucket_policy("b", "", PRINCIPALS, vendor=vendor, ceiling_days=9)
    told = [s for s in policy["Statement"] if "Condition" in s]
    assert [statement["Condition"] for statement in told] == conditions
    assert {statement["Effect"] for statement in told} <= {"Deny"}


def test_a_role_that_nobody_has_is_left_out() -> None:
    policy = bucket_policy("b", "", {"reader": ["arn:r"]})
    assert all(statement["Principal"]["AWS"] == ["arn:r"] for statement in policy["Statement"])
    assert not any(
        "s3:PutObject" in s["Action"] for s in policy["Statement"] if s["Effect"] == "Allow"
    )


def test_the_page_for_operators_shows_this_very_policy() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
    shown = (
        page.partition("<!-- policy: tested -->")[2].partition("```json\n")[2].partition("```")[0]
    )
    principals: Mapping[Role, list[str]] = {
        role: [f"arn:aws:iam::111122223333:role/vault-{role}"] for role in PRINCIPALS
    }
    assert json.loads(shown) == bucket_policy("my-vault-locked", "main", principals)
