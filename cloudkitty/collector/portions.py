# SPDX-License-Identifier: Apache-2.0
"""How much to ask a source at once: as much as it was last able to answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from oslo_log import log

from cloudkitty.collector.halving import Chunk, Halving

LOG = log.getLogger(__name__)

# When nothing at all can be had, the next batch is not cut into more pieces than this.
_MAX_PIECES: Final = 32


class Portions:
    """Remembers for each metric key how many scopes x periods its source was able to answer."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def most(self, key: str, whole: int) -> int:
        """Give how much of `whole` to ask for; all of it before anything is known."""
        return min(self._most.get(key, whole), whole)

    def learn(self, key: str, whole: int, halving: Halving) -> None:
        """Take over what a batch has shown, so that a weak source is not overrun again."""
        if halving.smallest:
            most = halving.succeeded or max(halving.smallest, whole // _MAX_PIECES)
            self._most[key] = most
            LOG.info("metric '%s': asking for %d scopes x periods at a time", key, most)
        elif halving.succeeded and key in self._most:
            # After a batch that was smaller than allowed nothing more is known.
            self._most[key] = max(self._most[key], min(self._most[key], whole) * 2)


def chunks(
    scopes: Sequence[str], begins: Sequence[int], most: int, periods: int
) -> Iterator[Chunk]:
    """Cut a batch into questions of up to `most` scopes x periods and up to `periods` periods."""
    periods = max(1, min(periods, most, len(begins)))
    width = max(1, most // periods)
    for first in range(0, len(scopes), width):
        for start in range(0, len(begins), periods):
            yield Chunk(scopes[first : first + width], begins[start : start + periods])
