"""What the daemon shows of itself on loopback: /metrics for Prometheus, /healthz for probes."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from vault.errors import SettingsError

if TYPE_CHECKING:
    from vault.operations.items import VolumeItem

_BUCKETS: Final = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0)


class Metrics:
    """The daemon's counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.duties = Counter(
            "vault_duties", "Duties done, by task and outcome.", ["task", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "vault_duty_seconds", "How long duties took.", ["task"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.notices = Counter(
            "vault_notices", "Notices offered to receivers, by outcome.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.ticked = Gauge(
            "vault_last_tick_timestamp_seconds", "When the daemon last asked what is due.",
            registry=self.registry,
        )  # fmt: skip
        self.snapshot = Gauge(
            "vault_volume_last_snapshot_timestamp_seconds", "When the newest snapshot was stored.",
            ["volume"], registry=self.registry,
        )  # fmt: skip
        self.state = Gauge(
            "vault_volume_state", "1 for the state that a volume is in.", ["volume", "state"],
            registry=self.registry,
        )  # fmt: skip

    def show(self, volumes: Iterable[VolumeItem]) -> None:
        """Take over how the volumes are now; those that are gone are no longer shown."""
        self.snapshot.clear()
        self.state.clear()
        for volume in volumes:
            self.state.labels(volume.name, volume.state).set(1)
            if volume.last_snapshot_at:
                self.snapshot.labels(volume.name).set(volume.last_snapshot_at.timestamp())


@contextmanager
def serving(address: str, metrics: Metrics, healthy: Callable[[], bool]) -> Iterator[int]:
    """Answer on `address` (`127.0.0.1:9178`; port 0 picks one) in a thread; yields the port.

    An empty address serves nothing. Raises SettingsError where it is not on loopback or is taken.
    """
    if not address:
        yield 0
        return
    host, port = _loopback(address)
    try:
        server = make_server(
            host, port, _application(metrics, healthy), _Server, handler_class=_Quiet
        )
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {address}: {error.strerror or error}",
            hint="Choose another address for the daemon's metrics.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _loopback(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        inside = ipaddress.ip_address(host).is_loopback
        number = int(port)
    except ValueError:
        inside, number = False, -1
    if not inside or not 0 <= number < 65536:
        raise SettingsError(
            f"“{address}” is not an address on loopback",
            hint="Write 127.0.0.1:PORT; put a proxy before it to serve others.",
        )
    return host, number


def _application(metrics: Metrics, healthy: Callable[[], bool]) -> Any:
    exposition = make_wsgi_app(metrics.registry)

    def application(environ: dict[str, Any], start: Any) -> Any:
        match environ["PATH_INFO"]:
            case "/metrics":
                return exposition(environ, start)
            case "/healthz":
                well = healthy()
                status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
                body = json.dumps({"ok": well})
            case _:
                status, body = HTTPStatus.NOT_FOUND, "{}"
        start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [body.encode("ascii")]

    return application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing: a probe every second is no news."""
