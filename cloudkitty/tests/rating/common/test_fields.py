# SPDX-License-Identifier: Apache-2.0
"""Validity window of a new rule."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from cloudkitty import timeutils
from cloudkitty.rating.common.validations.fields import validate_resource

NOW = timeutils.naive_local(dt.datetime.now(dt.UTC))
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (None, NOW + DAY), (NOW + DAY, None), (NOW + DAY, NOW + DAY)]
)
def test_accepted(start: dt.datetime | None, end: dt.datetime | None) -> None:
    validate_resource(SimpleNamespace(start=start, end=end))


def test_start_in_the_past_needs_force() -> None:
    rule = SimpleNamespace(start=NOW - DAY, end=None)
    with pytest.raises(Exception, match="start in the past") as info:
        validate_resource(rule)
    assert info.value.code == 400
    validate_resource(rule, force=True)


@pytest.mark.parametrize("start", [None, NOW + 2 * DAY])
def test_end_before_start(start: dt.datetime | None) -> None:
    with pytest.raises(Exception, match="start after end") as info:
        validate_resource(SimpleNamespace(start=start, end=NOW - DAY), force=True)
    assert info.value.code == 400
