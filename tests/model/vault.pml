/*
 * The protocol of delete, undelete, hold, extend, purge and collect, for spin.
 *
 * A writer (the daemon and its operators, whom a volume's lock lets in one by one), a purger and a
 * collector share a store and a disk, and no memory. Each may be killed before any of its steps;
 * the purger's host has a clock that may tell anything. Events carry ids, and of two that were
 * written without knowledge of each other either may come first. Time is a small number.
 *
 * Bounds: one volume and DELETES deletes of it; OPS undeletes, holds and releases; quarantined data
 * destroyed once by somebody else; one snapshot from before, a final one for each delete, and a pack
 * that the final ones share; times 0 to END. Kills and rounds of every process are not bounded.
 * Not in it: contents, signatures, approvals, several hosts, records that are lost.
 *
 * A GUARD is a check of the code's without which a property fails; a CHECK is one that is made
 * besides. test_model.py takes the GUARDs away one by one. Who was killed begins anew in the same
 * step: to be down and to do nothing are one.
 */

#ifndef DELETES
#define DELETES 2
#endif
#ifndef END
#define END 3
#endif
#ifndef OPS
#define OPS 2
#endif
#define WINDOW 1    /* how long a delete can be undone */
#define FINAL 1     /* how long a final snapshot outlives its purge */
#define LOCK 1      /* the lock that everything is born with */
#define TOLERANCE 1 /* how far two clocks may be apart */
#define EVENTS 20   /* room in the journal; an assertion says that it is enough */

/* lifecycle.purge_plan: judge */
#define CHECK_STATE (p_state == TOMBSTONED || p_state == PURGING)
#define CHECK_CLOCKS (host <= T + TOLERANCE && T <= host + TOLERANCE)
#define CHECK_WINDOW_LOCAL (host >= since[t] + WINDOW)
#define GUARD_WINDOW_STORE (T >= since[t] + WINDOW)
#define GUARD_HOLD (!p_hold)
#define CHECK_FINAL (p_final && snapshot[t] && pack)
#define GUARD_FINAL_LOCK (until[t] >= T + FINAL && pack_until >= T + FINAL)
/* operations.purge: the records are looked at once more, after purge_started */
#define GUARD_NOTHING_NEW (count[t] == p_known)
/* operations.purge: data that are not there may have been undeleted, and deleted once more */
#define GUARD_NOT_UNDELETED (state[t] != RESTORED)
/* operations.hold: the records are looked at once more, after held */
#define GUARD_HELD_IN_TIME (state[t] == STORE_ONLY || (state[t] == TOMBSTONED && !started[t]))
/* adapters.directory: one rename, which fails where there is nothing to rename */
#define GUARD_RENAME (where == t)
/* lifecycle.retention: what is wanted; of the final snapshots each is the newest while it is open */
#define CHECK_FROZEN (c_volume == V_TOMBSTONED || c_volume == V_VANISHED || c_held)
#define GUARD_NEWEST (c_volume != V_REMOVED && s == newest)
#define GUARD_CLOSED (c_volume == V_REMOVED && s > 0 && c_now < c_closed + FINAL)
/* operations.collect: no plan is carried out that is as old as a lock can be */
#define GUARD_FRESH (T < c_now + LOCK)
/* repository.collector: what a snapshot needs that is wanted or locked */
#define GUARD_NEEDED (snapshot[s] && s > 0 && (wanted(s) || until[s] > c_now))
/* the store: what is locked is not deleted, and nothing is born with a lock that is over */
#define GUARD_LAPSED(lock) (lock <= T)
#define GUARD_BORN_LOCKED (needed > T)

/* table: generated */
#define ABSENT 0
#define REQUESTED 1
#define AWAITING_APPROVAL 2
#define DENIED 3
#define QUARANTINING 4
#define ABANDONED 5
#define TOMBSTONED 6
#define RESTORING 7
#define RESTORED 8
#define STORE_ONLY 9
#define PURGING 10
#define PURGED 11
#define E_DELETE_REQUESTED 0
#define E_DELETE_DENIED 1
#define E_APPROVAL_ASKED 2
#define E_QUARANTINE_STARTED 3
#define E_QUARANTINE_ABANDONED 4
#define E_APPROVAL_GIVEN 5
#define E_QUARANTINED 6
#define E_FINAL_SNAPSHOT 7
#define E_EARLY_PURGE_AGREED 8
#define E_HELD 9
#define E_RELEASED 10
#define E_UNDELETE_STARTED 11
#define E_PURGE_STARTED 12
#define E_FOUND_DESTROYED 13
#define E_UNDELETED 14
#define E_UNDELETE_ABANDONED 15
#define E_PURGED 16
#define V_ACTIVE 0
#define V_TOMBSTONED 1
#define V_PAUSED 2
#define V_VANISHED 3
#define V_REPLACED 4
#define V_REMOVED 5
inline advance(s, e) {
    moved = true;
    if
    :: s == ABSENT && e == E_DELETE_REQUESTED -> s = REQUESTED
    :: s == REQUESTED && e == E_DELETE_DENIED -> s = DENIED
    :: s == REQUESTED && e == E_APPROVAL_ASKED -> s = AWAITING_APPROVAL
    :: s == REQUESTED && e == E_QUARANTINE_STARTED -> s = QUARANTINING
    :: s == REQUESTED && e == E_QUARANTINE_ABANDONED -> s = ABANDONED
    :: s == AWAITING_APPROVAL && e == E_APPROVAL_GIVEN -> s = REQUESTED
    :: s == AWAITING_APPROVAL && e == E_DELETE_DENIED -> s = DENIED
    :: s == QUARANTINING && e == E_QUARANTINED -> s = TOMBSTONED
    :: s == QUARANTINING && e == E_QUARANTINE_ABANDONED -> s = ABANDONED
    :: s == TOMBSTONED && e == E_FINAL_SNAPSHOT -> s = TOMBSTONED
    :: s == TOMBSTONED && e == E_EARLY_PURGE_AGREED -> s = TOMBSTONED
    :: s == TOMBSTONED && e == E_HELD -> s = TOMBSTONED
    :: s == TOMBSTONED && e == E_RELEASED -> s = TOMBSTONED
    :: s == TOMBSTONED && e == E_UNDELETE_STARTED -> s = RESTORING
    :: s == TOMBSTONED && e == E_PURGE_STARTED -> s = PURGING
    :: s == TOMBSTONED && e == E_FOUND_DESTROYED -> s = STORE_ONLY
    :: s == RESTORING && e == E_UNDELETED -> s = RESTORED
    :: s == RESTORING && e == E_UNDELETE_ABANDONED -> s = TOMBSTONED
    :: s == RESTORING && e == E_PURGED -> s = PURGED
    :: s == RESTORING && e == E_FOUND_DESTROYED -> s = STORE_ONLY
    :: s == PURGING && e == E_PURGED -> s = PURGED
    :: s == PURGING && e == E_UNDELETE_STARTED -> s = RESTORING
    :: s == STORE_ONLY && e == E_HELD -> s = STORE_ONLY
    :: s == STORE_ONLY && e == E_RELEASED -> s = STORE_ONLY
    :: else -> moved = false
    fi
}
inline advance_volume(s, e) {
    moved = true;
    if
    :: s == V_ACTIVE && e == E_QUARANTINE_STARTED -> s = V_TOMBSTONED
    :: s == V_PAUSED && e == E_QUARANTINE_STARTED -> s = V_TOMBSTONED
    :: s == V_VANISHED && e == E_QUARANTINE_STARTED -> s = V_TOMBSTONED
    :: s == V_REPLACED && e == E_QUARANTINE_STARTED -> s = V_TOMBSTONED
    :: s == V_TOMBSTONED && e == E_QUARANTINE_ABANDONED -> s = V_ACTIVE
    :: s == V_TOMBSTONED && e == E_UNDELETED -> s = V_ACTIVE
    :: s == V_TOMBSTONED && e == E_PURGED -> s = V_REMOVED
    :: s == V_TOMBSTONED && e == E_FOUND_DESTROYED -> s = V_VANISHED
    :: else -> moved = false
    fi
}
/* table: end */

/* Where the data are: in place, in the quarantine of tombstone t (that is t), renamed by its purge,
   or nowhere. */
#define IN_PLACE 0
#define RENAMED(t) (DELETES + t)
#define NOWHERE 7
#define gone(t) (where != IN_PLACE && where != t && where != RENAMED(t))

#define NEVER 15
#define TOMBS (DELETES + 1) /* number 0 is none */

byte T;
byte where = IN_PLACE;
bool destroyed, calm;
byte ops = OPS;

/* The journal in the order of ids, and what it folds to. */
byte kind[EVENTS], whose[EVENTS], n;
byte state[TOMBS] = ABSENT;
bool hold[TOMBS], final[TOMBS], started[TOMBS], undeleted[TOMBS], purged[TOMBS];
byte count[TOMBS], last[TOMBS], since[TOMBS] = NEVER;
byte volume = V_ACTIVE, owner, closed = NEVER;

/* What is stored, and how long it is locked. Snapshot 0 is from before any delete. */
bool snapshot[TOMBS], pack;
byte until[TOMBS], pack_until;

bool told_held[TOMBS];   /* people were told that a hold is on it */
byte w_after, p_after;   /* behind which event the writer's, the purger's next one goes */
hidden byte i, at, moved;

#define is_open(t) (state[t] == QUARANTINING || state[t] == TOMBSTONED || \
    state[t] == RESTORING || state[t] == PURGING || state[t] == STORE_ONLY)
#define may_delete(t) (state[t] == ABSENT && (t == 1 || state[t - 1] != ABSENT))
#define unsettled(t) (state[t] == REQUESTED || state[t] == QUARANTINING)
#define restoring(t) (state[t] == RESTORING)
#define can_undo(t) (state[t] == TOMBSTONED || state[t] == RESTORING || state[t] == PURGING)
#define may_hold(t) (state[t] == TOMBSTONED || state[t] == STORE_ONLY)
#define may_release(t) (hold[t] && (may_hold(t) || state[t] == PURGING))
#define lacks_final(t) (state[t] == TOMBSTONED && !final[t] && where == t)
#define was_destroyed(t) (state[t] == TOMBSTONED && gone(t))
#define is_short(t) (snapshot[t] && (until[t] < T + LOCK || pack_until < T + LOCK))
#define lapsed(t) (snapshot[t] && until[t] <= T)
#define newest (snapshot[DELETES] -> DELETES : snapshot[1])

#if DELETES == 1
#define any(what) (what(1))
#define pick(what) t = 1
#else
#define any(what) (what(1) || what(2))
#define pick(what) if :: what(1) -> t = 1 :: what(2) -> t = 2 fi
#endif

/* lifecycle.tombstone: fold; lifecycle.volume: fold_volume */
inline fold() {
    i = 1;
    do
    :: i < TOMBS ->
        state[i] = ABSENT; hold[i] = false; final[i] = false; started[i] = false;
        count[i] = 0; last[i] = 0; i++
    :: else -> break
    od;
    volume = V_ACTIVE; owner = 0; i = 0;
    do
    :: i < n ->
        count[whose[i]]++; last[whose[i]] = i + 1;
        if :: kind[i] == E_PURGE_STARTED -> started[whose[i]] = true :: else fi;
        if
        :: (volume == V_TOMBSTONED || kind[i] == E_QUARANTINE_ABANDONED) && owner != whose[i]
        :: else -> advance_volume(volume, kind[i]);
            if :: kind[i] == E_QUARANTINE_STARTED && moved -> owner = whose[i] :: else fi
        fi;
        advance(state[whose[i]], kind[i]);
        moved = moved || state[whose[i]] == PURGING; /* there a hold stands, and can be released */
        if
        :: moved && kind[i] == E_HELD -> hold[whose[i]] = true
        :: moved && kind[i] == E_RELEASED -> hold[whose[i]] = false
        :: moved && kind[i] == E_FINAL_SNAPSHOT -> final[whose[i]] = true
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0; moved = false
}

/* operations.record: an event of tombstone t, somewhere behind a former one */
inline append(what, former) {
    at = n;
    do
    :: at > former -> at--
    :: break
    od;
    assert(n < EVENTS);
    d_step {
        i = n;
        do
        :: i > at -> kind[i] = kind[i - 1]; whose[i] = whose[i - 1]; i--
        :: else -> break
        od;
        kind[at] = what; whose[at] = t; n++;
        if :: at < w_after -> w_after++ :: else fi;
        if :: at < p_after -> p_after++ :: else fi;
        former = at + 1;
        if
        :: what == E_QUARANTINED && since[t] == NEVER -> since[t] = T
        :: what == E_UNDELETED -> undeleted[t] = true
        :: what == E_PURGED -> purged[t] = true; closed = (closed == NEVER -> T : closed)
        :: else
        fi;
        fold();
        at = 0;
        assert(!undeleted[t] || !purged[t])
    }
}

#define record(what) append(what, w_after)
#define sign(what) append(what, p_after)
#define refresh() w_after = n
#ifdef UNDISTURBED /* who would wait for ever is not saved by being killed */
#define killed atomic { false -> goto idle }
#else
#define killed atomic { !calm -> goto idle }
#endif

proctype Writer() {
    byte t, needed;
idle:
    atomic { t = 0; needed = 0; w_after = 0 }
end:
    do
    :: atomic { !calm && volume == V_ACTIVE && any(may_delete) -> /* delete */
            pick(may_delete); refresh(); record(E_DELETE_REQUESTED) }
        if :: atomic { record(E_QUARANTINE_STARTED) } :: killed fi;
        if
        :: atomic { where == IN_PLACE -> where = t }
        :: atomic { where != IN_PLACE -> goto idle }
        :: killed
        fi;
        if :: atomic { record(E_QUARANTINED); goto idle } :: killed fi

    :: atomic { any(unsettled) -> pick(unsettled); refresh() } /* a delete that was cut off */
        if
        :: atomic { state[t] == REQUESTED || where == IN_PLACE -> record(E_QUARANTINE_ABANDONED) }
        :: atomic { state[t] == QUARANTINING && where != IN_PLACE -> record(E_QUARANTINED) }
        :: killed
        fi;
        goto idle

    :: atomic { !calm && ops > 0 && any(can_undo) -> /* undelete */
            pick(can_undo); ops--; refresh(); record(E_UNDELETE_STARTED); goto back }

    :: atomic { any(restoring) -> pick(restoring); refresh() } /* an undelete that was cut off */
back:   if
        :: atomic { GUARD_RENAME -> where = IN_PLACE }
            if :: atomic { record(E_UNDELETED); goto idle } :: killed fi
        :: atomic { where == IN_PLACE -> record(E_UNDELETED); goto idle }
        :: atomic { where == t && !calm -> record(E_UNDELETE_ABANDONED); goto idle } /* place taken */
        :: atomic { gone(t) -> record(E_FOUND_DESTROYED); goto idle }
        :: atomic { where == RENAMED(t) -> goto idle }
        :: killed
        fi

    :: atomic { !calm && ops > 0 && any(may_hold) -> pick(may_hold); ops--; refresh() } /* hold */
        if :: atomic { record(E_HELD) } :: killed fi;
        if
        :: atomic { GUARD_HELD_IN_TIME -> told_held[t] = true; goto idle }
        :: atomic { else -> goto idle }
        :: killed
        fi

    :: atomic { (calm || ops > 0) && any(may_release) -> /* release */
            pick(may_release); if :: ops > 0 -> ops-- :: else fi;
            told_held[t] = false; refresh() }
        if :: atomic { record(E_RELEASED); goto idle } :: killed fi

    :: atomic { any(lacks_final) -> pick(lacks_final); needed = T + LOCK } /* finalize */
        if
        :: atomic { pack -> pack_until = (pack_until < needed -> needed : pack_until) }
        :: atomic { !pack -> pack = true; pack_until = needed }
        :: killed
        fi;
        if
        :: atomic { GUARD_BORN_LOCKED -> snapshot[t] = true; until[t] = needed; assert(pack) }
        :: atomic { needed <= T -> goto idle }
        :: killed
        fi;
        if
        :: atomic { state[t] == TOMBSTONED -> refresh(); record(E_FINAL_SNAPSHOT); goto idle }
        :: atomic { state[t] != TOMBSTONED -> goto idle }
        :: killed
        fi

    :: atomic { any(is_short) -> pick(is_short); needed = T + LOCK } /* extend */
        if
        :: atomic { pack && pack_until < needed -> pack_until = needed }
        :: atomic { !pack || pack_until >= needed }
        :: killed
        fi;
        if
        :: atomic { snapshot[t] && until[t] < needed -> until[t] = needed; goto idle }
        :: atomic { !snapshot[t] || until[t] >= needed -> goto idle }
        :: killed
        fi

    :: atomic { any(was_destroyed) -> /* watch */
            pick(was_destroyed); refresh(); record(E_FOUND_DESTROYED); goto idle }
    od
}

proctype Purger() {
    byte t, p_state, p_known, host;
    bool p_hold, p_final, p_started, p_locked;
idle:
    atomic {
        t = 0; p_state = 0; p_known = 0; host = 0; p_after = 0;
        p_hold = false; p_final = false; p_started = false; p_locked = false
    }
end:
    do
    :: atomic { any(can_undo) -> pick(can_undo);
            p_state = state[t]; p_hold = hold[t]; p_final = final[t];
            p_known = count[t]; p_after = last[t]; p_started = started[t] }
        if
        :: atomic { p_started && where == RENAMED(t) -> p_state = 0; p_known = 0; goto decide }
        :: atomic { p_state == PURGING && gone(t) -> p_state = 0; p_known = 0; goto decide }
        :: atomic { where == IN_PLACE -> goto idle }
        :: atomic { where == t || (gone(t) && p_state != PURGING) }
        :: killed
        fi;
        atomic {
            if
            :: calm -> host = T
            :: else -> do :: host <= END -> host++ :: break od
            fi;
            if
            :: CHECK_STATE && CHECK_CLOCKS && CHECK_WINDOW_LOCAL && GUARD_WINDOW_STORE &&
                GUARD_HOLD && CHECK_FINAL && GUARD_FINAL_LOCK ->
                p_locked = until[t] >= T + FINAL && pack_until >= T + FINAL;
                host = 0; p_hold = false; p_final = false; p_started = false
            :: else -> goto idle
            fi
        }
        if
        :: atomic { p_state != PURGING -> sign(E_PURGE_STARTED); p_known++; p_state = 0 }
        :: atomic { p_state == PURGING -> p_state = 0 }
        :: killed
        fi;
        if
        :: atomic { GUARD_NOTHING_NEW -> p_known = 0 }
        :: atomic { else -> goto idle }
        :: killed
        fi;
decide: if
        :: atomic { where == t ->
                assert(T >= since[t] + WINDOW);
                assert(!told_held[t]);
                assert(snapshot[t] && pack);
                assert(p_locked);
                where = RENAMED(t) }
        :: atomic { where == RENAMED(t) || gone(t) }
        :: atomic { where == IN_PLACE -> goto idle }
        :: killed
        fi;
        if
        :: atomic { where == RENAMED(t) -> where = NOWHERE }
        :: atomic { where != RENAMED(t) }
        :: killed
        fi;
        if
        :: atomic { GUARD_NOT_UNDELETED -> sign(E_PURGED); goto idle }
        :: atomic { !GUARD_NOT_UNDELETED -> goto idle }
        :: killed
        fi
    od
}

#define wanted(s) (CHECK_FROZEN || GUARD_NEWEST || GUARD_CLOSED)
#define mask(s) (1 << s)

#ifndef WITHOUT_COLLECTOR
proctype Collector() {
    byte s, c_volume, c_now, c_closed, doomed;
    bool c_held, c_pack;
idle:
    atomic { s = 0; c_volume = 0; c_now = 0; c_closed = 0; doomed = 0; c_held = false;
        c_pack = false }
end:
    do
    :: d_step { any(lapsed) || (pack && pack_until <= T) ->
            c_now = T; c_volume = volume; c_closed = closed; s = 1;
            do
            :: s < TOMBS -> c_held = c_held || (hold[s] && is_open(s)); s++
            :: else -> break
            od;
            s = 0 }
        atomic { c_pack = pack && pack_until <= c_now;
            do
            :: s < TOMBS ->
                if
                :: snapshot[s] && !wanted(s) && until[s] <= c_now -> doomed = doomed | mask(s)
                :: else
                fi;
                if :: GUARD_NEEDED -> c_pack = false :: else fi;
                s++
            :: else -> break
            od;
            s = 0; c_volume = 0; c_closed = 0; c_held = false }
        do
        :: atomic { doomed ->
                do :: !(doomed & mask(s)) -> s++ :: else -> break od;
                doomed = doomed & ~mask(s);
                if
                :: GUARD_FRESH && GUARD_LAPSED(until[s]) ->
                    /* its purge is on record and its time over, whatever is recorded late */
                    assert(!is_open(s) || purged[s]);
                    assert(!purged[s] || T >= closed + FINAL);
                    assert(s != newest || closed != NEVER);
                    snapshot[s] = false; until[s] = 0
                :: else
                fi;
                s = 0 }
        :: atomic { !doomed && c_pack ->
                if
                :: GUARD_FRESH && GUARD_LAPSED(pack_until) ->
                    pack = false; pack_until = 0; s = 1;
                    do :: s < TOMBS -> assert(!snapshot[s]); s++ :: else -> break od
                :: else
                fi;
                goto idle }
        :: atomic { !doomed && !c_pack -> goto idle }
        :: killed
        od
    od
}
#endif

/* Time passes; once somebody else destroys what is in quarantine; in the end all is calm. */
proctype World() {
end:
    do
    :: T < END -> T++
    :: d_step { !destroyed && where > 0 && where <= DELETES -> destroyed = true; where = NOWHERE }
#ifdef LIVENESS
    :: T == END && !calm -> calm = true
#endif
    od
}

init {
    atomic {
        snapshot[0] = true; until[0] = LOCK;
        run Writer(); run Purger(); run World();
#ifndef WITHOUT_COLLECTOR
        run Collector()
#endif
    }
}

#ifdef LIVENESS
/* Once all is calm, every tombstone comes to its end: what has lapsed and is not held is purged.
   A window that time itself ends in goes on. */
#define ended(t) (T < since[t] + WINDOW && state[t] == TOMBSTONED || state[t] != REQUESTED && state[t] != QUARANTINING && state[t] != TOMBSTONED \
    && state[t] != RESTORING && state[t] != PURGING)
ltl comes_to_an_end { [] (calm -> <> ended(1)) }
#endif
