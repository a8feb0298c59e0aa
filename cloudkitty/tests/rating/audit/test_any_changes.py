# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to rules: the log says it all, and the past can be rated again by it."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from decimal import Decimal

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from cloudkitty import db, timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.db.changes import reading, writing
from cloudkitty.rating.hashmap import HashMap, rules
from cloudkitty.rating.hashmap.store import history
from cloudkitty.tests.rating.audit import operator
from cloudkitty.tests.rating.audit.operator import HOUR, Operator
from cloudkitty.tests.rating.clock import ticking
from cloudkitty.tests.rating.hashmap import reference
from cloudkitty.usage import ScopeUsage, Series

#: A period begins here.
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
P = 3600
numbers = st.integers(0, 23)
steps = st.lists(
    st.tuples(st.integers(0, 10_000), numbers, numbers, numbers, st.integers(1, 120)),
    min_size=15,
    max_size=40,
)
#: Everything that can be done, done: what chance does not come to is tried all the same.
EVERYTHING = [
    (operator.ACTIONS.index(name), *numbers_, 70)
    for name, *numbers_ in (
        ("make_service", 0, 0, 0),
        ("make_group", 0, 0, 0),
        ("make_field", 0, 0, 0),
        ("make_mapping", 4, 0, 1),  # of the service, from now on
        ("close_mapping", 0, 3, 0),
        ("delete_mapping", 0, 0, 0),
        ("make_mapping", 4, 1, 1),  # from two hours later on
        ("rewrite_mapping", 0, 1, 1),
        ("make_threshold", 1, 1, 1),
        ("change_threshold", 0, 2, 1),
        ("delete_threshold", 0, 0, 0),
        ("make_mapping", 1, 0, 1),  # of the field
        ("delete_group", 0, 0, 0),
        ("delete_field", 0, 0, 0),
        ("delete_service", 0, 0, 0),
    )
]
#: Metric, labels, quantity.
PROBES = [
    (metric, {"flavor": flavor, "size": size}, Decimal(qty))
    for metric in operator.SERVICES
    for flavor, size, qty in (("small", "1", 1), ("big", "2", 2), ("other", "0", 3))
]


def price(present, scope, begin):
    """Give the prices of the probes by the naive reference."""
    when = timeutils.naive_local(begin)
    return [
        reference.price(present, scope, when, metric, labels, qty, Decimal(0))
        for metric, labels, qty in PROBES
    ]


def rated(module, scope, begin):
    """Give the prices of the probes by the module as it is."""
    at = timeutils.to_epoch(begin)
    usage = ScopeUsage(
        scope,
        P,
        [at],
        [
            Series(
                metric,
                "u",
                ImmutableDict({}),
                ImmutableDict(labels),
                begins=[at],
                qtys=[qty],
                prices=[Decimal(0)],
            )
            for metric, labels, qty in PROBES
        ],
    )
    module.rate_usage(usage)
    return [series.prices[0] for series in usage.series]


def told():
    """Put together what is there by the entries of the log alone: kind -> id -> description."""
    there = {kind: {} for kind, _ in history._KINDS.values()}
    with db.session_for_read() as session:
        for entry in reading.history(session, list(there)):
            was = there[entry.kind].pop(entry.object_id, None)
            if (entry.before or {}).get("deleted"):  # of a row that nothing but the past sees
                assert was is None
                continue
            assert entry.before == was, entry
            if entry.after is not None:
                there[entry.kind][entry.object_id] = entry.after
    return there


def present():
    """Give the same from the tables."""
    found = {}
    with db.session_for_read() as session:
        for model, (kind, _) in history._KINDS.items():
            rows = history.describe(session, model, sa.true()).values()
            found[kind] = {
                id_: json.loads(json.dumps(what, default=writing._plain))
                for id_, what in rows
                if not what.get("deleted")
            }
    return found


done = Counter()


def test_the_log_says_it_all_and_the_past_comes_back(sqlite_database):
    @settings(
        max_examples=20,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @example(EVERYTHING)
    @given(steps)
    def check(whole):
        operator.clear()
        first = {}
        with ticking(START - HOUR) as clock:
            somebody = Operator(clock)
            for what, *given_numbers, minutes in whole:
                somebody.do(what, *given_numbers)
                # Nothing is done in the very moment that a period begins.
                until = clock.now + dt.timedelta(minutes=minutes, microseconds=1)
                begin = clock.now.replace(minute=0, second=0, microsecond=0) + HOUR
                while begin < until:
                    loaded = rules.load()
                    first[begin] = {scope: price(loaded, scope, begin) for scope in "ab"}
                    begin += HOUR
                clock.now = until
        done.update(somebody.done)
        assert told() == present()
        module = HashMap()
        module.begin_batch_then()
        for begin, by_scope in first.items():
            for scope, prices in by_scope.items():
                assert rated(module, scope, begin) == prices, (begin, scope)
        module.begin_batch()
        loaded = rules.load()
        for begin in first:
            assert rated(module, "a", begin) == price(loaded, "a", begin)

    check()
    assert set(operator.ACTIONS) <= set(done)
