"""What the daemon shows of itself."""

from __future__ import annotations

import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from vault.daemon.metrics import Metrics, serving
from vault.errors import SettingsError


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_and_health_are_served() -> None:
    """Numbers for Prometheus, one word for a probe, nothing else."""
    metrics, well = Metrics(), [True]
    metrics.duties.labels("capture", "done").inc()
    photos = SimpleNamespace(name="photos", state="active", last_snapshot_at=None)
    metrics.show([photos])  # type: ignore[list-item]
    with serving("127.0.0.1:0", metrics, lambda: well[0]) as port:
        status, text = _get(port, "/metrics")
        assert status == 200
        assert 'vault_duties_total{outcome="done",task="capture"} 1.0' in text
        assert 'vault_volume_state{state="active",volume="photos"} 1.0' in text
        assert _get(port, "/healthz") == (200, '{"ok": true}')
        well[0] = False
        assert _get(port, "/healthz") == (503, '{"ok": false}')
        assert _get(port, "/other")[0] == 404


@pytest.mark.parametrize("address", ["0.0.0.0:9178", "10.0.0.1:1", "example.org:80", "127.0.0.1:x"])
def test_only_loopback_is_served(address: str) -> None:
    """Nobody outside of this host is told anything."""
    with pytest.raises(SettingsError, match="loopback"), serving(address, Metrics(), lambda: True):
        pytest.fail("served")


def test_a_taken_port_is_a_clear_error() -> None:
    """The address is named, with what to do."""
    with (
        serving("127.0.0.1:0", Metrics(), lambda: True) as port,
        pytest.raises(SettingsError, match=f"Cannot listen on 127.0.0.1:{port}"),
        serving(f"127.0.0.1:{port}", Metrics(), lambda: True),
    ):
        pytest.fail("served twice")
