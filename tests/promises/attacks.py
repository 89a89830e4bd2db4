"""Every S3 verb that destroys, hides, weakens or reconfigures, each made ready to be tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError


@dataclass(frozen=True)
class Target:
    """The version that is attacked, and when it is."""

    bucket: str
    key: str
    version: str
    until: datetime
    now: datetime

    @property
    def place(self) -> dict[str, str]:
        """The key, whichever version."""
        return {"Bucket": self.bucket, "Key": self.key}

    @property
    def exactly(self) -> dict[str, str]:
        """The key and its version."""
        return {**self.place, "VersionId": self.version}


Attack = Callable[[Any, Target], object]


def attempt(attack: Attack, client: Any, target: Target) -> str:
    """Try; the error's code, or `done` where the server took it."""
    try:
        attack(client, target)
    except ParamValidationError:
        raise  # no request was made: nothing would be tested
    except ClientError as error:
        return str(error.response["Error"].get("Code"))
    except BotoCoreError as error:
        return type(error).__name__
    return "done"


def _batch(client: Any, target: Target, *, version: bool = True, **terms: Any) -> None:
    named = {"Key": target.key, **({"VersionId": target.version} if version else {})}
    answer = client.delete_objects(Bucket=target.bucket, Delete={"Objects": [named]}, **terms)
    if answer.get("Errors"):
        raise ClientError({"Error": answer["Errors"][0]}, "DeleteObjects")


def _multipart(client: Any, target: Target) -> None:
    upload = client.create_multipart_upload(**target.place)["UploadId"]
    part = client.upload_part(**target.place, UploadId=upload, PartNumber=1, Body=b"over")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    client.complete_multipart_upload(
        **target.place, UploadId=upload, MultipartUpload={"Parts": parts}
    )


def _aborted(client: Any, target: Target) -> None:
    upload = client.create_multipart_upload(**target.place)["UploadId"]
    client.abort_multipart_upload(**target.place, UploadId=upload)


def _retain(mode: str, days: float, **terms: Any) -> Attack:
    def attack(client: Any, target: Target) -> object:
        until = target.now + timedelta(days=days) if days else target.until
        retention = {"Mode": mode, "RetainUntilDate": until}
        return client.put_object_retention(**target.exactly, Retention=retention, **terms)

    return attack


def _policy(client: Any, target: Target) -> object:
    where = [f"arn:aws:s3:::{target.bucket}", f"arn:aws:s3:::{target.bucket}/*"]
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": where}
    document = {"Version": "2012-10-17", "Statement": [allowed]}
    text = json.dumps(document, separators=(",", ":"))
    return client.put_bucket_policy(Bucket=target.bucket, Policy=text)


def _lifecycle(client: Any, target: Target) -> object:
    rule = {
        "ID": "gone",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    return client.put_bucket_lifecycle_configuration(
        Bucket=target.bucket, LifecycleConfiguration={"Rules": [rule]}
    )


def _default_lock(client: Any, target: Target) -> object:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    return client.put_object_lock_configuration(
        Bucket=target.bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )


OBJECT: Final[dict[str, Attack]] = {
    "delete": lambda s3, at: s3.delete_object(**at.place),
    "delete the version": lambda s3, at: s3.delete_object(**at.exactly),
    "delete it with a bypass": lambda s3, at: s3.delete_object(
        **at.exactly, BypassGovernanceRetention=True
    ),
    "batch delete": lambda s3, at: _batch(s3, at, version=False),
    "batch delete the version": _batch,
    "batch delete it with a bypass": lambda s3, at: _batch(s3, at, BypassGovernanceRetention=True),
    "overwrite": lambda s3, at: s3.put_object(**at.place, Body=b"over"),
    "overwrite with nothing": lambda s3, at: s3.put_object(**at.place, Body=b""),
    "overwrite under GOVERNANCE": lambda s3, at: s3.put_object(
        **at.place,
        Body=b"over",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=at.now + timedelta(minutes=1),
    ),
    "copy it onto itself": lambda s3, at: s3.copy_object(
        **at.place, CopySource=at.exactly, MetadataDirective="REPLACE"
    ),
    "multipart over it": _multipart,
    "abort a multipart over it": _aborted,
    "shorten": _retain("COMPLIANCE", 1 / 24),
    "shorten with a bypass": _retain("COMPLIANCE", 1 / 24, BypassGovernanceRetention=True),
    "end the lock in the past": _retain("COMPLIANCE", -1),
    "downgrade to GOVERNANCE": _retain("GOVERNANCE", 0),
    "downgrade with a bypass": _retain("GOVERNANCE", 1 / 24, BypassGovernanceRetention=True),
    "remove the lock": lambda s3, at: s3.put_object_retention(**at.exactly, Retention={}),
    "remove it with a bypass": lambda s3, at: s3.put_object_retention(
        **at.exactly, Retention={}, BypassGovernanceRetention=True
    ),
    "legal hold off": lambda s3, at: s3.put_object_legal_hold(
        **at.exactly, LegalHold={"Status": "OFF"}
    ),
    "change the ACL": lambda s3, at: s3.put_object_acl(**at.exactly, ACL="private"),
    "open the ACL": lambda s3, at: s3.put_object_acl(**at.exactly, ACL="public-read-write"),
}

BUCKET: Final[dict[str, Attack]] = {
    "suspend versioning": lambda s3, at: s3.put_bucket_versioning(
        Bucket=at.bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "drop the lock configuration": lambda s3, at: s3.put_object_lock_configuration(
        Bucket=at.bucket, ObjectLockConfiguration={}
    ),
    "weaken the default lock": _default_lock,
    "set a lifecycle rule": _lifecycle,
    "drop lifecycle rules": lambda s3, at: s3.delete_bucket_lifecycle(Bucket=at.bucket),
    "set a bucket policy": _policy,
    "drop the bucket policy": lambda s3, at: s3.delete_bucket_policy(Bucket=at.bucket),
    "change the bucket's ACL": lambda s3, at: s3.put_bucket_acl(
        Bucket=at.bucket, ACL="public-read-write"
    ),
    "delete the bucket": lambda s3, at: s3.delete_bucket(Bucket=at.bucket),
}
