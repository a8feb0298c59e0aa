# SPDX-License-Identifier: Apache-2.0
"""What scripts make of the usage of scopes, period by period (contract rating.md 3, 5)."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from decimal import Decimal

import pytest

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.db import module_info
from cloudkitty.rating.modules import Rating, RatingFailure
from cloudkitty.rating.pyscripts import PyScripts, scripts
from cloudkitty.tests.rating.pyscripts import scriptbook
from cloudkitty.tests.rating.pyscripts.scriptbook import BEGIN, HOUR, add, prices, rate, usage_of

POINT = "p = data['usage']['instance'][0]\n"
ONE_MORE = "for ps in data['usage'].values():\n    for p in ps: p['rating']['price'] += 1\n"


@pytest.fixture(autouse=True)
def tables(sqlite_database):
    """Most of it is not about SQL."""


def at(hours):
    return timeutils.naive_local(timeutils.from_epoch(BEGIN + hours * HOUR))


def test_each_period_has_the_scripts_that_are_in_force_at_its_begin():
    add(ONE_MORE, "a", end=at(2))
    add("for ps in data['usage'].values():\n    for p in ps: p['rating']['price'] *= 10\n", "b",
        start=at(1))  # fmt: skip
    add("1 / 0", "c", deleted=at(9))
    usage = usage_of(periods=4, series=2)
    assert rate(usage) == {}
    assert prices(usage) == [["2", "20", "10", "10"]] * 2


def test_periods_without_scripts_stay_as_they_are():
    add(POINT + "p['metadata']['new'] = 5\np['rating']['price'] = 7", "x", start=at(1), end=at(2))
    usage = usage_of(periods=3)
    usage.series[0].description = "report"
    assert rate(usage) == {}
    found = [
        (frame.start.hour, point.price, dict(point.metadata))
        for frame in usage.frames()
        for _, point in frame.iterpoints()
    ]
    assert found == [
        (0, 1, {"flavor": "m1"}),
        (1, 7, {"flavor": "m1", "new": 5}),
        (2, 1, {"flavor": "m1"}),
    ]


def test_nothing_is_started_where_no_script_is_in_force(conf):
    conf.config(group="pyscripts", interpreter="/no/such/python")
    add("1 / 0", start=at(10))
    usage = usage_of()
    assert rate(usage, usage_of("empty", series=0)) == {}
    assert prices(usage) == [["1", "1"]]


def test_scripts_see_the_date_keys_and_the_zone_of_the_host():
    timeutils.set_local_timezone(zoneinfo.ZoneInfo("Europe/Paris"))
    add(
        POINT + "b = data['period']['begin']\n"
        "assert p['groupby']['day_of_the_year'] == '122', p['groupby']\n"
        "assert str(b) == '2024-05-01 02:00:00+02:00', b\n"
        "assert str(b.tzinfo) == 'Europe/Paris'\n"
        "p['rating']['price'] = b.hour\n",
    )
    usage = usage_of(periods=1)
    assert rate(usage) == {}
    assert prices(usage) == [["2"]]


LABELS = {
    "int": 1, "float": 1.0, "bool": True, "none": None, "text": "1", "list": [1, 1.0, True],
    "dict": {"a": {"b": [None]}}, "tiny": 1e-300, "big": 10**30, "ü": "\u2028",
}  # fmt: skip


def test_labels_keep_their_types():
    add(POINT + "p['groupby']['more'] = 'x'\np['metadata']['list'].append('y')\n")
    usage = usage_of(metadata=LABELS)
    assert rate(usage) == {}
    (series,) = usage.series
    assert series.groupby["more"] == "x"
    assert series.calendar
    expected = {**LABELS, "list": [1, 1.0, True, "y"]}
    assert repr(sorted(series.metadata.items())) == repr(sorted(expected.items()))


@pytest.mark.parametrize("change", ["p['metadata']['int'] = True", "p['metadata']['bool'] = 1.0",
                                    "p['metadata']['list'][0] = True"])  # fmt: skip
def test_a_change_of_type_is_a_change(change):
    add(POINT + change)
    usage = usage_of(metadata=LABELS)
    assert rate(usage) == {}
    assert repr(usage.series[0].metadata) != repr(usage_of(metadata=LABELS).series[0].metadata)


def test_what_only_prices_change_is_left_alone():
    add(ONE_MORE)
    usage = usage_of(metadata=LABELS)
    usage.series[0].description = "report"
    before = usage.series[0]
    assert rate(usage) == {}
    assert usage.series == [before]
    assert usage.series[0] is before


def test_quantities_may_change_as_text():
    add(POINT + "p['vol']['qty'] = '2.0'")
    usage = usage_of(periods=1)
    assert rate(usage) == {}
    assert [str(q) for q in usage.series[0].qtys] == ["2.0"]


def test_points_can_be_added_and_removed():
    add(
        "ps = data['usage'].pop('instance')\n"
        "if data['period']['begin'].hour: data['usage']['new'] = [ps[0], ps[0]]\n"
    )
    usage = usage_of(periods=2)
    assert rate(usage) == {}
    assert [(s.metric, s.begins) for s in usage.series] == [("new", [BEGIN + HOUR])] * 2


@pytest.mark.parametrize(
    ("code", "line", "error"),
    [
        ("data['period']['begin'] = data['period']['end']", 1, "the period of stored usage cannot"),
        ("data['period']['end'] = '2030-01-01'", 1, "the period of stored usage cannot"),
        (POINT + "p['rating']['price'] = float('nan')", 2, "['price'] is NaN, not a number"),
        (POINT + "p['rating']['price'] = None", 2, "[0]['rating']['price'] is None, not a number"),
        (POINT + "p['rating']['price'] = True", 2, "['rating']['price'] is True, not a number"),
        (POINT + "p['vol']['qty'] = 'inf'", 2, "['vol']['qty'] is Infinity, not a number"),
        (POINT + "p['metadata'][1] = 2", None, "a label has the key 1, which is no text"),
        (POINT + "p['metadata']['o'] = object()", None, "a value of type object"),
        (POINT + "p['metadata']['p'] = p['metadata']", None, "Recursion"),
        ("data = 5", 1, "data is of type int, not a dict"),
        ("x = 1\n\ndef f(a):\n    return a.b\n\nf(1)", 4, "'int' object has no attribute 'b'"),
        ("import json\n\njson.loads('{')", 3, "JSONDecodeError"),
        ("x = 1\nfor for", 2, "SyntaxError: invalid syntax"),
        (b"# coding: klingon\nx = 1", 1, "unknown encoding"),
        (b"x = '\xff'", 1, "SyntaxError"),
    ],
)
def test_nonsense_names_script_line_scope_and_period(code, line, error):
    add(code, "my script")
    usage = usage_of("some scope", periods=3)
    (text,) = rate(usage).values()
    assert text.startswith(f"script 'my script'{'' if line is None else f', line {line}'}: ")
    assert text.endswith(" (scope some scope, period 2024-05-01T00:00:00+00:00)")
    assert error in text
    assert prices(usage) == [["1"] * 3]


def test_encodings_are_honoured():
    add(
        "# coding: latin-1\np = data['usage']['instance'][0]\np['metadata']['u'] = 'ü'".encode(
            "latin-1"
        )
    )
    usage = usage_of()
    assert rate(usage) == {}
    assert usage.series[0].metadata["u"] == "ü"


def test_a_failing_scope_leaves_the_others_and_comes_after_other_modules(sqlite_database):
    for name in ("pyscripts", "hashmap"):
        module_info.set_state(name, enabled=True)
    add("if data['usage']['instance'][0]['groupby']['project_id'] == 'b': oops\n" + ONE_MORE)
    usages = [usage_of(scope) for scope in "abc"]
    rating = Rating()
    rating.begin_batch()
    error = "'pyscripts' failed: ScriptError: script 'script', line 1: NameError: name 'oops'"
    with pytest.raises(RatingFailure, match=error) as info:
        rating.rate(usages)
    assert list(info.value.failed) == ["b"]
    assert prices(usages[0]) == prices(usages[2]) == [["2", "2"]]


def test_sources_are_sent_once_and_again_when_they_change(monkeypatch):
    sent = []
    from cloudkitty.rating.pyscripts.process import ScriptProcess

    real = ScriptProcess.send
    monkeypatch.setattr(
        ScriptProcess,
        "send",
        lambda self, request, seconds: (
            sent.append("sources" in request),
            real(self, request, seconds),
        ),
    )
    first = add(ONE_MORE)
    for _ in range(2):
        assert rate(usage_of()) == {}
    add(ONE_MORE, "two")
    usage = usage_of()
    assert rate(usage) == {}
    assert prices(usage) == [["3", "3"]]
    assert sent[-2:] == [False, True]
    assert first


def test_a_change_is_seen_with_the_next_batch():
    module = PyScripts()
    add(ONE_MORE)
    module.begin_batch()
    before = module.version
    module.begin_batch()
    assert module.version == before
    scriptbook.clear()
    module.begin_batch()
    assert module.version != before
    module.rate_usage(usage_of())


def test_old_checksums_do_not_hide_a_change():
    from cloudkitty import db
    from cloudkitty.rating.pyscripts import models
    from cloudkitty.rating.pyscripts.store import source

    add(ONE_MORE)
    for code, expected in ((ONE_MORE, "2"), (ONE_MORE + ONE_MORE, "3")):
        with db.session_for_write() as session:
            row = session.query(models.Script).one()
            row.checksum, row.data = "a" * 40, source.pack(code.encode())
        usage = usage_of(periods=1)
        assert rate(usage) == {}
        assert prices(usage) == [[expected]]


def test_a_damaged_source_is_named():
    from cloudkitty import db
    from cloudkitty.rating.pyscripts import models

    add(ONE_MORE, "broken one")
    with db.session_for_write() as session:
        session.query(models.Script).one().data = b"nothing"
    with pytest.raises(ValueError, match="script 'broken one': the stored source is damaged"):
        scripts.load()


def test_a_frame_may_move_and_keeps_its_zone():
    add("data['period']['end'] = '2024-05-01T05:00:00'\n" + ONE_MORE)
    start = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    frame = DataFrame(start, start, {"instance": [DataPoint("i", 1, 0, {}, {}, "report")]})
    module = PyScripts(tenant_id="t")
    module.reload_config(start)
    rated = module.process(frame)
    assert (rated.start, rated.end) == (start, start + dt.timedelta(hours=5))
    assert [p.price for _, p in rated.iterpoints()] == [1]


def test_quotes_go_through_the_same_process():
    module_info.set_state("pyscripts", enabled=True)
    add(POINT + "p['rating']['price'] = p['vol']['qty'] * 3")
    now = dt.datetime.now(dt.UTC)
    frame = DataFrame(now, now, {"instance": [DataPoint("undef", 2, 0, {}, {})]})
    assert Rating().quote(frame) == 6
    add("import os\nos._exit(3)", "bad")
    with pytest.raises(Exception, match=r"script 'bad', line 2: .*no scope"):
        Rating().quote(frame)


def test_constructing_the_module_reads_nothing(monkeypatch):
    monkeypatch.setattr(scripts, "load", lambda *_: pytest.fail("read"))
    info = json.loads(json.dumps(PyScripts().module_info))
    assert info == {
        "name": "pyscripts",
        "description": "PyScripts rating module.",
        "hot_config": True,
        "enabled": False,
        "priority": 1,
    }


def test_prices_are_exact():
    add(POINT + "p['rating']['price'] = __import__('decimal').Decimal('1') / 3")
    usage = usage_of(periods=1)
    assert rate(usage) == {}
    assert usage.series[0].prices == [Decimal(1) / 3]
