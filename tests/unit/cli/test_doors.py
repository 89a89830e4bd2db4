"""Where the doors for others may answer: a token does not travel in the clear."""

from __future__ import annotations

from collections.abc import Callable

import pytest

DAEMON = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("mcp", "--listen", "0.0.0.0:9466"), "loopback alone"),
        (("mcp", "--listen", "192.0.2.1:9466"), "loopback alone"),
        (("mcp", "--listen", "127.0.0.1"), "not host:port"),
        (("mcp", "--listen", "127.0.0.1:70000"), "not host:port"),
        (("api", "--listen", "0.0.0.0:9465"), "wants TLS"),
        (("api", "--listen", "[::]:9465"), "wants TLS"),
        (("api", "--listen", ":9465"), "wants TLS"),
        (("api", "--listen", "192.0.2.1:9465"), "wants TLS"),
        (("api", "--listen", "0.0.0.0:9465", "--tls-cert", "server.pem"), "wants TLS"),
        (("api", "--listen", "0.0.0.0:9465", "--tls-key", "server.key"), "wants TLS"),
        (("api", "--listen", "127.0.0.1"), "not host:port"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_a_place_where_tokens_would_be_read_is_refused(
    vault: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setenv("VAULTD_URL", DAEMON)
    assert vault(*words) == 2
    assert says in capsys.readouterr().err


def test_without_a_daemon_there_are_no_tools(
    vault: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VAULTD_URL", raising=False)
    assert vault("mcp") == 2
    assert "VAULTD_URL names no daemon" in capsys.readouterr().err
