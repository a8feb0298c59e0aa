# SPDX-License-Identifier: Apache-2.0
"""Explanations of stored points: whose rules, which version, and whether it comes out the same."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.db.engines import EXACT
from cloudkitty.rating import snapshots
from cloudkitty.rating.explain.chain import Chain, Explained
from cloudkitty.rating.explain.model import Explanation, Reason, reason
from cloudkitty.rating.modules import Modules, Rating, find
from cloudkitty.rating.step import ModuleError
from cloudkitty.storage.v2.base import BaseStorage, Placed, Provenance

#: Points of a frame that is rated again because a script may look at all of them.
MAX_FRAME: Final = 10_000
#: Rule sets kept in memory: neighbouring periods mostly have the same.
_REMEMBERED: Final = 4
_ZERO: Final = Decimal(0)


class _Group(NamedTuple):
    """Points of one frame: the scope, and the limits of the period."""

    scope: str | None
    start: dt.datetime
    end: dt.datetime


class Explainer:
    """Explains points of a storage; for one question, in one thread."""

    def __init__(
        self,
        storage: BaseStorage,
        scope_key: str,
        modules: Modules | None = None,
        *,
        everything: bool = False,
    ) -> None:
        """With `everything` explanations have what only administrators may know."""
        self._storage = storage
        self._scope_key = scope_key
        self._modules = modules or find()
        self._everything = everything
        self._chains: dict[str | None, Chain] = {}

    def explain(self, points: Sequence[Placed]) -> list[Explanation]:
        """Give an explanation for each point.

        Raises what the database raises.
        """
        groups: dict[_Group, list[int]] = {}
        for number, placed in enumerate(points):
            scope = scope_of(placed.point, self._scope_key)
            groups.setdefault(_Group(scope, placed.start, placed.end), []).append(number)
        known = self._storage.provenance(
            {(group.scope, group.start) for group in groups if group.scope is not None},
        )
        found: dict[int, Explanation] = {}
        for group, numbers in groups.items():
            some = [points[number] for number in numbers]
            found.update(zip(numbers, self._group(group, some, known), strict=True))
        return [found[number] for number in range(len(points))]

    def _group(
        self,
        group: _Group,
        some: Sequence[Placed],
        known: Mapping[tuple[str, dt.datetime], Provenance],
    ) -> list[Explanation]:
        if group.scope is None:
            text = "the point names no single scope, so that no rules were asked"
            return [_posted(one, reason("no_scope", text)) for one in some]
        period = known.get((group.scope, group.start))
        if period is not None and not period.rated:
            return [_posted(one, reason("posted", "the point came with its price")) for one in some]
        version, remarks = self._version(period.rules_version if period else None)
        try:
            explained = self._explained(group, some, self._chain(version))
        except ModuleError as exc:
            # What a plug-in says of its failure may be more than who asks should know.
            text = str(exc) if self._everything else "a rating module failed"
            explained = [Explained(None, [], [reason("failed", text)]) for _ in some]
        return [
            self._explanation(one, what, version, remarks)
            for one, what in zip(some, explained, strict=True)
        ]

    def _version(self, version: str | None) -> tuple[str | None, list[Reason]]:
        """Give a version whose rule set there is, None for the present one, and what to remark."""
        if version is not None:
            try:
                _recorded(version)
            except (LookupError, snapshots.DamagedError):
                text = "the rules that made the price are lost; these are the present ones"
                return None, [reason("no_record", text)]
        return version, []

    def _chain(self, version: str | None) -> Chain:
        """Give the modules by a rule set; by the present one for None."""
        if version not in self._chains:
            rules = Rating(self._modules).rules() if version is None else _recorded(version)
            self._chains[version] = Chain(rules, self._modules, present=version is None)
        return self._chains[version]

    def _explained(
        self,
        group: _Group,
        some: Sequence[Placed],
        chain: Chain,
    ) -> list[Explained]:
        own = DataFrame(group.start, group.end)
        places: dict[str, list[int]] = {}
        for number, placed in enumerate(some):
            own.add_point(placed.point.set_price(_ZERO), placed.metric)
            places.setdefault(placed.metric, []).append(number)
        order = [number for metric, _points in own.itertypes() for number in places[metric]]
        if chain.pointwise(own, group.scope):
            found = chain.explain(own, range(len(some)), group.scope, everything=self._everything)
            by_number = {number: found[place] for place, number in enumerate(order)}
            return [by_number[number] for number in range(len(some))]
        return self._in_frame(group, some, chain)

    def _in_frame(
        self,
        group: _Group,
        some: Sequence[Placed],
        chain: Chain,
    ) -> list[Explained]:
        """Explain points together with all others of their frame."""
        stored = self._stored(group)
        if stored is None:
            text = f"a script is to be asked, and the frame has more than {MAX_FRAME} points"
            return [Explained(None, [], [reason("too_many_points", text)]) for _ in some]
        frame = DataFrame(group.start, group.end)
        free: dict[str, list[int]] = {}
        for place, (metric, point) in enumerate(stored):
            frame.add_point(point.set_price(_ZERO), metric)
            free.setdefault(_kind(metric, point), []).append(place)
        places: list[int | None] = []
        for placed in some:
            same = free.get(_kind(placed.metric, placed.point))
            places.append(same.pop(0) if same else None)
        wanted = [place for place in places if place is not None]
        found = chain.explain(frame, wanted, group.scope, everything=self._everything)
        changed = reason("changed", "the point has been replaced meanwhile")
        return [
            Explained(None, [], [changed]) if place is None else found[place] for place in places
        ]

    def _stored(self, group: _Group) -> list[tuple[str, DataPoint]] | None:
        """Give the points of a frame by metric, as frames have them; None if they are too many."""
        answer = self._storage.retrieve(
            begin=group.start,
            end=group.start + dt.timedelta(seconds=1),
            filters={self._scope_key: group.scope},
            limit=MAX_FRAME + 1,
        )
        if answer["total"] > MAX_FRAME:
            return None
        found = [
            (metric, point)
            for frame in answer["dataframes"]
            if frame.start == group.start and frame.end == group.end
            for metric, point in frame.iterpoints()
            if scope_of(point, self._scope_key) == group.scope
        ]
        metrics = list(dict.fromkeys(metric for metric, _point in found))
        return sorted(found, key=lambda one: metrics.index(one[0]))

    def _explanation(
        self,
        placed: Placed,
        explained: Explained,
        version: str | None,
        remarks: Sequence[Reason],
    ) -> Explanation:
        stored = placed.point.price
        reasons = [*remarks, *explained.reasons]
        answer: Explanation = {
            "source": "present" if version is None else "recorded",
            # It would tell others that somebody's rules have changed.
            "rules_version": version if self._everything else None,
            "reproduced": None,
            "stored_price": stored,
            "explained_price": None,
            "steps": explained.steps,
            "reasons": reasons,
        }
        if explained.point is None:
            return answer
        price = answer["explained_price"] = explained.point.price
        answer["reproduced"] = self._agrees(placed.point, price)
        if not answer["reproduced"]:
            reasons.append(reason("not_reproduced", _difference(price, stored, version)))
        elif price != stored:
            answer["rounding"] = EXACT.subtract(stored, price)
        if not stored:
            reasons += [why for step in explained.steps for why in step["reasons"]]
            if not explained.steps:
                reasons.append(reason("no_modules", "no rating module is on"))
        return answer

    def _agrees(self, point: DataPoint, price: Decimal) -> bool:
        """Whether a price worked out from a point as it is stored is the one that is stored.

        A storage may have to round. What it has cut off of the quantity after the price was made is
        lost: as much as that can matter is allowed.
        """
        fit = self._storage.rounding()
        difference = abs(EXACT.subtract(fit(price) if fit else price, point.price))
        if not difference:
            return True
        exponent = point.qty.as_tuple().exponent
        if not (fit and point.qty and isinstance(exponent, int)):
            return False
        longer = Decimal(1).scaleb(exponent - 1)
        if fit(longer) == longer:  # there was room for more digits
            return False
        unit = Decimal(1).scaleb(exponent)
        per_unit = abs(EXACT.divide(price, point.qty))
        return difference <= EXACT.multiply(unit, EXACT.add(per_unit, Decimal(1)))


def scope_of(point: DataPoint, scope_key: str) -> str | None:
    """Give the scope that the labels of a point name; None if they name none, or two."""
    labels = [point.groupby.get(scope_key), point.metadata.get(scope_key)]
    named = {str(label) for label in labels if label is not None} - {""}
    return named.pop() if len(named) == 1 else None


@functools.lru_cache(maxsize=_REMEMBERED)
def _recorded(version: str) -> snapshots.RuleSet:
    """Give a rule set, which never changes; raises LookupError if it is not there."""
    found = snapshots.load(version)
    if found is None:
        raise LookupError(version)
    return found


def _posted(placed: Placed, why: Reason) -> Explanation:
    return {
        "source": "posted",
        "rules_version": None,
        "reproduced": None,
        "stored_price": placed.point.price,
        "explained_price": None,
        "steps": [],
        "reasons": [why],
    }


def _difference(price: Decimal, stored: Decimal, version: str | None) -> str:
    if version is None:
        why = "rules have changed since it was rated"
    else:
        why = "it was posted to a period that is rated, or a script does not do the same again"
    return f"the rules give {price}, what is stored is {stored}: maybe {why}"


def _kind(metric: str, point: DataPoint) -> str:
    return repr((metric, *point[:3], sorted(point.desc.items(), key=repr)))
