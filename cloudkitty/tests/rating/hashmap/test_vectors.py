# SPDX-License-Identifier: Apache-2.0
"""Recorded prices of the hashmap module, to the last digit, on every SQL engine and in both forms.

The vectors would tolerate a difference of 1e-20 where something was rounded; we do not need it.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import cloudkitty.tests
from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.db import module_info
from cloudkitty.rating.hashmap import HashMap
from cloudkitty.rating.modules import Rating
from cloudkitty.tests.rating.hashmap import rulebook
from cloudkitty.usage import ScopeUsage, series_of_frames

DATA = Path(cloudkitty.tests.__file__).parent / "data" / "vectors"
CASES = json.loads((DATA / "hashmap.json").read_text())


def classic(case, frame):
    module = HashMap(tenant_id=case.get("tenant_id"))
    module.reload_config(dt.datetime.fromisoformat(case["period_begin"]))
    return {
        metric: [point.price for point in points]
        for metric, points in module.process(frame).itertypes()
    }


def _usage(case, frame):
    begin = timeutils.to_epoch(dt.datetime.fromisoformat(case["period_begin"]))
    assert begin == timeutils.to_epoch(frame.start)
    period = timeutils.to_epoch(frame.end) - begin
    # One series for each point, as equal labels would change places otherwise.
    points = [DataFrame(frame.start, frame.end, {m: [p]}) for m, p in frame.iterpoints()]
    series = [series for point in points for series in series_of_frames([point])]
    return ScopeUsage(case.get("tenant_id"), period, [begin], series)


def _prices(usage):
    found = {}
    for series in usage.series:
        found.setdefault(series.metric, []).extend(series.prices)
    return found


def batch(case, frame):
    usage = _usage(case, frame)
    module = HashMap()
    module.begin_batch()
    module.rate_usage(usage)
    return _prices(usage)


def whole_chain(case, frame):
    usage = _usage(case, frame)
    rating = Rating()
    rating.begin_batch()
    rating.rate([usage])
    return _prices(usage)


def test_recorded_prices(database):
    module_info.set_state("hashmap", enabled=True)
    assert len(CASES) == 120
    wrong = []
    for case in CASES:
        rulebook.load_case(case["rules"])
        expected = {m: list(map(Decimal, prices)) for m, prices in case["expected"].items()}
        for form in (classic, batch, whole_chain):
            got = form(case, DataFrame.from_dict(case["input"]))
            if got != expected:
                wrong.append(f"{case['name']}, {form.__name__}: {got} is not {expected}")
    assert not wrong, "\n".join(wrong)
