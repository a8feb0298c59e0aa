# SPDX-License-Identifier: Apache-2.0
"""Documents for property tests: any rules that the API would make."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import strategies as st

from cloudkitty.rating.document import model

# What databases can hold, with what is special to YAML.
_TEXT = st.text(
    st.one_of(
        st.sampled_from("ab: #'\"{}[]|>-\n\t\\~!&*%@0e.,?"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
    ),
    min_size=1,
    max_size=8,
)
NAMES = st.one_of(
    st.sampled_from(["compute", "volume.size", "yes", "null", "1.0", "#", "é"]), _TEXT
)
_FIRST, _LAST = (dt.datetime(year, 1, 1) for year in (2001, 2090))  # noqa: DTZ001 - as rules have
_WHEN = st.datetimes(_FIRST, _LAST).map(lambda when: when.replace(microsecond=0))
_NUMBERS = st.decimals(-999999, 999999, places=8).map(lambda number: number + Decimal(0))


@st.composite
def windows(draw):
    """(start, end); one begins when the one before ends."""
    bounds = sorted(draw(st.sets(_WHEN, min_size=1, max_size=4)))
    ends = [*bounds[1:], draw(st.sampled_from([None, bounds[-1] + dt.timedelta(days=1)]))]
    return list(zip(bounds, ends, strict=True))


@st.composite
def documents(draw):
    """A document in which nothing is in the way of anything."""
    groups = draw(st.lists(NAMES, unique=True, max_size=2))
    services = draw(st.lists(NAMES, unique=True, max_size=3))
    fields, mappings, thresholds = [], [], []
    names = draw(st.sets(_TEXT, max_size=3))
    for service in services:
        own = draw(st.lists(NAMES, unique=True, max_size=2))
        fields += [(service, name) for name in own]
        for field in (None, *own):
            common = {"service": service, "field": field}
            places = st.tuples(
                st.sampled_from([None, *groups]),
                st.sampled_from([None, "a", "1", "true"]),
                st.none() if field is None else NAMES,
            )
            for group, tenant, value in sorted(draw(st.sets(places, max_size=2)), key=repr):
                common |= {"group": group, "tenant": tenant}
                mappings += [
                    model.Mapping(
                        **common,
                        value=value,
                        type=draw(st.sampled_from(["flat", "rate"])),
                        cost=draw(_NUMBERS),
                        start=start,
                        end=end,
                        name=names.pop() if names and draw(st.booleans()) else None,
                        description=draw(st.none() | _TEXT),
                    )
                    for start, end in draw(windows())
                ]
            thresholds += [
                model.Threshold(
                    service=service,
                    field=field,
                    level=level,
                    group=draw(st.sampled_from([None, *groups])),
                    tenant=draw(st.sampled_from([None, "a"])),
                    type=draw(st.sampled_from(["flat", "rate"])),
                    cost=draw(_NUMBERS),
                )
                for level in sorted(draw(st.sets(_NUMBERS, max_size=2)))
            ]
    scripts = [
        model.Script(
            name=name,
            data=draw(st.one_of(st.just("x = 1\nfor y in []:\n    pass\n"), st.just(""), _TEXT)),
            start=start,
            end=end,
            description=draw(st.none() | _TEXT),
        )
        for name in draw(st.lists(NAMES, unique=True, max_size=3))
        for start, end in draw(windows())[:1]
    ]
    return model.Document(
        sections=frozenset({model.HASHMAP, model.PYSCRIPTS, model.MODULES}),
        groups=tuple(groups),
        services=tuple(services),
        fields=tuple(fields),
        mappings=tuple(mappings),
        thresholds=tuple(thresholds),
        scripts=tuple(scripts),
        modules={
            "hashmap": model.Module(enabled=draw(st.booleans()), priority=draw(st.integers(1, 9)))
        },
    )
