"""Work that the product gives to threads, done at once: so a seed decides everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pkgutil import ModuleInfo, iter_modules
from types import ModuleType
from typing import Any, Final, Self, TypeVar

from vault import operations, repository

_Answer = TypeVar("_Answer")

_NAME: Final = "ThreadPoolExecutor"


class AtOnce:
    """Does what a ThreadPoolExecutor would do, in the thread that asks for it."""

    def __init__(self, *_words: object, **_named: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def submit(self, work: Callable[..., _Answer], *words: Any, **named: Any) -> Future[_Answer]:
        """See Executor; that a process died in it is not kept for later."""
        future: Future[_Answer] = Future()
        try:
            future.set_result(work(*words, **named))
        except Exception as error:  # noqa: BLE001 - the future carries it
            future.set_exception(error)
        return future

    def map(
        self, work: Callable[..., _Answer], *several: Iterable[Any], **_named: object
    ) -> Iterator[_Answer]:
        """See Executor."""
        return iter([work(*words) for words in zip(*several, strict=False)])

    def shutdown(self, *_words: object, **_named: object) -> None:
        """See Executor."""


def _below(package: ModuleType) -> Iterator[ModuleInfo]:
    return iter_modules(package.__path__, f"{package.__name__}.")


@contextmanager
def without_threads() -> Iterator[None]:
    """Give every module that works with threads this executor instead."""
    names = [found.name for package in (operations, repository) for found in _below(package)]
    modules = [import_module(name) for name in names]  # they load late, and must load before
    modules = [module for module in modules if hasattr(module, _NAME)]
    for module in modules:
        setattr(module, _NAME, AtOnce)
    try:
        yield
    finally:
        for module in modules:
            setattr(module, _NAME, ThreadPoolExecutor)
