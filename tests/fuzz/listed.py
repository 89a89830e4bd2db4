"""What an S3 server answers, as it comes over the wire: listings of versions, and locks."""

from __future__ import annotations

import io
from functools import cache
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec
from botocore.awsrequest import AWSResponse
from botocore.session import Session

from tests.fuzz.texts import in_file
from vault.clock import format_time
from vault.repository.authentic import Tampering, list_keys
from vault.store.address import parse_address
from vault.store.contract import Lock, LockMode, ObjectVersion
from vault.store.s3 import S3Store
from vault.store.s3_bucket import Bucket
from vault.testing.clock import START, ManualClock

_KEY: Final = "events/vol_1/evt_2-" + "0" * 64
_PREFIX: Final = "main/"


class _Raw(io.BytesIO):
    """A body as urllib3 would give it."""

    def stream(self) -> Any:
        """All of it."""
        yield self.read()


class _Server:
    """A store whose server answers every call with the same status, headers and body."""

    def __init__(self) -> None:
        self.headers: Any = {}
        self.body = b""
        clock = ManualClock()
        bucket = Bucket(parse_address(f"s3://bucket/{_PREFIX}?endpoint=http://h"), None, clock)
        session = Session()
        session.set_credentials("key", "secret")
        bucket._client = session.create_client("s3", "here", endpoint_url="http://127.0.0.1:1")
        bucket._client.meta.events.register("before-send.s3", self._answer)
        self.store = S3Store(bucket)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, self.headers, _Raw(self.body))


@cache
def _server() -> _Server:
    return _Server()


def run_listing(body: bytes) -> list[ObjectVersion]:
    """A page of versions and markers; a page that goes on is given again and again."""
    server = _server()
    server.headers, server.body = {}, body
    found = list(server.store.list("events/"))
    for version in found:
        assert version.key.startswith("events/")
        assert version.version
        assert version.size >= 0
        assert msgspec.json.decode(msgspec.json.encode(version), type=ObjectVersion) == version
        format_time(version.modified)
    notes: list[Tampering] = []
    assert sum(len(each.oldest) for each in list_keys(server.store, "events/", notes)) <= len(found)
    return found


def run_lock(parts: Any) -> Lock:
    """The lock in the headers of a HEAD: [mode, until]."""
    server = _server()
    names = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")
    values = parts if isinstance(parts, list) else []
    server.headers = {
        name: in_file(value)
        for name, value in zip(names, values, strict=False)
        if isinstance(value, str)
    }
    server.body = b""
    held = server.store.retention(_KEY)
    assert held.until is None or format_time(held.until)
    return held


def listing_text(found: list[ObjectVersion]) -> bytes:
    """The XML of a listing."""
    return _page("".join(map(_entry, found)))


def _entry(found: ObjectVersion) -> str:
    kind = "DeleteMarker" if found.marker else "Version"
    fields = {
        "Key": escape(_PREFIX + found.key),
        "VersionId": escape(found.version),
        "IsLatest": "true" if found.latest else "false",
        "LastModified": found.modified.isoformat(),
        **({} if found.marker else {"Size": str(found.size)}),
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f"<{kind}>{inner}</{kind}>"


def _page(entries: str, more: str = "<IsTruncated>false</IsTruncated>") -> bytes:
    kind = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    text = f"<ListVersionsResult {kind}><Name>bucket</Name>{more}{entries}</ListVersionsResult>"
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def pages() -> list[bytes]:
    """One with everything, and one without anything."""
    versions = [
        ObjectVersion(_KEY, "second", 0, START, marker=True),
        ObjectVersion(_KEY, "first", 120, START, latest=False),
        ObjectVersion(_KEY + "1", "null", 7, START),
    ]
    return [listing_text(versions), listing_text([])]


def _locks() -> list[Any]:
    return [["COMPLIANCE", "2026-12-01T00:00:00Z"], [str(LockMode.GOVERNANCE), "2026-12-01"], []]


TARGETS: Final = (
    ("listing", pages, run_listing, listing_text),
    ("lock's headers", _locks, run_lock),
)
