"""The bugs: where, what stands there, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bug:
    """One change to one file; `name` says what is wrong then."""

    name: str
    path: str
    right: str
    wrong: str


BUGS: Final = (
    Bug(
        "the window ends after half its length",
        "vault/lifecycle/purge_plan.py",
        "return None if since is None else since + _length(evidence)",
        "return None if since is None else since + _length(evidence) / 2",
    ),
    Bug(
        "a hold keeps nothing from being purged",
        "vault/lifecycle/purge_plan.py",
        "if tombstone.hold:",
        "if False and tombstone.hold:",
    ),
    Bug(
        "the purger does not look again after it has said that it begins",
        "vault/operations/purge.py",
        "if _spoken_for(unit, tombstone, (*events, started)):",
        "if False and _spoken_for(unit, tombstone, (*events, started)):",
    ),
    Bug(
        "nobody looks whether quarantined data moved after the final snapshot",
        "vault/operations/purge.py",
        "refusals = judge(evidence) + _moved(unit, tombstone, final)",
        "refusals = judge(evidence)",
    ),
    Bug(
        "of each period the first snapshot is kept, not the last",
        "vault/lifecycle/retention.py",
        "        if number in last:\n            continue\n",
        "",
    ),
    Bug(
        "the collector does not ask how a volume stands",
        "vault/operations/collect.py",
        "        _standings(unit, events),\n",
        "        {\n"
        "            volume: Standing(s.keep, '', s.closed_at)\n"
        "            for volume, s in _standings(unit, events).items()\n"
        "        },\n",
    ),
    Bug(
        "locks are extended only until an object would lapse today",
        "vault/operations/extend.py",
        "        needed=now + need,\n",
        "        needed=now,\n",
    ),
    Bug(
        "the snapshot object is put before its packs are locked",
        "vault/repository/locks.py",
        "            if not self._is_sure(head.digest, self._secure_pack):\n"
        "                return False\n",
        "",
    ),
    Bug(
        "a snapshot names none of the packs that it shares with former ones",
        "vault/repository/writer.py",
        "packs=tuple(sorted(head.digest.hex() for head in heads)),",
        "packs=tuple(\n"
        "                sorted(h.digest.hex() for h in heads if h.session == self._keys.session)\n"
        "            ),",
    ),
    Bug(
        "whatever version is on top is believed",
        "vault/repository/authentic.py",
        "    if content_digest(data) != digest_of(version.key):\n        return None\n",
        "",
    ),
    Bug(
        "undelete is said to be done when it has begun",
        "vault/operations/undelete.py",
        "        provider.undelete(place)\n",
        "        provider.whereabouts(place)\n",
    ),
    Bug(
        "data come back only once their final snapshot is stored",
        "vault/operations/undelete.py",
        "        if not tombstone.can_undo():\n",
        "        if not tombstone.can_undo() or not tombstone.snapshot:\n",
    ),
    Bug(
        "an undelete that a crash cut off stays half done",
        "vault/operations/undelete.py",
        '    if tombstone.state is not State.RESTORING:\n        return ""\n    with',
        '    if True or tombstone.state is not State.RESTORING:\n        return ""\n    with',
    ),
    Bug(
        "a tombstone that is being restored may be purged",
        "vault/lifecycle/purge_plan.py",
        "if tombstone.state not in (State.TOMBSTONED, State.PURGING):",
        "if tombstone.state not in (State.TOMBSTONED, State.PURGING, State.RESTORING):",
    ),
    Bug(
        "each boot counts for a day of time up",
        "vault/lifecycle/uptime.py",
        "return Uptime(self.total, now.boot, 0.0, now.seconds)",
        "return Uptime(self.total + 86400.0, now.boot, 0.0, now.seconds)",
    ),
    Bug(
        "a delete is acknowledged before it is in the store",
        "vault/operations/delete.py",
        "        _acknowledge(unit, place.tombstone, started)\n"
        "        return unit.catalog.tombstones.get(place.tombstone)\n",
        "        return unit.catalog.tombstones.get(place.tombstone)\n",
    ),
    Bug(
        "a volume that is gone is taken for one that was paused",
        "vault/operations/capture.py",
        "        elif found is None and volume.state is not VolumeState.VANISHED:",
        "        elif found is None and volume.state is VolumeState.PAUSED:",
    ),
    Bug(
        "an acknowledged loss is forgotten once the source is back",
        "vault/lifecycle/volume.py",
        '            return replace(volume, found="")\n',
        '            return replace(volume, found="", alarm="")\n',
    ),
    Bug(
        "purger and collector do not mind which clock is right",
        "vault/lifecycle/purge_plan.py",
        "    if apart > limits.CLOCK_TOLERANCE:",
        "    if apart > limits.CLOCK_TOLERANCE * 10_000:",
    ),
    Bug(
        "an owner that has gone silent still lets things go",
        "vault/lifecycle/retention.py",
        "    silent = now - owner_seen > limits.OWNER_SILENCE\n",
        "    silent = False\n",
    ),
    Bug(
        "the final snapshot of a purged volume ages like any other",
        "vault/lifecycle/retention.py",
        "if closed_at is not None and now < closed_at + final_lock:",
        "if closed_at is not None and now > closed_at + final_lock:",
    ),
    Bug(
        "a step is acknowledged while its entry still waits for the log",
        "vault/opened.py",
        "        yield self._writing\n        operations.audit.commit(self._writing)\n",
        "        yield self._writing\n",
    ),
    Bug(
        "what a crash kept out of the audit log is left out for ever",
        "vault/operations/record.py",
        "    for stored in untold:\n",
        "    for stored in untold[:0]:\n",
    ),
    Bug(
        "what the catalog knows is taken for entered",
        "vault/operations/record.py",
        "        enter_untold(unit, events, volume)\n",
        "        seen = {stored.key for stored in known}\n"
        "        enter_untold(unit, [s for s in events if s.key not in seen], volume)\n",
    ),
    Bug(
        "the purger keeps its entries to itself",
        "vault/operations/purge.py",
        "    if not dry_run:\n        commit(unit)\n",
        "",
    ),
    Bug(
        "the breaker refuses an excess and freezes nobody",
        "vault/operations/gate.py",
        "    if case.facts.over_budget and not case.facts.frozen:",
        "    if False and case.facts.over_budget:",
    ),
    Bug(
        "a volume's id is found from every environment",
        "vault/catalog/volumes.py",
        'find_id(self._connection, "vol", text, self._environment)',
        'find_id(self._connection, "vol", text, "")',
    ),
    Bug(
        "a volume's name is found in every environment",
        "vault/catalog/volumes.py",
        "WHERE name = ? AND ? IN ('', environment) ORDER BY id\", text, self._environment",
        'WHERE name = ? AND ? IN (\'\', environment) ORDER BY id", text, ""',
    ),
    Bug(
        "a tombstone's id is found from every environment",
        "vault/catalog/tombstones.py",
        'find_id(self._connection, "tomb", text, self._environment)',
        'find_id(self._connection, "tomb", text, "")',
    ),
)
