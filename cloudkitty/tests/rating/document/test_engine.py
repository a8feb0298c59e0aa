# SPDX-License-Identifier: Apache-2.0
"""Prices by the rules of a document: frame by frame and many scopes at once, the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty.rating import document
from cloudkitty.rating.document.engine import Draft
from cloudkitty.rating.pyscripts import ScriptError
from cloudkitty.tests.rating.pyscripts import scriptbook

RULES = """\
hashmap:
  services:
    instance:
      mappings:
      - {cost: 1}
      - {cost: 3, tenant: b, group: own}
      fields:
        flavor: {mappings: [{value: m1, cost: 2, start: "2024-05-01T01:00:00"}]}
pyscripts:
- name: s
  start: 2024-05-01T01:00:00
  data: |
    for points in data["usage"].values():
        for point in points:
            point["rating"]["price"] += 100
"""


@pytest.mark.parametrize("order", ["", "modules: {pyscripts: {priority: 9}}"])
def test_one_by_one_and_together(order: str) -> None:
    draft = Draft(document.loads(RULES + order))
    usages = [scriptbook.usage_of(scope) for scope in ("a", "b")]
    frames = [usage.frames() for usage in usages]

    assert draft.order == (("pyscripts", "hashmap") if order else ("hashmap", "pyscripts"))
    assert draft.rate_usages(usages) == {}
    # 2 used each hour, at a price of 1 before.
    assert [scriptbook.prices(usage) for usage in usages] == [[["3", "105"]], [["9", "111"]]]
    one_by_one = [
        [
            str(point.price)
            for frame in some
            for _, point in draft.rate(frame, scope, frame.start).iterpoints()
        ]
        for scope, some in zip("ab", frames, strict=True)
    ]
    assert one_by_one == [["3", "105"], ["9", "111"]]


def test_a_script_that_fails_for_one_scope() -> None:
    text = """\
pyscripts:
- name: s
  data: |
    for point in data["usage"]["instance"]:
        1 / (point["groupby"]["project_id"] != "bad")
        point["rating"]["price"] = 7
"""
    draft = Draft(document.loads(text))
    good, bad = (scriptbook.usage_of(scope, periods=1) for scope in ("good", "bad"))
    failed = draft.rate_usages([bad, good])

    assert scriptbook.prices(good) == [["7"]]
    assert list(failed) == ["bad"]
    assert str(failed["bad"]).startswith("script 's', line 2: ZeroDivisionError")
    (frame,) = bad.frames()
    with pytest.raises(ScriptError, match="script 's', line 2: ZeroDivisionError"):
        draft.rate(frame, "bad", frame.start)


def test_nothing_of_the_database_is_used() -> None:
    """None is configured here, nor is there a file that could be opened."""
    usage = scriptbook.usage_of()
    usage.series[0].qtys[0] = Decimal("NaN")
    assert Draft(document.loads("{}")).rate_usages([usage]) == {}
    assert scriptbook.prices(usage) == [["1"]]
