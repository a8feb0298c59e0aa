# SPDX-License-Identifier: Apache-2.0
"""Leaving out points that are not worth storing (contract processor.md 5).

The expression of a metric, else ``[orchestrator] skip_datapoints_expression``, is evaluated for
every rated point; the points for which it is true are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from oslo_log import log

from cloudkitty import timeutils
from cloudkitty.processor.expression import InvalidExpression, parse
from cloudkitty.usage import Series

LOG = log.getLogger(__name__)

__all__ = ["InvalidExpression", "SkipExpression", "compile_expression", "drop", "expressions"]

_NAMES: Final = frozenset({"datapoint"})


class SkipExpression:
    """Says whether a point is to be dropped; built from valid text only.

    `never` is true when no point can ever match, so that nobody needs to ask.
    """

    __slots__ = ("_evaluate", "_metric", "_told", "never", "text")

    def __init__(self, text: str, metric: str = "") -> None:
        """Parse; raises InvalidExpression naming the metric, the text and the part at fault."""
        where = f"metric '{metric}': " if metric else ""
        try:
            self._evaluate = parse(text, _NAMES)
        except InvalidExpression as exc:
            raise InvalidExpression(f"{where}skip_datapoints_expression {text!r}: {exc}") from None
        self.text = text
        self._metric = metric
        self._told = False
        self.never = text.strip() in {"False", "None", "0"}

    def __call__(self, datapoint: Mapping[str, Any]) -> bool:
        """Say whether to drop a point given in its dict form.

        A point for which the expression fails is kept; the first failure is logged.
        """
        try:
            return bool(self._evaluate({"datapoint": datapoint}))
        except Exception as exc:  # noqa: BLE001 - the text is the operator's: anything may come
            if not self._told:
                self._told = True
                LOG.warning(
                    "metric '%s': skip_datapoints_expression %r fails, the points are kept: %s: %s",
                    self._metric,
                    self.text,
                    type(exc).__name__,
                    exc,
                )
            return False


def compile_expression(text: str, metric: str = "") -> SkipExpression:
    """Give the expression ready for use; `metric` is for messages.

    Raises InvalidExpression (a ValueError) when the text is not in the allowed language.
    """
    return SkipExpression(text, metric)


def expressions(
    definitions: Mapping[str, Mapping[str, Any]], default: str
) -> dict[str, SkipExpression]:
    """Give metric key -> its expression for validated definitions of metrics.yml.

    `default` is the text for metrics without their own. Raises InvalidExpression.
    """
    return {
        key: compile_expression(definition.get("skip_datapoints_expression", default), key)
        for key, definition in definitions.items()
    }


def drop(series: Series, expression: SkipExpression) -> int:
    """Drop from `series`, in place, the points for which `expression` is true; gives how many."""
    if expression.never:
        return 0
    vol: dict[str, Any] = {"unit": series.unit, "qty": None}
    rating: dict[str, Any] = {"price": None}
    # One dict for all points: nothing in the language can change or keep it.
    point = {
        "vol": vol,
        "rating": rating,
        "groupby": dict(series.groupby),
        "metadata": dict(series.metadata),
    }
    kept: list[int] = []
    for index, begin in enumerate(series.begins):
        vol["qty"], rating["price"] = series.qtys[index], series.prices[index]
        if series.calendar:
            point["groupby"].update(timeutils.calendar_keys(begin))
        if not expression(point):
            kept.append(index)
    dropped = len(series.begins) - len(kept)
    if dropped:
        series.begins = [series.begins[i] for i in kept]
        series.qtys = [series.qtys[i] for i in kept]
        series.prices = [series.prices[i] for i in kept]
    return dropped
