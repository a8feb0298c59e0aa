# SPDX-License-Identifier: Apache-2.0
"""Long answers of v2 as JSON text, written while the storage is read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from cloudkitty.api.v2 import jsontext
from cloudkitty.storage.v2.base import Placed

_T = TypeVar("_T")

#: Points or rows that are made into text at once.
_ITEMS: Final = 500


def _plain(placed: Placed) -> dict[str, Any]:
    return placed.point.as_dict(mutable=True)


def dataframes(
    total: int,
    points: Iterable[Placed],
    shown: Callable[[Placed], Any] = _plain,
) -> Iterator[bytes]:
    """Give the text of ``/v2/dataframes``; points of one period in a row make a frame.

    `shown` gives what is shown of a point, and is asked once for each, in their order.
    """
    yield b'{"total":%d,"dataframes":[' % total
    comma = b""
    for (start, end), in_frame in itertools.groupby(points, lambda one: (one.start, one.end)):
        period = jsontext.encode({"begin": start, "end": end})
        metrics: set[str] = set()
        head = b'%s{"period":%s,"usage":{' % (comma, period)
        for metric, run in itertools.groupby(in_frame, lambda one: one.metric):
            if metric in metrics:  # of a storage without our order
                metrics.clear()
                head = b'}},{"period":%s,"usage":{' % period
            yield b"%s%s:[" % (head, jsontext.encode(metric))
            metrics.add(metric)
            head = b","
            for number, some in enumerate(_batches(run)):
                text = jsontext.encode([shown(one) for one in some])
                yield b"," + text[1:-1] if number else text[1:-1]
            yield b"]"
        yield b"}}"
        comma = b","
    yield b"]}"


def listing(
    head: Mapping[str, Any],
    results: Iterable[Any],
    tail: Mapping[str, Any],
) -> Iterator[bytes]:
    """Give the text of an object with ``results`` between `head` and `tail`, none of them empty."""
    yield jsontext.encode(head)[:-1] + b',"results":['
    for number, some in enumerate(_batches(results)):
        text = jsontext.encode(some)[1:-1]
        yield b"," + text if number else text
    yield b"]," + jsontext.encode(tail)[1:]


def _batches(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while some := list(itertools.islice(iterator, _ITEMS)):
        yield some
