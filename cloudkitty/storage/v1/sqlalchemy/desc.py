# SPDX-License-Identifier: Apache-2.0
"""Labels of a point as the text of the column ``desc``, and which points replace one another.

The text is a JSON object with the metadata first and the labels of groupby after them. A line
break stands between the two: older releases read the same object, and we know which labels make a
point the one it is (storage.md 5.1.3). Rows of older releases have none; there the labels of the
new point have to be the last ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cloudkitty import timeutils
from cloudkitty.storage.v2.query import text

LOG = logging.getLogger(__name__)

_BREAK: Final = "\n"
#: They follow from a period's begin, and rows of before 2024 lack them.
_CALENDAR: Final = frozenset(timeutils.CALENDAR_NAMES)

Pairs = frozenset[tuple[str, str]]


class Identity(NamedTuple):
    """Which labels a point replaces others by; `metadata` are the names of its other labels.

    `whole`: nobody has said what is groupby and what metadata, so all labels have to be equal.
    """

    pairs: Pairs
    names: frozenset[str]
    metadata: frozenset[str]
    whole: bool = False


class Stored(NamedTuple):
    """The labels of a row; `groupby` are the names known to be of groupby, None if unknown."""

    labels: dict[str, Any]
    groupby: frozenset[str] | None


def identity(groupby: Mapping[str, str], metadata: Iterable[str]) -> Identity:
    """Give the identity of a point with these labels."""
    names = frozenset(groupby) - _CALENDAR
    return Identity(_pairs(groupby, names), names, frozenset(metadata) - names)


def whole_identity(labels: Mapping[str, Any]) -> Identity:
    """Give the identity of a point of which nothing but all labels is known."""
    names = frozenset(labels) - _CALENDAR
    return Identity(_pairs(labels, names), names, frozenset(), whole=True)


def write(metadata: Mapping[str, Any], groupby: Mapping[str, str]) -> str:
    """Give the text; labels of groupby go before metadata of the same name."""
    own = {name: value for name, value in metadata.items() if name not in groupby}
    parts = [_members(own), _members(groupby)]
    comma = "," if own and groupby else ""
    return f"{{{parts[0]}{comma}{_BREAK}{parts[1]}}}"


def write_whole(labels: Mapping[str, Any]) -> str:
    """Give the text of labels of which nobody says what is groupby and what metadata."""
    return f"{{{_members(labels)}}}"


def extended(written: str, groupby: Mapping[str, str]) -> str:
    """Give what `write` gave with more labels of groupby, which must be new."""
    comma = "" if written.endswith(f"{_BREAK}}}") else ", "
    return f"{written[:-1]}{comma}{_members(groupby)}}}"


def read(written: str) -> Stored:
    """Read the text; what is no object counts as no labels."""
    try:
        labels = json.loads(written)
    except ValueError:
        labels = None
    if not isinstance(labels, dict):
        LOG.warning("rated_data_frames has a row whose desc is no JSON object: %.80r", written)
        return Stored({}, None)
    head, found, _tail = written.partition(_BREAK)
    if not found:
        return Stored(labels, None)
    metadata = json.loads(f"{head.removesuffix(',')}}}")
    return Stored(labels, frozenset(labels) - frozenset(metadata))


class Replacements:
    """Says which rows points with some identities replace."""

    def __init__(self, identities: Collection[Identity]) -> None:
        self._whole = {one.pairs for one in identities if one.whole}
        self._known = {one.pairs for one in identities if not one.whole}
        self._shapes = {(one.names, one.metadata) for one in identities if not one.whole}

    def __contains__(self, stored: Stored) -> bool:
        """Whether a row is replaced."""
        labels = stored.labels
        if self._whole and _pairs(labels, labels.keys() - _CALENDAR) in self._whole:
            return True
        if stored.groupby is not None:
            return _pairs(labels, stored.groupby - _CALENDAR) in self._known
        names = [name for name in labels if name not in _CALENDAR]
        return any(
            self._is_tail(names, shape - metadata) and _pairs(labels, shape) in self._known
            for shape, metadata in self._shapes
        )

    @staticmethod
    def _is_tail(names: list[str], wanted: frozenset[str]) -> bool:
        return frozenset(names[len(names) - len(wanted) :]) == wanted


def _pairs(labels: Mapping[str, Any], names: Iterable[str]) -> Pairs:
    return frozenset(
        (name, value) for name in names if name in labels and (value := text(labels[name]))
    )


def _members(labels: Mapping[str, Any]) -> str:
    # As json.dumps writes an object, without its braces.
    return json.dumps(labels)[1:-1]
