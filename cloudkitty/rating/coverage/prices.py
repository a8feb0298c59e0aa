# SPDX-License-Identifier: Apache-2.0
"""Which usage has no price, and why.

What has a price is what the stored price says, whichever module made it. Rules are asked why there
is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cloudkitty.rating.coverage.matching import Match
from cloudkitty.rating.coverage.report import Ledger, Reason, Unpriced, Values
from cloudkitty.rating.coverage.tally import Largest, Place
from cloudkitty.storage.v2.base import IDLE, PRICED, Portion, SeriesSums

_Type = tuple[str, str, Reason]
_Texts = tuple[tuple[str, str | None], ...]


class Prices:
    """Gathers usage by whether it has a price."""

    def __init__(self, ignored: Collection[str]) -> None:
        """Take the metric types that are meant to have no price."""
        self.ledger = Ledger()
        self._ignored = ignored
        self._types: Largest[_Type] = Largest()
        self._values: Largest[tuple[_Type, _Texts]] = Largest()

    def add(
        self,
        series: SeriesSums,
        portion: Portion,
        reason: Reason | None,
        values: Mapping[str, str | None],
        place: Place,
    ) -> None:
        """Count a portion that has no price for `reason`, or one that has (None)."""
        ledger = self.ledger
        ledger.points += portion.points
        ledger.price += portion.price
        match reason:
            case None:
                ledger.priced += portion.points
            case Reason.IDLE:
                ledger.idle += portion.points
            case Reason.AT_ZERO:
                ledger.at_zero += portion.points
            case _ if series.metric in self._ignored:
                ledger.ignored += portion.points
            case _:
                ledger.unpriced += portion.points
        if reason is None or reason is Reason.IDLE:
            return
        type_ = (series.metric, series.unit, reason)
        texts = tuple(values.items())
        self._types.add(type_, portion, place)
        self._values.add((type_, texts), portion, place)

    def found(self, limit: int) -> tuple[list[Unpriced], list[Unpriced]]:
        """Give usage without a price and usage at price zero, with at most `limit` values each."""
        values: dict[_Type, list[Values]] = {}
        for (type_, texts), tally in self._values.ranked():
            values.setdefault(type_, []).append(Values(dict(texts), tally))
        unpriced: list[Unpriced] = []
        at_zero: list[Unpriced] = []
        for (metric, unit, reason), tally in self._types.ranked():
            of_type = values.get((metric, unit, reason), [])
            entry = Unpriced(
                metric,
                unit,
                reason,
                tally,
                of_type[:limit],
                max(0, len(of_type) - limit),
                metric in self._ignored,
            )
            (at_zero if reason is Reason.AT_ZERO else unpriced).append(entry)
        return sorted(unpriced, key=lambda one: one.ignored), at_zero


def why(portion: Portion, match: Match | None) -> Reason | None:
    """Say why a portion has no price, None when it has one; `match` None: there is no service."""
    if portion.kind == PRICED:
        return None
    if match is None:
        return Reason.NO_SERVICE
    if not match.service.rules:
        return Reason.NO_RULES
    return _of_rules(portion, match)


def _of_rules(portion: Portion, match: Match) -> Reason:
    least, most = match.applied(portion.least), match.applied(portion.most)
    hits = (*least.hits, *most.hits)
    if not hits:
        return _nothing_applies(portion, match)
    if portion.kind == IDLE and (least.price or any(hit.rule.price.flat for hit in hits)):
        return Reason.IDLE
    if least.price and most.price:
        return Reason.PRICED_NOW
    if least.price or most.price:
        return Reason.BELOW_THRESHOLD
    if any(hit.rule.price.flat for hit in hits):
        return Reason.AT_ZERO
    return Reason.ONLY_RATES


def _nothing_applies(portion: Portion, match: Match) -> Reason:
    if match.service.tariff.levels.all and not match.service.fields:
        return Reason.IDLE if portion.kind == IDLE else Reason.BELOW_THRESHOLD
    return Reason.NO_MATCH
