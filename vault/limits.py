"""Every bound of the product, with its unit and its reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20

# --- delete: how long a mistake can be undone ----------------------------------------------------

PROTECTED_WINDOW_FLOOR: Final = timedelta(hours=48)
"""The shortest window of a protected environment; no setting goes below it."""

FINAL_LOCK_AFTER_PURGE: Final = timedelta(days=30)
"""How long the final snapshot stays locked, at least, after its volume was purged."""

KEY_LIFE: Final = timedelta(days=7)
"""So long, by this home's uptime, a delete that is sent again under its idempotency key is known:
longer than a queue goes on trying over a long weekend."""

KEYS_KEPT: Final = 10_000
"""Keys of one caller that are remembered; the first go first."""

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far host and store time may differ before purging and collecting stop."""

# --- store: locks --------------------------------------------------------------------------------

MIN_LOCK: Final = timedelta(days=30)
"""The lock that every object is born with, at least."""

MAX_LOCK: Final = timedelta(days=400)
"""The ceiling of any lock: a typo must not run up a bill that nobody can stop."""

RECORD_LOCK: Final = timedelta(days=365)
"""The lock of small signed records: charters, keys, events."""

EXTEND_MARGIN: Final = timedelta(days=3)
"""How long before a lock gets too short it is extended: time enough for an outage to end."""

EPOCH: Final = timedelta(days=10)
"""Locks end on whole epochs (counted from 1970), so that a pack is extended about once an epoch."""

PLAN_LIFE: Final = timedelta(hours=1)
"""How long a plan of what to collect is good: far shorter than any lock that may come meanwhile."""

OWNER_SILENCE: Final = timedelta(days=14)
"""With no signed record by a chartered writer for so long, nothing is collected."""

MAX_RECORD: Final = 64 * MIB
"""The largest signed record that is read whole."""

# --- repository: sizes in bytes ------------------------------------------------------------------

CHUNK_MIN: Final = 256 * KIB
CHUNK_AVERAGE: Final = 1 * MIB
CHUNK_MAX: Final = 4 * MIB
PACK_TARGET: Final = 16 * MIB
"""A pack is closed when it has reached this size."""

BYTES_IN_FLIGHT: Final = 48 * MIB
"""What the pipeline holds between the source and the store, at most: three packs."""

READ_BLOCK: Final = 1 * MIB
"""One read of a large file; a file up to this size is read at once."""

PAGE_ENTRIES: Final = 512
"""Entries of a manifest page on average; pages are cut by the hash of a path."""

PAGE_ENTRIES_MAX: Final = 4096
PAGE_BYTES_MAX: Final = 4 * MIB

CHANGE_RETRIES: Final = 3
"""How often a file that changes while it is read is read anew."""

CTIME_MARGIN: Final = timedelta(seconds=2)
"""A file whose ctime is this near the scan's start counts as changed."""

# --- source: walking and writing trees -----------------------------------------------------------

OPEN_DIRECTORIES: Final = 64
"""How many directories of one path are held open; deeper ones are found again by `..`."""

NAMES_IN_MEMORY: Final = 250_000
"""Names of one directory sorted in memory; more are sorted in files."""

LINKS_IN_MEMORY: Final = 100_000
"""Inodes with several names remembered in memory; more move to a file."""

SEGMENTS_MAX: Final = 65_536
"""Data segments of one sparse file; beyond, its smallest holes are stored as zeros."""

LOST_PATH_MAX: Final = 8 * KIB
"""Folders whose entries are lost are made anew above paths of so many bytes: twice what Linux takes
in one piece. A hostile path could ask for millions of them."""

FINDINGS_MAX: Final = 10_000
"""Findings of one kind listed one by one; the rest are counted."""

TIMESTAMP_TICK: Final = timedelta(milliseconds=20)
"""How coarse a file system's ctime may be: within it two changes can look like one."""

# --- store: calls --------------------------------------------------------------------------------

STORE_CALL_RETRIES: Final = 5
STORE_TIMEOUT_SECONDS: Final = 60.0
LIST_PAGE: Final = 1000
"""Versions asked for in one listing call."""

LOOK_INTERVAL: Final = timedelta(minutes=5)
"""How often the daemon looks whether a volume still stands where it was."""

RETRY_INTERVAL: Final = timedelta(minutes=5)
"""How long a duty that failed waits before it is tried again."""

JITTER_MAX: Final = timedelta(minutes=5)
"""How far a scheduled capture is moved, at most, so that hosts do not all begin at once."""

CATALOG_WAIT_SECONDS: Final = 10.0
"""How long a process waits for another one's catalog transaction."""

# --- notices -------------------------------------------------------------------------------------

PURGE_NOTICE: Final = timedelta(hours=12)
"""How long before a window ends people are told: a night, so that a morning is left."""

NOTICE_LIFE: Final = timedelta(days=7)
"""How long a notice is offered to a receiver that does not take it: longer than a long weekend."""

NOTICE_BEGIN: Final = timedelta(days=1)
"""How far back a receiver that is new here is told."""

NOTICE_SECONDS: Final = 10.0
"""How long a round waits for all receivers together."""

NOTICE_BATCH: Final = 20
"""Notices that one receiver is offered in one round."""

NOTICE_PAGE: Final = 500
"""Entries of the audit log that one round looks through for one receiver."""

NOTICE_RETRY: Final = timedelta(seconds=30)
NOTICE_RETRY_LONGEST: Final = timedelta(hours=1)
"""After a failure the next attempt waits, each time twice as long, up to this."""

# --- volumes: signs of an attack -----------------------------------------------------------------

ATTACK_SPAN: Final = timedelta(days=1)
"""What happens within a day is judged together: what encrypts a volume takes minutes to hours."""

ATTACK_LEAST: Final = 16 * MIB
"""Less than that replaced in a day is no attack on a volume, whatever its share."""

ATTACK_KNOWN: Final = timedelta(days=7)
"""Younger volumes have no habits yet; nothing of them can lapse either, for MIN_LOCK."""

ATTACK_SNAPSHOTS: Final = 5
"""As many snapshots have to say what is usual, at least."""

ATTACK_HABIT_DAYS: Final = 30
"""The days that say so: all their snapshots are still there, by MIN_LOCK."""

ATTACK_SHARE: Final = 0.5
"""The share of the contents that has to be gone in a day: most of them is no day's work."""

ATTACK_FACTOR: Final = 4.0
"""How many times the usual share that has to be: work varies, by two or three."""

ATTACK_OPAQUE_SHARE: Final = 0.1
"""The share that suffices where what came instead does not shrink, and what was there did."""

ATTACK_OPAQUE: Final = 0.95
"""What new contents shrink to where they are encrypted; zstd takes a few per cent off any others
but media and archives."""

ATTACK_CLEAR: Final = 0.8
"""What a volume's contents usually shrink to, at most, where that tells encrypted ones apart."""

# --- governance: budgets -------------------------------------------------------------------------

BUDGET_SPAN: Final = timedelta(minutes=10)
"""Budgets count what was done in so much of this home's time: long enough for a person to look."""

AGENT_DELETES: Final = 10
"""Destructive requests of one agent or service in that span."""

AGENT_VOLUMES: Final = 5
"""Distinct volumes among them: work is on a few, an accident is on all."""

AGENT_BYTES: Final = 1 << 40
"""Bytes that one agent may set aside in that span."""

HUMAN_DELETES: Final = 60
"""Destructive requests of one person in that span; a uid is anybody's who runs under it."""

ENVIRONMENT_DELETES: Final = 120
"""Those of all identities of one environment together."""

BUDGETS_LOOKED_AT: Final = 2_000
"""So many requests of a span are counted; a budget that is set higher is none."""

HABITS_LOOKED_AT: Final = 200
"""An identity's last requests, which say what is usual for it."""

APPROVAL_LIFE: Final = timedelta(hours=24)
"""How long what waits for people can be agreed to, and then be done."""

# --- governance: tasks elsewhere -----------------------------------------------------------------

TRACKER_TIMEOUT: Final = timedelta(seconds=5)
TRACKER_LONGEST: Final = timedelta(seconds=30)
"""How long a tracker may take by default, and at most: a delete waits for it."""

TRACKER_ANSWER: Final = 16 * KIB
"""The bytes of its answer, at most: a task is a few lines."""

# --- governance: tokens --------------------------------------------------------------------------

AGENT_TOKEN_LIFE: Final = timedelta(hours=1)
AGENT_TOKEN_LONGEST: Final = timedelta(hours=24)
"""An agent's token lives for a task, at most for a day: one that is found later opens nothing."""

HUMAN_TOKEN_LIFE: Final = timedelta(hours=12)
HUMAN_TOKEN_LONGEST: Final = timedelta(days=7)
"""A person's lives for a day's work."""

SERVICE_TOKEN_LIFE: Final = timedelta(days=30)
SERVICE_TOKEN_LONGEST: Final = timedelta(days=90)
"""A service's is renewed by whoever deploys it; it may protect and undo, and no more."""

GRANT_LIFE: Final = timedelta(hours=1)
GRANT_LONGEST: Final = timedelta(hours=24)
"""A grant is for what is done now; what is done tomorrow is asked for tomorrow."""
