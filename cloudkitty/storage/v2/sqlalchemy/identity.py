# SPDX-License-Identifier: Apache-2.0
"""What makes two points of one series, and which points replace one another (storage.md 5.1)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from cloudkitty import timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.storage.v2.query import text
from cloudkitty.storage.v2.sqlalchemy.models import DIGEST_LENGTH, NAME_LENGTH, SCOPE_LENGTH
from cloudkitty.usage import Series, split_calendar

#: Scope key and id: a row of ck_scopes.
ScopeName = tuple[str, str]
#: The scope of points that name no single one.
NO_SINGLE_SCOPE: Final[ScopeName] = ("", "")

_CALENDAR: Final = frozenset(timeutils.CALENDAR_NAMES)
_TEXT: Final = {str}


class SeriesInfo(NamedTuple):
    """A row of ck_series before it has an id; texts are as they are stored."""

    digest: bytes
    identity: bytes
    scope: ScopeName
    metric: str
    unit: str
    groupby: str
    metadata: str
    description: str | None
    calendar: bool


def describe(series: Series, scope_key: str) -> SeriesInfo:
    """Give the row of a series, labels in the form in which they are stored (5.1.4).

    Raises ValueError naming a metric type or unit that cannot be stored.
    """
    groupby = groupby_form(series.groupby)
    if series.calendar and not _CALENDAR.isdisjoint(groupby):
        groupby = {k: v for k, v in groupby.items() if k not in _CALENDAR}
    metadata = {str(k): metadata_value(v) for k, v in series.metadata.items()}
    scope = scope_of(groupby, metadata, scope_key)
    groupby_json, metadata_json = dumps(groupby), dumps(metadata)
    head = (storable(series.metric, "metric type"), storable(series.unit, "unit"))
    description = series.description
    if description is not None:
        description = description.replace("\x00", "")
    names = dumps([*head, scope, description, series.calendar])
    present = {k: v for k, v in groupby.items() if v} if "" in groupby.values() else None
    return SeriesInfo(
        _digest(names, groupby_json, metadata_json),
        _digest(
            dumps([series.metric, series.calendar]),
            groupby_json if present is None else dumps(present),
        ),
        scope,
        series.metric,
        series.unit,
        groupby_json,
        metadata_json,
        description,
        series.calendar,
    )


def quick_key(series: Series, scope_key: str) -> bytes | None:
    """Give a key that only series of one and the same row have; None if that cannot be told.

    Cheap, for recognising a series that has been described before: the same labels in another
    order have another key. Only labels that are text, which they nearly always are, have one.
    """
    for labels in (series.groupby, series.metadata):
        if labels and set(map(type, labels.values())) != _TEXT:
            return None
    try:
        names = orjson.dumps(
            (
                scope_key,
                series.metric,
                series.unit,
                series.groupby,
                series.metadata,
                series.description,
                series.calendar,
            ),
        )
    except TypeError:  # a name that is no text, a lone surrogate
        return None
    return hashlib.blake2b(names, digest_size=DIGEST_LENGTH).digest()


def split_by_calendar(series: Series) -> Iterator[Series]:
    """Give the series that a series is stored as.

    Nearly always itself. Date keys that are labels may be those of some of its periods and not
    of others; what they are does not depend on who stores them, so each point is looked at.
    """
    if series.calendar or not _CALENDAR.issubset(series.groupby):
        yield series
        return
    groupby = ImmutableDict(groupby_form(series.groupby))
    parts: dict[bool, Series] = {}
    for begin, qty, price in zip(series.begins, series.qtys, series.prices, strict=True):
        rest, calendar = split_calendar(groupby, begin)
        if calendar not in parts:
            parts[calendar] = Series(
                series.metric,
                series.unit,
                rest,
                series.metadata,
                series.description,
                calendar,
            )
        part = parts[calendar]
        part.begins.append(begin)
        part.qtys.append(qty)
        part.prices.append(price)
    yield from parts.values()


def scope_of(groupby: Mapping[str, str], metadata: Mapping[str, Any], key: str) -> ScopeName:
    """Give the scope that labels name, if they name one and no other.

    A point has a scope of its own when whoever filters or groups by the scope key sees nothing
    else than that; any other point belongs to the row without a scope, and is judged by labels.
    """
    identifier = groupby.get(key, "")
    other = text(metadata[key]) if key in metadata else identifier
    if other != identifier:
        return NO_SINGLE_SCOPE
    return scope_name(key, identifier)


def scope_name(key: str, identifier: str) -> ScopeName:
    """Give the row of ck_scopes for a scope id."""
    if len(identifier) > SCOPE_LENGTH or len(key) > NAME_LENGTH or not _plain(identifier):
        return NO_SINGLE_SCOPE
    return key, identifier


def groupby_form(groupby: Mapping[Any, Any]) -> dict[str, str]:
    """Give groupby labels as they are stored: text."""
    return {
        k if type(k) is str else str(k): v if type(v) is str else text(v)
        for k, v in groupby.items()
    }


def metadata_value(value: Any) -> Any:
    """Give a metadata value as it is stored: text, a number or a truth value."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str | int):
        return value
    return text(value)


def storable(value: str, what: str) -> str:
    """Give a name back; raises ValueError if a column cannot hold it."""
    if len(value) > NAME_LENGTH:
        raise ValueError(f"{what} {value[:40]!r}… is longer than {NAME_LENGTH} characters")
    if not _plain(value):
        raise ValueError(f"{what} {value!r} holds a character that cannot be stored")
    return value


def dumps(value: Any) -> str:
    """Give canonical JSON: sorted names, no blanks."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except (TypeError, ValueError):  # an integer over 64 bits, a lone surrogate
        return json.dumps(value, sort_keys=True, separators=(",", ":"))


def loads(value: str) -> dict[str, Any]:
    """Read what `dumps` gave."""
    # Not orjson: it reads integers over 64 bits as floats.
    found: dict[str, Any] = json.loads(value)
    return found


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=DIGEST_LENGTH).digest()


def _plain(value: str) -> bool:
    """Whether every engine can keep the text: no NUL, no lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value
