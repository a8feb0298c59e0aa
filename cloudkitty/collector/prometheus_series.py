# SPDX-License-Identifier: Apache-2.0
"""From what Prometheus answers to points and series (contract collect.md 2.2.4).

This is the hot path of collecting: labels are looked at once per series, and a value's text is
converted once per answer however often it comes. No value passes through float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Final, cast

from cloudkitty import timeutils
from cloudkitty.collector import metrics
from cloudkitty.dataframe import DataPoint, ImmutableDict
from cloudkitty.usage import ZERO, Series

Result = list[dict[str, Any]]

# Beyond what a double can hold.
_MAX_EXPONENT: Final = 400


class BadAnswer(ValueError):  # noqa: N818 - the answer is bad
    """The series do not look like those of Prometheus, or are not those asked for."""


class _Quantities(dict[str, "Decimal | None"]):
    """Value text -> quantity, filled as texts come; counts those without a value."""

    __slots__ = ("_convert", "skipped")

    def __init__(self, convert: metrics.Conversion) -> None:
        self._convert = convert
        self.skipped = 0

    def __missing__(self, text: str) -> Decimal | None:
        if type(text) is not str:
            raise BadAnswer(f"a value is not text: {text!r}")
        try:
            raw = Decimal(text)
        except InvalidOperation:
            raise BadAnswer(f"a value is no number: {text[:50]!r}") from None
        if not raw.is_finite():
            self.skipped += 1  # not kept, so that every one is counted
            return None
        # Only text with an exponent or endless digits can be out of range.
        if ("e" in text or "E" in text or len(text) > _MAX_EXPONENT) and (
            raw and abs(raw.adjusted()) > _MAX_EXPONENT
        ):
            raise BadAnswer(f"a value is out of range: {text[:50]!r}")
        self[text] = qty = self._convert(raw)
        return qty


class SeriesReader:
    """Reads the answers for one metric definition; without state, safe for threads."""

    def __init__(self, key: str, definition: Mapping[str, Any], scope_key: str) -> None:
        """Take a metric key and its validated definition."""
        self._metric = metrics.frame_name(key, definition)
        self._unit: str = definition["unit"]
        self._description: str | None = definition.get("description")
        self.scope_key = scope_key
        # The date keys overwrite labels of the same name (2.0).
        self._groupby = [
            name
            for name in dict.fromkeys(definition["groupby"])
            if name != scope_key and name not in timeutils.CALENDAR_NAMES
        ]
        self._metadata = list(dict.fromkeys(definition["metadata"]))
        self._conversion = metrics.Conversion.of(definition)

    def points(self, result: Result, scope: str, begin: int) -> tuple[list[DataPoint], int]:
        """Give (points of one scope and period, how many values were NaN or infinite).

        Every item of the result is a point, and keeps the scope that it names (2.2.4).
        """
        found, skipped = self.vector(result, [scope], begin)
        return [series.point(0) for series in found.get(scope, ())], skipped

    def vector(
        self, result: Result, scopes: Sequence[str], begin: int, *, strict: bool = False
    ) -> tuple[dict[str, list[Series]], int]:
        """Give (scope -> series of one period, how many values were NaN or infinite).

        `result` is emptied. `strict`: it must be what Prometheus gives for an aggregation by the
        labels, that is no series twice and none of another scope. Raises BadAnswer.
        """
        quantities = _Quantities(self._conversion)
        filing = _Filing(self, scopes, strict=strict)
        for item in _drain(result):
            labels, qtys = self._vector_item(item, quantities)
            if qtys:
                filing.add(labels, [begin], qtys)
        return filing.found, quantities.skipped

    def matrix(
        self,
        result: Result,
        scopes: Sequence[str],
        begins: Sequence[int],
        period: int,
        *,
        strict: bool = False,
    ) -> tuple[dict[str, list[Series]], int]:
        """Give (scope -> series, how many values were NaN or infinite).

        A value at the end of a period is that period's. Otherwise as `vector`.
        """
        quantities = _Quantities(self._conversion)
        expected = list(begins)
        # Times come as int or float; equal ones are one key.
        begin_of = {begin + period: begin for begin in begins}
        filing = _Filing(self, scopes, strict=strict)
        for item in _drain(result):
            skipped = quantities.skipped
            try:
                labels, values = item["metric"], item["values"]
                starts = [begin_of[value[0]] for value in values]
                qtys = [quantities[value[1]] for value in values]
            except BadAnswer:
                raise
            except (KeyError, TypeError, IndexError, ValueError) as exc:
                raise _strange(item) from exc
            if starts != expected and any(b <= a for a, b in pairwise(starts)):
                raise BadAnswer("the values of a series are not in the order of time")
            if quantities.skipped != skipped:
                starts = [s for s, q in zip(starts, qtys, strict=True) if q is not None]
                qtys = [q for q in qtys if q is not None]
            if starts:
                filing.add(labels, starts, cast("list[Decimal]", qtys))
        return filing.found, quantities.skipped

    def _vector_item(
        self, item: Any, quantities: _Quantities
    ) -> tuple[dict[str, str], list[Decimal]]:
        try:
            labels, (_when, text) = item["metric"], item["value"]
            qty = quantities[text]
        except BadAnswer:
            raise
        except (KeyError, TypeError, ValueError) as exc:
            raise _strange(item) from exc
        return labels, [] if qty is None else [qty]

    def series(
        self, labels: Mapping[str, str], scope: str, begins: list[int], qtys: list[Decimal]
    ) -> Series:
        """Give the series that has these labels; without the scope's label it is `scope`'s."""
        get = labels.get
        groupby = {self.scope_key: get(self.scope_key) or scope}
        for name in self._groupby:
            groupby[name] = get(name, "")
        return Series(
            self._metric,
            self._unit,
            ImmutableDict(groupby),
            ImmutableDict({name: get(name, "") for name in self._metadata}),
            self._description,
            True,  # noqa: FBT003 - by position is twice as fast
            begins,
            qtys,
            [ZERO] * len(qtys),
        )


class _Filing:
    """Puts series under the scope they belong to."""

    def __init__(self, reader: SeriesReader, scopes: Sequence[str], *, strict: bool) -> None:
        self._reader = reader
        self._asked = frozenset(scopes)
        # The question for one scope may be of the operator's making: all of its answer counts.
        self._only = scopes[0] if len(scopes) == 1 else None
        self._seen: set[frozenset[tuple[str, str]]] | None = set() if strict else None
        self.found: dict[str, list[Series]] = {}

    def add(self, labels: Any, begins: list[int], qtys: list[Decimal]) -> None:
        if not isinstance(labels, dict):
            raise _strange(labels)
        if self._seen is not None:
            self._check_new(labels, self._seen)
        named = labels.get(self._reader.scope_key, "")
        scope = self._only
        if scope is None or (named and self._seen is not None):
            scope = named
            if scope not in self._asked:
                raise BadAnswer(f"a series of scope {scope!r}, which was not asked for")
        series = self._reader.series(labels, scope, begins, qtys)
        self.found.setdefault(scope, []).append(series)

    @staticmethod
    def _check_new(labels: dict[str, str], seen: set[frozenset[tuple[str, str]]]) -> None:
        try:
            identity = frozenset(labels.items())
        except TypeError as exc:
            raise _strange(labels) from exc
        if identity in seen:
            raise BadAnswer(f"a series twice: {_short(labels)}")
        seen.add(identity)


def _drain(result: Result) -> Iterator[Any]:
    """Yield the items in order, letting go of each: a large answer is not held twice."""
    result.reverse()
    while result:
        yield result.pop()


def _strange(item: Any) -> BadAnswer:
    if isinstance(item, dict) and ("histogram" in item or "histograms" in item):
        return BadAnswer("native histograms have no single value; use another metric or function")
    return BadAnswer(f"not a series of numbers: {_short(item)}")


def _short(item: Any) -> str:
    text = str(item)
    return f"{text[:200]}{'...' if len(text) > 200 else ''}"
