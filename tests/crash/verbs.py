"""Every verb that changes something, in one table."""

from __future__ import annotations

from tests.crash.getting_back import Join, Rebuild, Restore, RestoreInPlace
from tests.crash.governing import AddEnvironment, Freeze
from tests.crash.keeping import Collect, Extend, Purge
from tests.crash.protecting import Delete, DeleteByKey, Hold, Init, Snapshot, Undelete
from tests.crash.verb import Verb

VERBS: tuple[type[Verb], ...] = (
    *(Init, Snapshot, Delete, DeleteByKey, Undelete, Hold, Purge, Extend, Collect),
    *(Restore, RestoreInPlace, Rebuild, Join, Freeze, AddEnvironment),
)
