"""URLs of stores: what is understood, and what is refused before anything is touched."""

from __future__ import annotations

import pytest

from vault.errors import StoreAddressInvalid
from vault.store.address import parse_address
from vault.store.opening import open_store
from vault.testing.clock import ManualClock


def test_a_url_is_taken_apart() -> None:
    address = parse_address("s3://bucket/some/place?endpoint=http://h:1&region=eu")
    assert (address.scheme, address.place, address.path) == ("s3", "bucket", "some/place")
    assert dict(address.options) == {"endpoint": "http://h:1", "region": "eu"}


def test_escapes_are_read() -> None:
    assert parse_address("file:///a%20b/c").path == "a b/c"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/just/a/path",
        "ftp://host/place",
        "file://host/place",
        "file:///",
        "file:///place?immutable=perhaps",
        "file:///place?colour=red",
        "s3://",
        "s3:///prefix",
        "s3://bucket/../other",
        "s3://bucket?wrong",
        "s3://bucket#part",
        "s3://bucket?ca=/there/is/none.pem",
    ],
)
def test_what_cannot_be_used_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(StoreAddressInvalid) as caught:
        open_store(url, right="reader", clock=ManualClock())
    assert caught.value.hint
    assert caught.value.safe


def test_an_unknown_scheme_is_told_the_known_ones() -> None:
    with pytest.raises(StoreAddressInvalid, match="file:, s3:"):
        open_store("gs://bucket", right="reader", clock=ManualClock())


def test_a_secret_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(StoreAddressInvalid) as caught:
        parse_address("s3://AKIAKEY:geheim@bucket/place")
    assert "geheim" not in caught.value.message
    assert "AKIAKEY" not in caught.value.message


def test_a_directory_takes_no_credential() -> None:
    with pytest.raises(StoreAddressInvalid, match="profile"):
        open_store("file:///place", right="reader", clock=ManualClock(), profile="writer")


def test_an_endpoint_that_is_none_is_refused_at_the_first_call() -> None:
    store = open_store("s3://bucket?endpoint=nonsense", right="reader", clock=ManualClock())
    with pytest.raises(StoreAddressInvalid):
        store.now()
