# SPDX-License-Identifier: Apache-2.0
"""Attributes of resources, from Gnocchi, as they are now.

A resource that has ended still has them. Where several resources have the key (all instances of a
flavor), the one that changed last speaks for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import orjson

from cloudkitty.collector.base import CollectError
from cloudkitty.collector.joins.base import Key, Labels
from cloudkitty.collector.joins.directory import Directory
from cloudkitty.gnocchi.client import GnocchiClient
from cloudkitty.gnocchi.errors import GnocchiError

#: Attributes that one resource at most has with the same value.
_UNIQUE: Final = frozenset({"id", "original_resource_id"})
#: Values asked for at once.
_MOST: Final = 500


class GnocchiDirectory(Directory):
    """The attributes of the resources of one type, by one or more of their attributes."""

    def __init__(
        self,
        client: GnocchiClient,
        resource_type: str,
        on: Sequence[str],
        attributes: Sequence[str],
        seconds: float,
    ) -> None:
        """Take the attributes that keys are made of and all that are needed."""
        super().__init__(seconds)
        self._client = client
        self._type = resource_type
        self._on = tuple(on)
        self._attributes = tuple(dict.fromkeys([*on, *attributes]))

    def fetch(self, keys: Collection[Key]) -> dict[Key, Labels]:
        """Ask Gnocchi; raises CollectError."""
        try:
            return dict(self._search(list(keys)))
        except GnocchiError as exc:
            raise CollectError(str(exc)) from exc

    def _search(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Labels]]:
        if len(self._on) == 1 and self._on[0] in _UNIQUE:
            name = self._on[0]
            for first in range(0, len(keys), _MOST):
                values = [key[0] for key in keys[first : first + _MOST]]
                for found in self._client.search_resources(
                    self._type, {"in": {name: values}}, attributes=self._attributes
                ):
                    yield (str(found.get(name)),), self._labels(found)
            return
        for key in keys:
            same = [{"=": {name: value}} for name, value in zip(self._on, key, strict=True)]
            resources = self._client.search_resources(
                self._type,
                {"and": same} if len(same) > 1 else same[0],
                sort_key="revision_start",
                descending=True,
                attributes=self._attributes,
                limit=1,
            )
            for found in islice(resources, 1):
                yield key, self._labels(found)

    def _labels(self, found: dict[str, Any]) -> Labels:
        return {name: _plain(found.get(name)) for name in self._attributes}


def _plain(value: Any) -> Any:
    """Give what can be a label: lists and dictionaries as JSON."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
