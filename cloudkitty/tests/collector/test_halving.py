# SPDX-License-Identifier: Apache-2.0
"""Whatever fails, every other scope gets exactly its points."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.collector.base import BatchFailure, CollectError
from cloudkitty.collector.halving import Chunk, Halving, SourceUnusable
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.usage import ZERO, Series


def series(scope: str, begins: list[int], number: int = 0) -> Series:
    labels = ImmutableDict(project_id=scope, id=str(number))
    count = len(begins)
    qtys = [Decimal(begin) for begin in begins]
    return Series(
        "m", "u", labels, ImmutableDict(), begins=list(begins), qtys=qtys, prices=[ZERO] * count
    )


@given(
    scopes=st.integers(1, 9),
    periods=st.integers(1, 7),
    bad=st.sets(st.tuples(st.integers(0, 8), st.integers(0, 6)), max_size=4),
    most=st.integers(1, 70),
    threads=st.sampled_from([1, 3]),
)
def test_every_good_scope_has_every_point_once_in_order(
    scopes: int, periods: int, bad: set[tuple[int, int]], most: int, threads: int
) -> None:
    names, begins = [str(i) for i in range(scopes)], list(range(periods))

    def ask(chunk: Chunk, _seconds: float) -> dict[str, list[Series]]:
        if chunk.cells > most:
            raise CollectError("too much")
        if any((int(s), b) in bad for s in chunk.scopes for b in chunk.begins):
            raise CollectError("bad")
        # Two series of equal labels, as a query of the operator's may give.
        return {s: [series(s, list(chunk.begins)) for _ in range(2)] for s in chunk.scopes}

    broken = {str(s) for s, b in bad if s < scopes and b < periods}
    middle = max(1, scopes // 2)
    chunks = [Chunk(names[:middle], begins), Chunk(names[middle:], begins)]
    halving = Halving(ask, 60, "m")
    try:
        found, failed = halving.run(chunks, threads), {}
    except BatchFailure as exc:
        found, failed = exc.series, exc.failed
    if not halving.succeeded:
        assert len(broken) == len(names) or len(broken) >= 3
        assert set(failed) == set(names)
    elif len(broken) < 3:
        assert broken == set(failed)
    assert set(found) == set(names) - set(failed)
    for got in found.values():
        assert [s.begins for s in got] == [begins, begins]
        assert [s.qtys for s in got] == [[Decimal(b) for b in begins]] * 2


def test_time_is_shared() -> None:
    given_seconds = []

    def ask(_chunk: Chunk, seconds: float) -> dict[str, list[Series]]:
        given_seconds.append(round(seconds))
        raise CollectError("no")

    with pytest.raises(CollectError, match="no"):
        Halving(ask, 100, "m").run([Chunk(["a", "b"], [0])])
    assert given_seconds == [50, 100, 100]


def test_when_time_is_over_the_rest_is_not_asked() -> None:
    asked = []

    def ask(chunk: Chunk, _seconds: float) -> dict[str, list[Series]]:
        asked.append(chunk)
        time.sleep(0.02)
        return {s: [series(s, [0])] for s in chunk.scopes}

    with pytest.raises(BatchFailure) as caught:
        Halving(ask, 0.01, "metric 'm'").run([Chunk(["a"], [0]), Chunk(["b"], [0])])
    assert len(asked) == 1
    assert caught.value.failed == {"b": "metric 'm'; no more questions after 0.01 s"}


def test_an_unusable_source_is_asked_once() -> None:
    asked = []

    def ask(chunk: Chunk, _seconds: float) -> dict[str, list[Series]]:
        asked.append(chunk)
        raise SourceUnusable("gone")

    with pytest.raises(BatchFailure) as caught:
        Halving(ask, 60, "m").run([Chunk(["a", "b"], [0]), Chunk(["c"], [0])])
    assert len(asked) == 1
    assert caught.value.failed == dict.fromkeys("abc", "gone")
    assert caught.value.series == {}
