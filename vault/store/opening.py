"""From a URL to a store with one right: the one place that knows schemes and stacks decorators."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Final, Literal, overload

from vault.clock import Clock
from vault.errors import ExtraMissing
from vault.store.address import Address, invalid, parse_address
from vault.store.contract import Reader, ReapingStore, RecordingStore, WholeStore, WritableStore
from vault.store.locks import LockTerms
from vault.store.retaining import Retaining
from vault.store.retrying import Retrying
from vault.store.rights import ReaderRight, ReaperRight, RecorderRight, WriterRight

Right = Literal["reader", "writer", "recorder", "reaper"]

_SCHEMES: Final = {"file": "vault.store.directory", "s3": "vault.store.s3"}
_RIGHTS: Final = {
    "reader": ReaderRight,
    "recorder": RecorderRight,
    "writer": WriterRight,
    "reaper": ReaperRight,
}
_DEFAULT_TERMS: Final = LockTerms()


@overload
def open_store(
    url: str, *, right: Literal["reader"], clock: Clock, profile: str | None = None
) -> Reader: ...
@overload
def open_store(
    url: str,
    *,
    right: Literal["writer"],
    clock: Clock,
    profile: str | None = None,
    terms: LockTerms = ...,
) -> WritableStore: ...
@overload
def open_store(
    url: str,
    *,
    right: Literal["recorder"],
    clock: Clock,
    profile: str | None = None,
    terms: LockTerms = ...,
) -> RecordingStore: ...
@overload
def open_store(
    url: str,
    *,
    right: Literal["reaper"],
    clock: Clock,
    profile: str | None = None,
    terms: LockTerms = ...,
) -> ReapingStore: ...
def open_store(
    url: str,
    *,
    right: Right,
    clock: Clock,
    profile: str | None = None,
    terms: LockTerms = _DEFAULT_TERMS,
) -> Reader:
    """Open a store with one right and nothing beyond it; no call is made yet.

    `profile` names the credentials, None takes those of the environment. Raises
    StoreAddressInvalid, ExtraMissing, StoreDenied (no such profile).
    """
    address = parse_address(url)
    whole: WholeStore = store_module(address).open_at(address, profile, clock)
    return compose_store(whole, right=right, clock=clock, terms=terms)


@overload
def compose_store(
    store: WholeStore, *, right: Literal["reader"], clock: Clock, terms: LockTerms = ...
) -> Reader: ...
@overload
def compose_store(
    store: WholeStore, *, right: Literal["writer"], clock: Clock, terms: LockTerms = ...
) -> WritableStore: ...
@overload
def compose_store(
    store: WholeStore, *, right: Literal["recorder"], clock: Clock, terms: LockTerms = ...
) -> RecordingStore: ...
@overload
def compose_store(
    store: WholeStore, *, right: Literal["reaper"], clock: Clock, terms: LockTerms = ...
) -> ReapingStore: ...
@overload
def compose_store(
    store: WholeStore, *, right: Right, clock: Clock, terms: LockTerms = ...
) -> Reader: ...
def compose_store(
    store: WholeStore, *, right: Right, clock: Clock, terms: LockTerms = _DEFAULT_TERMS
) -> Reader:
    """Stack the decorators on a store and deal out one right; tests put their own store in."""
    return _RIGHTS[right](Retaining(Retrying(store, clock), clock, terms))


def establish_store(
    url: str, *, clock: Clock, profile: str | None = None, create: bool = False
) -> None:
    """Make sure that a vault can be kept there; `create` makes what is missing.

    A bucket must have versioning and Object Lock: NotWriteOnce says what to do where it has not.
    A directory is created in any case, since nothing stands in its place.
    """
    address = parse_address(url)
    store_module(address).establish(address, profile, clock, create=create)


def store_module(address: Address) -> ModuleType:
    """The module behind a scheme, loaded when it is asked for: botocore alone takes 0.1 s."""
    return _load(address, "")


def probe_module(address: Address) -> ModuleType:
    """The module that tries a scheme's stores for attestation."""
    return _load(address, "_probe")


def credential_loads(profile: str) -> bool:
    """Whether this process can load the credential behind a profile; nothing is sent with it."""
    loads: bool = import_module("vault.store.s3_bucket").credential_loads(profile)
    return loads


def _load(address: Address, kind: str) -> ModuleType:
    name = _SCHEMES.get(address.scheme)
    if name is None:
        raise invalid(address.url, f"begins with none of {', '.join(f'{s}:' for s in _SCHEMES)}")
    try:
        return import_module(name + kind)
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"a store at {address.scheme}: needs {error.name}, which is not installed",
            safe="Nothing was touched.",
            hint=f"pip install {error.name}",
        ) from error
