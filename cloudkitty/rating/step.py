# SPDX-License-Identifier: Apache-2.0
"""One module's part of rating, and what becomes of its failures (rating.md 2.3, 2.4)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from cloudkitty.dataframe import DataFrame, to_decimal
from cloudkitty.rating.base import RatingProcessorBase, Stage


class ModuleError(Exception):
    """A rating module failed; the text names it and says why."""


@dataclass(slots=True)
class Step:
    """A module with its place in the order, for one scope."""

    name: str
    priority: int
    module: RatingProcessorBase
    batch: bool
    #: Whether ``reload_config`` takes a date; modules from before rules had dates do not.
    dated: bool

    def reload(self, frame: DataFrame) -> None:
        """Have the module load its rules for a frame (rating.md 2.3)."""
        arguments = (frame.start,) if self.dated else ()
        call(self.name, "could not read its rules", self.module.reload_config, *arguments)

    def process(self, frame: DataFrame) -> DataFrame:
        """Give the rated frame."""
        return self._checked(call(self.name, "failed", self.module.process, frame))

    def quote(self, frame: DataFrame) -> DataFrame:
        """Give the rated frame of a quote."""
        return self._checked(call(self.name, "failed", self.module.quote, frame))

    def explain(self, frame: DataFrame, *, everything: bool) -> Iterator[Stage]:
        """Yield what the module makes of the frame, stage by stage, and why."""
        stages = iter(self.module.explain(frame, everything=everything))
        end = object()
        while (stage := call(self.name, "failed", next, stages, end)) is not end:
            yield Stage(self._checked(stage.frame), stage.why)

    def _checked(self, frame: object) -> DataFrame:
        if not isinstance(frame, DataFrame):
            given = type(frame).__name__
            raise ModuleError(f"rating module '{self.name}' gave {given}, not a DataFrame")
        if all(_is_price(point.price) for _, point in frame.iterpoints()):
            return frame
        # A point takes any price a module sets: an int or a float is a number all the same.
        out = DataFrame(frame.start, frame.end)
        for metric, point in frame.iterpoints():
            out.add_point(point.set_price(self._price(metric, point.price)), metric)
        return out

    def _price(self, metric: str, given: object) -> Decimal:
        """Refuse prices that are no number: stored, they would spoil every sum they are part of."""
        try:
            price = to_decimal(given)
        except (InvalidOperation, TypeError, ValueError):
            price = Decimal("NaN")
        if not price.is_finite():
            raise ModuleError(f"rating module '{self.name}' set the price of {metric} to {given!r}")
        return price


def _is_price(price: object) -> bool:
    return type(price) is Decimal and price.is_finite()


def call(name: str, what: str, function: Any, *args: Any) -> Any:
    """Call something of a module's; raises ModuleError naming it for whatever that raises."""
    try:
        return function(*args)
    except Exception as exc:
        raise failure(name, what, exc) from exc


def failure(name: str, what: str, exc: Exception) -> ModuleError:
    """Give the error that says which module failed, and why."""
    error = ModuleError(f"rating module '{name}' {what}: {type(exc).__name__}: {exc}")
    error.__cause__ = exc
    return error


def takes_date(module: RatingProcessorBase) -> bool:
    """Whether ``reload_config`` of a module takes a date."""
    parameters = inspect.signature(module.reload_config).parameters.values()
    return any(p.kind not in {p.KEYWORD_ONLY, p.VAR_KEYWORD} for p in parameters)
