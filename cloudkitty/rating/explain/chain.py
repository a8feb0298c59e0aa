# SPDX-License-Identifier: Apache-2.0
"""The modules of a rule set, and how frames go through them step by step.

The steps are those of rating (:mod:`cloudkitty.rating.step`), in the classic form: one instance for
each scope, rules chosen for each period, frame in and frame out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.db.engines import EXACT
from cloudkitty.rating.explain.model import Reason, Step, reason
from cloudkitty.rating.modules import Modules, find
from cloudkitty.rating.snapshots import RecordedModule, RuleSet
from cloudkitty.rating.step import ModuleError, call, takes_date
from cloudkitty.rating.step import Step as Rated

_Point = tuple[str, DataPoint]
_ZERO: Final = Decimal(0)


@dataclass(slots=True)
class Explained:
    """What became of a point; `point` is None if it got lost on the way."""

    point: DataPoint | None
    steps: list[Step] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Link:
    rated: Rated
    rules: Literal["recorded", "present"]


class Chain:
    """The modules of a rule set; for one thread.

    `present`: the rule set is that of now, not one that was recorded.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        modules: Modules | None = None,
        *,
        present: bool = False,
    ) -> None:
        self._rule_set = rule_set
        self._modules = modules or find()
        self._present = present
        self._links: dict[str | None, list[_Link]] = {}

    def pointwise(self, frame: DataFrame, tenant: str | None) -> bool:
        """Whether points of a tenant's frame can be explained without the others.

        Raises ModuleError naming a module that cannot be loaded, or read its rules.
        """
        links = self._of(tenant)
        for link in links:
            link.rated.reload(frame)
        return all(link.rated.module.pointwise for link in links)

    def explain(
        self,
        frame: DataFrame,
        wanted: Collection[int],
        tenant: str | None,
        *,
        everything: bool,
        begin: dt.datetime | None = None,
    ) -> dict[int, Explained]:
        """Take a frame through the modules; says what becomes of the points that are wanted.

        They are given by number, in the order of ``iterpoints``. Prices are as in the frame at
        first. The rules are those in force at `begin`, by default that of the frame. What fails is
        a reason, and the end of that explanation.
        """
        points = list(frame.iterpoints())
        found = {number: Explained(points[number][1]) for number in wanted}
        places = {number: number for number in wanted}
        try:
            links = self._of(tenant)
            dated = frame if begin is None else DataFrame(begin, begin)
            for link in links:
                link.rated.reload(dated)
            for link in links:
                frame = _take(link, frame, places, found, everything=everything)
        except ModuleError as exc:
            # What a script or a plug-in says of its failure may be more than who asks should know.
            text = str(exc) if everything else "a rating module failed"
            for one in found.values():
                one.point = None
                one.reasons.append(reason("failed", text))
        return found

    def _of(self, tenant: str | None) -> list[_Link]:
        if tenant not in self._links:
            self._links[tenant] = [self._link(one, tenant) for one in self._rule_set.modules]
        return self._links[tenant]

    def _link(self, recorded: RecordedModule, tenant: str | None) -> _Link:
        name = recorded.name
        cls = self._modules.classes.get(name)
        if cls is None:
            why = self._modules.broken.get(name, "it is not installed any more")
            raise ModuleError(f"rating module '{name}' could not be loaded: {why}")
        module = call(name, "could not be loaded", lambda: cls(tenant_id=tenant))
        if recorded.snapshot is not None:
            call(name, "could not read its rules", module.restore, recorded.snapshot)
        known = recorded.snapshot is not None and not self._present
        rated = Rated(name, recorded.priority, module, batch=False, dated=takes_date(module))
        return _Link(rated, "recorded" if known else "present")


def _take(
    link: _Link,
    frame: DataFrame,
    places: dict[int, int],
    found: Mapping[int, Explained],
    *,
    everything: bool,
) -> DataFrame:
    """Take a frame through one module; `places` are where the points are in it, by number."""
    name, silent = link.rated.name, True
    before = list(frame.iterpoints())
    for stage in link.rated.explain(frame, everything=everything):
        silent = False
        after = list(stage.frame.iterpoints())
        following = _followed(before, after, places)
        for number, place in places.items():
            said = call(name, "could not explain itself", stage.why, place)
            then = following.get(number)
            if then is None:
                found[number].point = None
                text = f"{name} has removed the point, or changed its labels"
                found[number].reasons.append(reason("lost", text))
                continue
            found[number].point = after[then][1]
            price, now = before[place][1].price, after[then][1].price
            found[number].steps.append(_step(link, price, now, said))
        places.clear()
        places.update(following)
        frame, before = stage.frame, after
    if silent:
        for number, place in places.items():
            price = before[place][1].price
            text = f"{name} has nothing that is in force"
            step = _step(link, price, price, {"reasons": [reason("nothing_in_force", text)]})
            found[number].steps.append(step)
    return frame


def _step(link: _Link, before: Decimal, after: Decimal, said: Mapping[str, Any]) -> Step:
    step: Step = {
        "module": link.rated.name,
        "rules": link.rules,
        "price_before": before,
        "amount": EXACT.subtract(after, before),
        "price_after": after,
        "reasons": list(said.get("reasons", ())),
    }
    for key in ("groups", "script", "details"):
        if key in said:
            step[key] = said[key]
    return step


def _followed(
    before: Sequence[_Point],
    after: Sequence[_Point],
    places: Mapping[int, int],
) -> dict[int, int]:
    """Give where points are after a module, those that are still there."""
    if list(map(_kind, before)) == list(map(_kind, after)):
        return dict(places)
    # A script has added, removed or changed some: the others are known by their labels.
    free: dict[Any, list[int]] = {}
    for place, point in enumerate(after):
        free.setdefault(_kind(point), []).append(place)
    used: dict[Any, int] = {}
    wanted = {place: number for number, place in places.items()}
    found: dict[int, int] = {}
    for place, point in enumerate(before):
        kind = _kind(point)
        rank = used[kind] = used.get(kind, -1) + 1
        if place in wanted and rank < len(free.get(kind, ())):
            found[wanted[place]] = free[kind][rank]
    return found


def _kind(point: _Point) -> Any:
    metric, data = point
    return metric, data.unit, repr(sorted(data.desc.items(), key=repr))
