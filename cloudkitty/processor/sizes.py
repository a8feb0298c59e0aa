# SPDX-License-Identifier: Apache-2.0
"""How large batches may be so that a worker's memory stays bounded."""

from __future__ import annotations

from typing import Final

#: Points that a scope is taken to have per period before anything is known.
FIRST_GUESS: Final = 100.0
_INERTIA: Final = 0.7


class Density:
    """Points per scope and period, as seen in the batches so far."""

    def __init__(self, batch_points: int) -> None:
        """`batch_points` is the number of points that a batch may have."""
        self.batch_points = batch_points
        self._points: float | None = None

    @property
    def known(self) -> bool:
        """Whether anything has been seen yet."""
        return self._points is not None

    @property
    def cells(self) -> int:
        """How many scopes times periods make a batch."""
        points = FIRST_GUESS if self._points is None else self._points
        return max(1, int(self.batch_points / max(points, 0.01)))

    def seen(self, points: int, cells: int) -> None:
        """Take the size of a batch into account: more counts at once, less by and by."""
        here = points / max(cells, 1)
        before = self._points
        if before is None or here > before:
            self._points = here
        else:
            self._points = _INERTIA * before + (1 - _INERTIA) * here
