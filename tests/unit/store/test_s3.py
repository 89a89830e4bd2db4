"""The S3 store's words for what servers answer, against a server that answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vault.clock import SystemClock
from vault.errors import (
    ClockDisagrees,
    LockRefused,
    NotWriteOnce,
    ObjectMissing,
    StoreAddressInvalid,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnreachable,
    VaultError,
)
from vault.store.address import parse_address
from vault.store.opening import credential_loads
from vault.store.s3 import S3Store
from vault.store.s3_bucket import Bucket

CLOCK = SystemClock()
HOUR = timedelta(hours=1)


class Server(ThreadingHTTPServer):
    """Answers every request with one status, error code, date and body."""

    status = 200
    code = ""
    ahead = timedelta(0)
    body: bytes | None = None
    headers: dict[str, str] = {}  # noqa: RUF012  set anew by each test that needs them
    promised: int | None = None


class Handler(BaseHTTPRequestHandler):
    """Answers as the server says."""

    server: Server

    def answer(self) -> None:
        """Read the request away, then answer."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = self.server
        body = told.body
        if body is None:
            body = f"<Error><Code>{told.code}</Code><Message>m</Message></Error>".encode()
        self.send_response_only(told.status)
        self.send_header("Date", format_datetime(CLOCK.now() + told.ahead, usegmt=True))
        self.send_header("Content-Length", str(told.promised or len(body)))
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815  the base's own names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on loopback."""
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """A store on it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    url = f"s3://bucket/place?endpoint=http://127.0.0.1:{server.server_port}"
    return S3Store(Bucket(parse_address(url), None, CLOCK))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", StoreDenied),
        (403, "InvalidAccessKeyId", StoreDenied),
        (403, "SignatureDoesNotMatch", StoreDenied),
        (400, "ExpiredToken", StoreDenied),
        (403, "RequestTimeTooSkewed", ClockDisagrees),
        (404, "NoSuchBucket", StoreAddressInvalid),
        (301, "", StoreAddressInvalid),
        (400, "AuthorizationHeaderMalformed", StoreAddressInvalid),
        (404, "NoSuchKey", ObjectMissing),
        (404, "NoSuchVersion", ObjectMissing),
        (405, "MethodNotAllowed", ObjectMissing),
        (403, "QuotaExceeded", StoreFull),
        (507, "InsufficientStorage", StoreFull),
        (503, "SlowDown", StoreUnreachable),
        (500, "InternalError", StoreUnreachable),
        (502, "", StoreUnreachable),
        (400, "BadDigest", StoreUnreachable),
        (409, "SomethingNew", StoreError),
    ],
)
def test_answers_become_errors_with_a_way_out(
    server: Server, store: S3Store, status: int, code: str, expected: type[VaultError]
) -> None:
    server.status, server.code = status, code
    with pytest.raises(VaultError) as caught:
        store.get("a")
    assert type(caught.value) is expected
    assert caught.value.safe
    assert caught.value.hint or expected in (ObjectMissing, StoreError)
    assert code in caught.value.message


def test_a_put_without_lock_in_the_bucket_or_into_the_past_has_its_own_names(
    server: Server, store: S3Store
) -> None:
    server.status, server.code = 400, "InvalidRequest"
    with pytest.raises(NotWriteOnce):
        store.put("a", b"", CLOCK.now() + HOUR)
    server.code = "InvalidArgument"
    with pytest.raises(LockRefused):
        store.put("a", b"", CLOCK.now() - HOUR)
    with pytest.raises(StoreError):
        store.get("a")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-amz-version-id": "null"},
        {"x-amz-version-id": "v1"},
        {
            "x-amz-version-id": "v1",
            "x-amz-object-lock-mode": "GOVERNANCE",
            "x-amz-object-lock-retain-until-date": "2999-01-01T00:00:00Z",
        },
        {
            "x-amz-version-id": "v1",
            "x-amz-object-lock-mode": "COMPLIANCE",
            "x-amz-object-lock-retain-until-date": "2001-01-01T00:00:00Z",
        },
    ],
)
def test_a_lock_that_did_not_take_is_no_success(
    server: Server, store: S3Store, headers: dict[str, str]
) -> None:
    """Servers are known that ignore the lock and answer 200."""
    server.body, server.headers = b"", headers
    with pytest.raises(NotWriteOnce):
        store.put("a", b"", CLOCK.now() + HOUR)


def test_a_refusal_by_a_server_whose_clock_differs_names_the_clock(
    server: Server, store: S3Store
) -> None:
    """A HEAD is refused without a word; its date tells why."""
    server.status, server.ahead = 403, timedelta(hours=2)
    with pytest.raises(ClockDisagrees, match="store's clock"):
        store.now()
    server.ahead = timedelta(minutes=2)
    with pytest.raises(StoreDenied):
        store.now()


def test_the_time_is_the_servers(server: Server, store: S3Store) -> None:
    server.body, server.ahead = b"", timedelta(days=3)
    assert abs(store.now() - CLOCK.now() - timedelta(days=3)) < timedelta(seconds=3)


def test_a_body_that_breaks_off_is_no_short_read(server: Server, store: S3Store) -> None:
    server.body, server.promised = b"only half", 18
    with pytest.raises(StoreUnreachable):
        store.get("a")


def test_a_server_without_ranges_gives_the_range_all_the_same(
    server: Server, store: S3Store
) -> None:
    server.body = b"0123456789"
    assert store.get("a", 2, 3) == b"234"
    assert store.get("a", 8) == b"89"


def test_a_listing_that_does_not_advance_ends(server: Server, store: S3Store) -> None:
    """Its markers point to where it is already."""
    server.body = (
        b"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
        b"<NextVersionIdMarker>v</NextVersionIdMarker></ListVersionsResult>"
    )
    with pytest.raises(StoreUnreachable, match="advance"):
        list(store.list(""))


def test_a_bucket_that_is_not_there_is_a_wrong_address(server: Server, store: S3Store) -> None:
    server.status, server.code = 404, "NoSuchBucket"
    with pytest.raises(StoreAddressInvalid):
        store.now()
    with pytest.raises(StoreAddressInvalid):
        list(store.list(""))


def test_no_server_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    store = S3Store(Bucket(parse_address("s3://b?endpoint=http://127.0.0.1:9"), None, CLOCK))
    with pytest.raises(StoreUnreachable) as caught:
        store.now()
    assert caught.value.hint


def test_a_profile_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    bucket = Bucket(parse_address("s3://b?endpoint=http://127.0.0.1:9"), "purger", CLOCK)
    with pytest.raises(StoreDenied, match="purger"):
        S3Store(bucket).now()
    assert not credential_loads("purger")


def test_a_credential_that_this_process_can_load_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    path = f"{tmp_path}/credentials"
    with open(path, "w", encoding="utf-8") as file:
        file.write("[purger]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", path)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    assert credential_loads("purger")
    assert not credential_loads("collector")
