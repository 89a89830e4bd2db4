"""What systemd is told over the socket in NOTIFY_SOCKET; elsewhere nothing happens.

See sd_notify(3): one datagram of `KEY=value` lines.
"""

from __future__ import annotations

import os
import socket


class Notifier:
    """Tells the service manager how the process is. Never raises."""

    def __init__(self, address: str = "", watchdog_seconds: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds

    def ready(self) -> None:
        """The process has started and works."""
        self._send("READY=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The process has begun to stop."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.sendto(message.encode("utf-8"), self._address)
            except OSError:
                return  # a manager that does not listen must not stop what protects


def from_environment() -> Notifier:
    """The notifier that the service manager asked for, or a mute one."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    seconds = int(microseconds) / 1e6 if microseconds.isdigit() and mine else 0.0
    return Notifier(os.environ.get("NOTIFY_SOCKET", ""), seconds)
