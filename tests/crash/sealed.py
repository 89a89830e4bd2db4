"""A vault in a folder whose files are made immutable, as root's are by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from tests.crash.world import FileWorld, WorldClock, passing
from tests.promises.embedded import embed
from vault.store.durable import is_sealed, seal_file, unseal
from vault.store.names import named
from vault.store.opening import open_store


class SealedWorld(FileWorld):
    """See FileWorld; every file of the store carries the flag once something is stored."""

    @property
    def url(self) -> str:
        """The store's URL."""
        return f"file://{self.site.store}"

    def make(self) -> None:
        """See World."""
        self.site = embed(self.root, tree=False, immutable=True)

    def renew(self) -> None:
        """See World."""
        unseal_all(self.root)
        super().renew()

    def check(self, *, whole: bool = False) -> None:
        """See World; whatever is stored next gives back the flags that an accident kept off."""
        clock = WorldClock(self.time.offset)
        store = open_store(self.url, right="writer", clock=clock)
        data = str(self.number()).encode()
        key = named(f"canary/{self.number()}", data)
        store.put(key, data, clock.now() + timedelta(days=30))
        super().check(whole=whole)

    def check_tidy(self) -> None:
        """See World."""
        super().check_tidy()
        files = [path for path in self.site.store.rglob("*") if path.is_file()]
        assert len(files) > 10
        assert not [path for path in files if not is_sealed(path)]


@contextmanager
def sealed_world(root: Path) -> Iterator[SealedWorld]:
    """A world whose files can be removed afterwards, whatever happens."""
    with passing() as time:
        try:
            yield SealedWorld(time, embed(root, tree=False, immutable=True))
        finally:
            unseal_all(root)


def unseal_all(root: Path) -> None:
    """Let the files below be removed."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            unseal(path)


def can_seal(folder: Path) -> bool:
    """Whether this process and this file system know the flag."""
    probe = folder / "probe"
    probe.touch()
    try:
        return seal_file(probe)
    finally:
        unseal(probe)
        probe.unlink()
