"""Names that this adapter gives to what it makes on disk. They are part of its format."""

from __future__ import annotations

from typing import Final

TRASH: Final = b".vault-trash"
"""The folder of the quarantined: beside the volume, or inside where that is a mount point."""

# Inside `<trash>/<tombstone>/`. Each step from one name to the next is one atomic rename.
INCOMING: Final = b"incoming"  # children of a mount point on their way into quarantine
DATA: Final = b"data"  # quarantined: a directory, whole
CHILDREN: Final = b"children"  # quarantined: what a mount point held, whole
RETURNING: Final = b"returning"  # undelete has won: children on their way back
PURGING: Final = b"purging"  # purge has won: being destroyed
PURGED: Final = b"purged"  # empty; tells a purged mount point from one in place

PART: Final = b".vault-part-%d-%d"
"""A file being restored in place, until it is renamed: process, counter; see `parts`."""

DISPLACED: Final = b".vault-displaced-%d"
"""Appended to the name of what was in the way of a restore in place."""

DEEP: Final = b".vault-deep-%d"
"""A directory lifted out of the depth while a tree is destroyed."""
