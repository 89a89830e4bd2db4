"""A store's URL, taken apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from vault.errors import StoreAddressInvalid


class Address(msgspec.Struct, frozen=True):
    """`scheme://place/path?options`; `path` has no leading slash and no escapes."""

    url: str
    scheme: str
    place: str
    path: str
    options: Mapping[str, str]

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Raise StoreAddressInvalid where an option has another name than these."""
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise invalid(
                self.url,
                f"has an unknown option “{unknown[0]}”",
                hint=f"Options of {self.scheme}: are {', '.join(sorted(known))}.",
            )


def parse_address(url: str) -> Address:
    """Take a URL apart. Raises StoreAddressInvalid (also where a secret stands in it)."""
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise invalid(url, "is not a URL") from None
    if "@" in parts.netloc:
        raise invalid(
            url.replace(parts.netloc.rpartition("@")[0], "…"),
            "holds a credential",
            hint="Name a credential profile in vault.toml; no secret belongs in a URL.",
        )
    if parts.fragment:
        raise invalid(url, "has a fragment (#…)")
    path = unquote(parts.path).lstrip("/")
    return Address(url, parts.scheme, parts.netloc, path, dict(options))


def invalid(url: str, why: str, *, hint: str = "") -> StoreAddressInvalid:
    """The error for a URL that cannot be used."""
    return StoreAddressInvalid(
        f"the store's address {url} {why}",
        safe="Nothing was touched.",
        hint=hint or "Write file:///path or s3://bucket/prefix?endpoint=https://host&region=name.",
    )
