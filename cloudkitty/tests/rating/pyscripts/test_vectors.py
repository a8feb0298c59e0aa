# SPDX-License-Identifier: Apache-2.0
"""Recorded frames of the pyscripts module, to the last digit, on every engine, in every form."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import pytest

import cloudkitty.tests
from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.db import module_info
from cloudkitty.rating.modules import Rating
from cloudkitty.rating.pyscripts import PyScripts
from cloudkitty.tests.rating.pyscripts import scriptbook
from cloudkitty.usage import ScopeUsage, series_of_frames

DATA = Path(cloudkitty.tests.__file__).parent / "data" / "vectors"
CASES = json.loads((DATA / "pyscripts.json").read_text())


def load(case):
    def date(name):
        text = script.get(name)
        return text and dt.datetime.fromisoformat(text)

    scriptbook.clear()
    for script in case["scripts"]:
        scriptbook.add(
            script["data"],
            script["name"],
            start=date("start"),
            end=date("end"),
            deleted=date("deleted"),
        )


def classic(case, frame):
    module = PyScripts(tenant_id=case.get("tenant_id"))
    module.reload_config(dt.datetime.fromisoformat(case["period_begin"]))
    return module.process(frame)


def _usage(case, frame):
    begin = timeutils.to_epoch(frame.start)
    period = timeutils.to_epoch(frame.end) - begin
    return ScopeUsage(case.get("tenant_id"), period, [begin], series_of_frames([frame]))


def batch(case, frame):
    usage = _usage(case, frame)
    module = PyScripts()
    module.begin_batch()
    module.rate_usage(usage)
    return usage.frames()[0]


def whole_chain(case, frame):
    usage = _usage(case, frame)
    rating = Rating()
    rating.begin_batch()
    rating.rate([usage])
    return usage.frames()[0]


def shown(frame, *, ordered, calendar):
    def point(p):
        groupby = dict(p.groupby)
        if calendar:
            # Usage that was made of a frame with all of them has them again.
            assert not set(timeutils.CALENDAR_NAMES) & groupby.keys()
        return [p.unit, p.qty, p.price, groupby, repr(sorted(p.metadata.items(), key=str))]

    usage = [
        (m, found if ordered else sorted(found, key=repr))
        for m, points in frame.itertypes()
        if (found := [point(p) for p in points])
    ]
    return timeutils.as_utc(frame.start), timeutils.as_utc(frame.end), usage


def wanted(expected, *, ordered):
    usage = []
    for metric, points in expected["usage"].items():
        found = [
            [
                p["unit"],
                Decimal(p["qty"]),
                Decimal(p["price"]),
                p["groupby"],
                repr(sorted(p["metadata"].items(), key=str)),
            ]
            for p in points
        ]
        usage.append((metric, found if ordered else sorted(found, key=repr)))
    period = [dt.datetime.fromisoformat(expected["period"][name]) for name in ("begin", "end")]
    return (*period, usage)


def compare(case, form):
    frame = DataFrame.from_dict(case["input"])
    expected = case["expected"]
    # Points with the same labels may change places when usage is made of frames.
    ordered = form is classic
    if "error" in expected:
        with pytest.raises(Exception, match=r"script 'script-1', line [13]: "):
            form(case, frame)
        return None
    got = shown(form(case, frame), ordered=ordered, calendar=not ordered)
    want = wanted(expected, ordered=ordered)
    if got == want:
        return None
    return f"{case['name']}, {form.__name__}: {got} is not {want}"


def test_recorded_frames(database):
    module_info.set_state("pyscripts", enabled=True)
    assert len(CASES) == 20
    wrong = []
    for case in CASES:
        load(case)
        wrong += [w for form in (classic, batch, whole_chain) if (w := compare(case, form))]
    assert not wrong, "\n".join(wrong)
