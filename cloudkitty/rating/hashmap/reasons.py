# SPDX-License-Identifier: Apache-2.0
"""Why hashmap adds nothing to the price of a point.

What other tenants have is told to administrators only; so are rules that are yet to come.
"""

from __future__ import annotations

import difflib
import itertools
import operator
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, cast

from cloudkitty.dataframe import DataPoint
from cloudkitty.rating.dates import local_now
from cloudkitty.rating.explain.model import Group, Reason, reason
from cloudkitty.rating.hashmap.rules import MappingRule, ThresholdRule
from cloudkitty.rating.hashmap.view import AnyRule, View, date, label, shown

#: Values, levels, and rules of one kind that are named.
_MOST: Final = 5
#: Values that are compared letter by letter, of those that begin alike.
_COMPARED: Final = 50


def of(
    view: View,
    point: DataPoint,
    groups: Sequence[Group],
    *,
    everything: bool,
) -> list[Reason]:
    """Give the reasons; `groups` are what rules applied in, which add up to nothing."""
    if view.tariff is None:
        text = f"hashmap has no service {view.service}"
        return [reason("no_service", text)]
    found = [one for group in groups for one in group["reasons"]]
    if groups and not found:
        found.append(reason("cancels_out", "the groups cancel out"))
    if not groups:
        found += _no_match(view, point)
    found += _not_valid(view, point, everything=everything)
    if everything:
        found += _of_others(view, point)
    return found


def _no_match(view: View, point: DataPoint) -> list[Reason]:
    """Say what the rules of a service look at, and what the point has."""
    if not view.in_force:
        return [reason("no_rules", f"service {view.service} has no rules that are valid for it")]
    # Rates make no price, so they are not what is missing; unless there is nothing else.
    rules = [rule for rule in view.in_force if rule.price.flat] or view.in_force
    fields = sorted({rule.field for rule in rules if rule.field is not None})
    found = [why for field in fields for why in _of_field(view, point, field, rules)]
    found += _below([rule for rule in rules if rule.field is None], "the quantity", point.qty)
    return found


def _of_field(
    view: View,
    point: DataPoint,
    field: str,
    rules: Iterable[AnyRule],
) -> Iterator[Reason]:
    given = label(point, field)
    if given is None:
        yield reason("no_label", f"the point has no label {field}", field=field)
        return
    rules = [rule for rule in rules if rule.field == field]
    value = shown(given[0])
    known = {rule.value for rule in rules if isinstance(rule, MappingRule)} - {None}
    if known:
        yield _unknown(field, value, cast("set[str]", known))
    compared = next((view.compared(r, point) for r in rules if isinstance(r, ThresholdRule)), "")
    if isinstance(compared, Decimal):
        yield from _below(rules, f"label {field}", compared)
    elif compared is None:
        text = f"label {field} has thresholds, but {value!r} is no number"
        yield reason("no_number", text, field=field, value=value)


def _unknown(field: str, value: str, known: Collection[str]) -> Reason:
    """Say that no rule knows a value, and which it knows."""
    nearest = near(value, known)
    more = len(known) - len(nearest)
    listed = ", ".join(map(repr, nearest)) + (f" and {more} more" if more else "")
    return reason(
        "no_match",
        f"no mapping of {field} is for {value!r}; there are some for {listed}",
        field=field,
        value=value,
        known=nearest,
        more=more,
    )


def _below(rules: Iterable[AnyRule], what: str, number: Decimal) -> Iterator[Reason]:
    """Say that none of the thresholds among some rules is reached."""
    levels = [rule.level for rule in rules if isinstance(rule, ThresholdRule)]
    if levels and number < min(levels):
        text = f"{what}, {number}, is below the lowest threshold, {min(levels)}"
        yield reason("below_threshold", text, compared=number, level=min(levels))


def _not_valid(view: View, point: DataPoint, *, everything: bool) -> list[Reason]:
    """Name rules that would apply, but at another time."""
    now = local_now()
    in_force = set(map(id, view.in_force))
    found = [
        rule
        for rule in view.visible
        if id(rule) not in in_force
        and (everything or rule.start is None or rule.start <= now)
        and view.would_apply(rule, point)
    ]
    return [
        _about(rule, "not_valid", f"is valid {_window(rule)} only")
        # The latest are more likely to be those that were meant.
        for rule in found[: -_MOST - 1 : -1]
    ]


def _of_others(view: View, point: DataPoint) -> list[Reason]:
    """Name rules that would apply if the point were somebody else's."""
    found = (rule for rule in view.others if view.would_apply(rule, point))
    return [
        _about(rule, "other_tenant", f"is for tenant {rule.tenant} only", tenant=rule.tenant)
        for rule, _ in zip(found, range(_MOST), strict=False)
    ]


def _about(rule: AnyRule, code: str, text: str, **details: Any) -> Reason:
    kind = "mapping" if isinstance(rule, MappingRule) else "threshold"
    where = "" if rule.field is None else f" of {rule.field}"
    return reason(
        code,
        f"{kind} {rule.id}{where} {text}",
        id=rule.id,
        start=date(rule.start),
        end=date(rule.end),
        **details,
    )


def _window(rule: AnyRule) -> str:
    parts = [
        f"{word} {bound.replace('T', ' ')}"
        for word, bound in (("from", date(rule.start)), ("until", date(rule.end)))
        if bound is not None
    ]
    return " ".join(parts)


def near(value: str, known: Iterable[str], most: int = _MOST) -> list[str]:
    """Give those of `known` that are most like `value`, the most alike first."""
    folded = value.strip().casefold()

    def alike(other: str) -> tuple[bool, int]:
        other = other.strip().casefold()
        same = itertools.takewhile(bool, map(operator.eq, other, folded))
        return other != folded, -sum(same)

    def distance(other: str) -> tuple[bool, float, str]:
        ratio = difflib.SequenceMatcher(None, folded, other.strip().casefold()).ratio()
        return alike(other)[0], -ratio, other

    # Comparing every letter of thousands of values would take long.
    candidates = sorted(sorted(known), key=alike)[:_COMPARED]
    return sorted(candidates, key=distance)[:most]
