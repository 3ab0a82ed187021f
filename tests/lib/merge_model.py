# SPDX-License-Identifier: GPL-3.0-or-later
"""What a merge of two configurations must give, written before the code and slower: three dictionaries in, one out.

A configuration is {(kind, name): Thing}. Mine and theirs both began as `base`. What an object says (its content) and where it stands
among its kind (its place) are two things: one who moves a rule and one who edits it do not meet. All else that both touched and did
not make the same is a conflict of the object's name in base, or, of what both created, of that name."""

import collections
import itertools

Thing = collections.namedtuple("Thing", "content position uid")  # content: anything comparable; position: 0 where order means nothing


def renamed(base, side, identity):
    """What an object of base is called on a side, or None: the uid tells."""
    if identity in side:
        return identity
    found = [other for other, thing in side.items() if other not in base and other[0] == identity[0] and thing.uid == base[identity].uid]
    return found[0] if found else None


def three_way(base, mine, theirs):
    """(value, True if it is a conflict)"""
    if mine == base:
        return theirs, False
    return (mine, False) if theirs in (base, mine) else (theirs, True)


def merge_objects(base, mine, theirs):
    """The merged configuration but for the order, and the names in conflict."""
    merged, conflicts = {}, set()
    for identity in sorted(base.keys() | mine.keys() | theirs.keys()):
        b, m, t = (side.get(identity) for side in (base, mine, theirs))
        if b and not (m and t):
            here, there = renamed(base, mine, identity), renamed(base, theirs, identity)
            if m or t:  # gone on one side: the other must have left it alone
                if (m or t) != b:
                    conflicts.add(identity)
            elif here != there:  # renamed to one name, it is like something that both created
                conflicts.add(identity)
        elif b:
            content, wrong = three_way(b.content, m.content, t.content)
            position, moved = three_way(b.position, m.position, t.position)
            merged[identity] = Thing(content, position, b.uid)
            if wrong or moved:
                conflicts.add(identity)
        elif m and t:
            merged[identity] = t
            if (m.content, m.uid) != (t.content, t.uid):
                conflicts.add(identity)
        else:
            merged[identity] = m or t
    return merged, conflicts


def moved(base, side, kind):
    """What one side created or moved."""
    return {name for name in side if name[0] == kind and (name not in base or base[name].position != side[name].position)}


def precedes(side, x, y):
    return (side[x].position, x) < (side[y].position, y)


def wanted(base, mine, theirs, x, y):
    """Whether x, which I placed, goes before y, which they placed: who changed the order of the two decides; None: nobody knows both."""
    m, t, b = (precedes(side, x, y) if x in side and y in side else None for side in (mine, theirs, base))
    if m is None or t is None:
        return t if m is None else m
    return m if b is None or m != b else t


def placed(base, mine, theirs, merged, kind):
    """What I placed, what they placed (neither: both, and to the same), and what stayed, all of it in what is merged."""
    here, there = ({name for name in moved(base, side, kind) if name in merged and merged[name].position == side[name].position}
                   for side in (mine, theirs))
    agreed = {name for name in here | there if name in mine and name in theirs and mine[name].position == theirs[name].position}
    fixed = {name for name in merged if name[0] == kind} - here - there | agreed
    return here - agreed, there - agreed, fixed


def order_is_right(base, mine, theirs, merged, result, kind):
    """Whether `result` keeps what everybody wanted of the order; the reason why not, or None."""
    here, there, fixed = placed(base, mine, theirs, merged, kind)
    for x, y in itertools.product(here, there):
        want = wanted(base, mine, theirs, x, y)
        if want is not None and precedes(result, x, y) != want:
            return f"{x} and {y} are in the wrong order"
    for group, side in ((here | fixed, mine), (there | fixed, theirs)):
        known = [name for name in group if name in side]
        for x, y in itertools.combinations(known, 2):
            if precedes(result, x, y) != precedes(side, x, y):
                return f"{x} and {y} changed their order"
    return None


def order_is_possible(base, mine, theirs, merged, kind):
    """Whether what both want of the order goes together with each side's things staying together in each gap between what stayed."""
    here, there, fixed = placed(base, mine, theirs, merged, kind)

    def gap(side, name):
        return sum((merged[other].position, other) < (side[name].position, name) for other in fixed)

    forward, backward = set(), set()  # gaps in which mine must come first, and theirs
    for x, y in itertools.product(here, there):
        want = wanted(base, mine, theirs, x, y)
        at, there_at = gap(mine, x), gap(theirs, y)
        if want is None:
            continue
        if at == there_at:
            (forward if want else backward).add(at)
        elif (at < there_at) != want:
            return False
    return not forward & backward
