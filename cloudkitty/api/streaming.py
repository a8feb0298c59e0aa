# SPDX-License-Identifier: Apache-2.0
"""Answers too long to hold: sent piece by piece while the storage is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Final

#: A shorter answer is sent whole, with its length.
_LONG: Final = 256 * 1024


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
