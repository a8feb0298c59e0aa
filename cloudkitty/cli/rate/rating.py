# SPDX-License-Identifier: Apache-2.0
"""Rates cases for the offline sub-commands."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.db.engines import EXACT
from cloudkitty.rating.document import Document, model
from cloudkitty.rating.document.cases import Case
from cloudkitty.rating.document.engine import Draft
from cloudkitty.rating.pyscripts import ScriptError

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rated:
    """What came of a case: a frame, or the text of an error.

    `prices` are by service, one for each point of the input in its order, None for a point that
    was refused; where a script has changed points, one for each that it has left.
    """

    order: tuple[str, ...]
    frame: DataFrame | None
    prices: dict[str, list[Decimal | None]]
    error: str | None = None

    @property
    def total(self) -> Decimal:
        """The exact sum of all prices."""
        with decimal.localcontext(EXACT):
            return sum((p for some in self.prices.values() for p in some if p is not None), _ZERO)


class Rater:
    """Rates cases with one document, or each with its own."""

    def __init__(
        self, document: Document | None, tenant: str | None = None, *, from_zero: bool = False
    ) -> None:
        """Take the rules; without them cases must have their own. `tenant` is whose frames are."""
        self._draft = None if document is None else Draft(document)
        self._tenant = tenant
        self._from_zero = from_zero

    def tenant(self, case: Case) -> str | None:
        """Give whose usage a case is."""
        return self._tenant if case.tenant is None else case.tenant

    def rate(self, case: Case) -> Rated:
        """Rate one case; raises ValueError when it has no rules."""
        draft = self._draft
        if draft is None:
            if case.document is None:
                raise ValueError("it has no rules of its own")
            draft = Draft(case.document)
        frame = DataFrame(case.frame.start, case.frame.end)
        refused: dict[str, list[int]] = {}
        for service, index, point in _points(case.frame):
            if not point.qty.is_finite():
                refused.setdefault(service, []).append(index)
            elif self._from_zero:
                frame.add_point(point.set_price(_ZERO), service)
            else:
                frame.add_point(point, service)
        try:
            rated = draft.rate(frame, self.tenant(case), case.begin)
        except ScriptError as exc:
            return Rated(draft.order, None, {}, str(exc))
        prices: dict[str, list[Decimal | None]] = {
            service: [point.price for point in points] for service, points in rated.itertypes()
        }
        if model.PYSCRIPTS not in draft.order:
            for service, indexes in refused.items():
                for index in indexes:
                    prices.setdefault(service, []).insert(index, None)
        return Rated(draft.order, rated, prices)


def _points(frame: DataFrame) -> Iterator[tuple[str, int, DataPoint]]:
    for service, points in frame.itertypes():
        for index, point in enumerate(points):
            yield service, index, point
