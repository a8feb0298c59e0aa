# SPDX-License-Identifier: Apache-2.0
"""Modules of every kind are explained, as far as they can be."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.rating.base import Stage
from cloudkitty.rating.explain.chain import Chain
from cloudkitty.rating.modules import ModuleError, Modules
from cloudkitty.rating.noop import Noop
from cloudkitty.rating.pyscripts import PyScripts
from cloudkitty.rating.snapshots import RecordedModule, RuleSet
from cloudkitty.tests.rating import classic

START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def frame_of(*qtys, metric="cpu"):
    points = [DataPoint("u", qty, 0, {"id": str(n)}, {}) for n, qty in enumerate(qtys)]
    return DataFrame(START, START + dt.timedelta(hours=1), {metric: points})


def chain_of(*classes, broken=(), snapshots=()):
    recorded = [
        RecordedModule(cls.module_name, 1, dict(snapshots).get(cls.module_name)) for cls in classes
    ]
    modules = Modules(
        {cls.module_name: cls for cls in classes if cls.module_name not in dict(broken)},
        dict(broken),
    )
    return Chain(RuleSet("v", tuple(recorded)), modules)


def explain(chain, frame, wanted=(0,), *, everything=False):
    return chain.explain(frame, wanted, "a", everything=everything)


def prices(explained):
    return [(step["module"], step["amount"], step["price_after"]) for step in explained.steps]


def test_a_module_without_an_answer_of_its_own():
    chain = chain_of(classic.adding("plus", "1.5"), classic.doubling("twice"), Noop)
    assert not chain.pointwise(frame_of(1), "a")
    found = explain(chain, frame_of(1, 2), (1,))
    assert list(found) == [1]
    assert prices(found[1]) == [
        ("plus", Decimal("1.5"), Decimal("1.5")),
        ("twice", Decimal("1.5"), 3),
        ("noop", 0, 3),
    ]
    assert [step["rules"] for step in found[1].steps] == ["present", "present", "present"]
    assert found[1].point.price == 3


def test_a_price_that_is_no_decimal_yet():
    (found,) = explain(chain_of(classic.changing("float", lambda point: 0.1)), frame_of(1)).values()
    assert found.steps[0]["price_after"] == Decimal("0.1")


def test_a_module_that_says_more():
    class Telling(classic.adding("telling", 1)):
        """Knows why, and keeps its rules."""

        pointwise = True

        def restore(self, snapshot):
            self.note = snapshot["note"]

        def explain(self, data, *, everything=False):
            said = {"details": {"note": self.note, "everything": everything}, "other": 1}
            yield Stage(self.process(data), lambda number: {**said, "reasons": [number]})

    chain = chain_of(Telling, snapshots={"telling": {"note": "n"}}.items())
    assert chain.pointwise(frame_of(1), "a")
    (found,) = explain(chain, frame_of(1, 2), (1,), everything=True).values()
    assert found.steps == [
        {
            "module": "telling",
            "rules": "recorded",
            "price_before": 0,
            "amount": 1,
            "price_after": 1,
            "reasons": [1],
            "details": {"note": "n", "everything": True},
        }
    ]


@pytest.mark.parametrize("everything", [True, False])
def test_a_module_that_fails(everything):
    chain = chain_of(classic.adding("plus", 1), classic.failing("bad"), Noop)
    (found,) = explain(chain, frame_of(1), everything=everything).values()
    assert (found.point, prices(found)) == (None, [("plus", 1, 1)])
    (why,) = found.reasons
    assert why["code"] == "failed"
    assert ("bad luck" in why["text"]) is everything


def test_a_module_that_is_gone():
    cls = classic.adding("gone", 1)
    with pytest.raises(ModuleError, match="'gone' could not be loaded: no such file"):
        chain_of(cls, broken={"gone": ImportError("no such file")}.items()).pointwise(
            frame_of(1), "a"
        )
    chain = Chain(RuleSet("v", (RecordedModule("gone", 1, None),)), Modules({}, {}))
    (found,) = explain(chain, frame_of(1), everything=True).values()
    assert "not installed any more" in found.reasons[0]["text"]


def test_nothing_in_force(sqlite_database):
    chain = chain_of(PyScripts)
    assert chain.pointwise(frame_of(1), "a")
    (found,) = explain(chain, frame_of(1)).values()
    assert found.steps[0]["reasons"][0]["text"] == "pyscripts has nothing that is in force"
    assert found.point.price == 0


def test_points_are_followed_by_their_labels():
    def process(self, data):
        out = DataFrame(data.start, data.end)
        out.add_point(DataPoint("u", 1, 9, {"id": "new"}, {}), "aaa")
        for metric, point in data.iterpoints():
            if point.groupby["id"] == "0":
                continue
            if point.groupby["id"] == "1":
                point = point._replace(metadata={"x": 1})  # noqa: PLW2901
            out.add_point(point.set_price(int(point.groupby["id"])), metric)
        return out

    cls = classic.changing("mover", None, process=process)
    found = explain(chain_of(cls), frame_of(1, 1, 1, 1), range(4))
    assert [one.point and one.point.price for one in found.values()] == [None, None, 2, 3]
    assert [[why["code"] for why in one.reasons] for one in found.values()] == [
        ["lost"],
        ["lost"],
        [],
        [],
    ]


def test_the_same_labels_several_times():
    def process(self, data):
        points = [point for _metric, point in data.iterpoints()]
        out = DataFrame(data.start, data.end)
        for number, point in enumerate(points[:-1]):
            out.add_point(point.set_price(number), "cpu")
        return out

    point = DataPoint("u", 1, 0, {"id": "1"}, {})
    frame = DataFrame(START, START, {"cpu": [point] * 3})
    found = explain(chain_of(classic.changing("last", None, process=process)), frame, range(3))
    assert [one.point and one.point.price for one in found.values()] == [0, 1, None]
