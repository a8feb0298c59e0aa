# SPDX-License-Identifier: Apache-2.0
"""Answers too long to hold: JSON that is written while the storage is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final, TypeVar

from cloudkitty.api.v2 import jsontext
from cloudkitty.storage.v2.base import Placed

_T = TypeVar("_T")

#: A shorter answer is sent whole, with its length.
_LONG: Final = 256 * 1024
#: Points or rows that are made into text at once.
_ITEMS: Final = 500


class Streamed:
    """A body for a WSGI server: pieces of text, and what is to be closed when they are sent."""

    def __init__(self, pieces: Iterator[bytes], opened: ExitStack) -> None:
        self._pieces = pieces
        self._opened = opened

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Close the source; the server calls it, whether or not all has been sent."""
        self._opened.close()


def answer(texts: Iterable[bytes], opened: ExitStack) -> bytes | Streamed:
    """Give a text whole when it is short, else as a body that closes `opened` in the end.

    Raises what reading the beginning raises; a later error breaks off the answer.
    """
    pieces = _pieces(texts)
    first = next(pieces, b"")
    if len(first) < _LONG:
        return first
    return Streamed(itertools.chain([first], pieces), opened.pop_all())


def dataframes(total: int, points: Iterable[Placed]) -> Iterator[bytes]:
    """Give the text of ``/v2/dataframes``; points of one period in a row make a frame."""
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
            for number, some in enumerate(_batches(run, _ITEMS)):
                text = jsontext.encode([one.point.as_dict(mutable=True) for one in some])
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
    for number, some in enumerate(_batches(results, _ITEMS)):
        text = jsontext.encode(some)[1:-1]
        yield b"," + text if number else text
    yield b"]," + jsontext.encode(tail)[1:]


def _pieces(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Give texts joined into pieces of at least `_LONG` bytes, but for the last."""
    buffer = bytearray()
    for text in texts:
        buffer += text
        if len(buffer) >= _LONG:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while some := list(itertools.islice(iterator, size)):
        yield some
