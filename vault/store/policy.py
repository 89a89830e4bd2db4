"""The bucket policy that gives each role its right and no more: the one place that says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from vault.limits import MAX_LOCK

Role = Literal["writer", "purger", "reader", "collector"]
Vendor = Literal["aws", "ceph"]

_LOOK_BUCKET: Final = (
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:GetBucketVersioning",
    "s3:GetBucketObjectLockConfiguration",
)
_LOOK: Final = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention")
_CREATE: Final = ("s3:PutObject", "s3:PutObjectRetention")
_DELETE: Final = ("s3:DeleteObject", "s3:DeleteObjectVersion")
_NEVER: Final = (
    "s3:BypassGovernanceRetention",
    "s3:PutObjectLegalHold",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:PutBucketVersioning",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:DeleteBucketPolicy",
    "s3:DeleteBucket",
)
_RECORDS: Final = ("events/*", "audit/*")


def bucket_policy(
    bucket: str,
    prefix: str,
    principals: Mapping[Role, Sequence[str]],
    *,
    vendor: Vendor = "aws",
    ceiling_days: int = MAX_LOCK.days,
) -> dict[str, Any]:
    """Build the policy of a vault's bucket.

    `prefix` is the store's path in the bucket, "" for its root. `principals` are the ARNs of each
    role; roles that nobody has are left out. The collector deletes versions whose lock is over;
    nobody has leave to bypass a lock or to configure the bucket. On AWS locks other than
    COMPLIANCE and beyond `ceiling_days` are denied; Ceph does not know that condition.
    """
    everyone = sorted({arn for arns in principals.values() for arn in arns})
    root = f"arn:aws:s3:::{bucket}"
    objects = f"{root}/{prefix.strip('/')}/".replace("//", "/")

    records = [f"{objects}{name}" for name in _RECORDS]

    def holders(*roles: Role) -> list[str]:
        return sorted({arn for role in roles for arn in principals.get(role, ())})

    statements = [
        _statement("LookAtBucket", everyone, _LOOK_BUCKET, [root]),
        _statement("LookAtObjects", everyone, _LOOK, [f"{objects}*"]),
        _statement("Create", holders("writer"), _CREATE, [f"{objects}*"]),
        _statement("Record", holders("purger", "collector"), _CREATE, records),
        _statement("Collect", holders("collector"), ("s3:DeleteObjectVersion",), [f"{objects}*"]),
        _denial("NeverDelete", holders("writer", "purger", "reader"), _DELETE, root),
        _denial("NeverMark", holders("collector"), ("s3:DeleteObject",), root),
        _denial("NeverConfigure", everyone, _NEVER, root),
    ]
    if vendor == "aws":
        beyond = {"NumericGreaterThan": {_REMAINING: str(ceiling_days)}}
        other = {"StringNotEquals": {"s3:object-lock-mode": "COMPLIANCE"}}
        statements += [
            {**_denial("Ceiling", everyone, _CREATE, root), "Condition": beyond},
            {**_denial("ComplianceOnly", everyone, _CREATE, root), "Condition": other},
        ]
    kept = [statement for statement in statements if statement["Principal"]["AWS"]]
    return {"Version": "2012-10-17", "Statement": kept}


_REMAINING: Final = "s3:object-lock-remaining-retention-days"


def _statement(
    name: str, holders: Sequence[str], actions: Sequence[str], resources: Sequence[str]
) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": {"AWS": list(holders)},
        "Action": list(actions),
        "Resource": list(resources),
    }


def _denial(name: str, holders: Sequence[str], actions: Sequence[str], root: str) -> dict[str, Any]:
    return {**_statement(name, holders, actions, [root, f"{root}/*"]), "Effect": "Deny"}
