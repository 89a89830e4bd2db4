"""URLs: which of them secrets may be sent to."""

from __future__ import annotations

import pytest

from vault.urls import is_confidential


@pytest.mark.parametrize(
    "url",
    [
        "https://vault.example.org",
        "https://10.0.0.1:9465/x?y=z",
        "http://127.0.0.1:9465",
        "http://localhost/",
        "http://LOCALHOST/",
        "http://[::1]:9465/x",
    ],
)
def test_nobody_on_the_way_reads_these(url: str) -> None:
    assert is_confidential(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vault",
        "https://",
        "https:///path",
        "http://vault.example.org",
        "http://10.0.0.1:9465",
        "http://0.0.0.0/",
        "http://127.0.0.1.example/",
        "http://127.0.0.1@vault.example.org/",
        "http://[::2]/",
        "http://[::1/",
        "ftp://127.0.0.1/",
        "unix:///run/vault.sock",
    ],
)
def test_somebody_may_read_these(url: str) -> None:
    assert not is_confidential(url)
