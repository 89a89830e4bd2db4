"""Every service that apprise knows, by its URL: chat, mail, pagers, push."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from vault.errors import ExtraMissing, SettingsError
from vault.governance.notice import Notice, Topic

_GRAVE: Final = frozenset(
    (
        Topic.ATTESTATION_FAILED,
        Topic.IDENTITY_FROZEN,
        Topic.PANIC,
        Topic.QUARANTINE_LOST,
        Topic.VERIFICATION_FAILED,
        Topic.VOLUME_REPLACED,
        Topic.VOLUME_VANISHED,
    )
)


@dataclass(frozen=True, slots=True)
class Service:
    """One place that apprise sends to."""

    sender: Any

    def send(self, notice: Notice) -> str:
        """Send a notice; says what was amiss, nothing where it was taken."""
        taken = self.sender.notify(
            title=notice.title,
            body=f"{notice.text}\n{notice.id}",
            notify_type="failure" if notice.event in _GRAVE else "info",
            body_format="text",
        )
        return "" if taken else "the service did not take it"


def open_service(url: str) -> Service:
    """The service of a URL. Raises SettingsError, ExtraMissing."""
    try:
        apprise = import_module("apprise")
    except ModuleNotFoundError:
        raise ExtraMissing(
            "sending notices to services needs a library that is not installed",
            safe="Nothing was sent.",
            hint="Install it: pip install 'vault-softdelete[notify]'",
        ) from None
    asset = apprise.AppriseAsset(app_id="vault", async_mode=False, storage_mode="memory")
    sender = apprise.Apprise(asset=asset)
    if not sender.add(url):
        scheme = url.partition(":")[0]
        raise SettingsError(
            f"apprise knows no service by this {scheme}: URL",
            safe="Nothing was sent.",
            hint="See https://github.com/caronc/apprise; a webhook of your own needs a key_file.",
        )
    return Service(sender)
