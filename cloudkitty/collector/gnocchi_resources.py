# SPDX-License-Identifier: Apache-2.0
"""What the Gnocchi collector asks about resources themselves, once for all metrics of a type.

Their attributes of today give the metadata of points (contract collect.md 2.1.2, 2.1.4); when
they changed says which scopes may be asked for together (``gnocchi_query``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from cloudkitty import timeutils
from cloudkitty.collector.gnocchi_query import REVISION, iso, of_scopes
from cloudkitty.collector.gnocchi_series import Lookup
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.gnocchi.client import GnocchiClient, Resource
from cloudkitty.gnocchi.errors import GnocchiError

# The metrics of a batch are asked for at about the same time; what is found is used for all.
_SECONDS: Final = 60.0
# Values of a condition in one request.
_VALUES: Final = 1000

_T = TypeVar("_T")


class Once:
    """Keeps results for a minute; what is being found out is waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[float, Future[Any]]] = {}

    def get(self, key: Hashable, find: Callable[[], _T]) -> _T:
        """Give what `find` gave for `key` less than a minute ago, or gives now.

        Raises what `find` raises, and does not keep that for later.
        """
        with self._lock:
            now = time.monotonic()
            for old in [k for k, (until, _) in self._known.items() if until < now]:
                del self._known[old]
            known = self._known.get(key)
            if known is None:
                future: Future[_T] = Future()
                self._known[key] = (float("inf"), future)
        if known is not None:
            return cast("_T", known[1].result())
        try:
            found = find()
        except BaseException as exc:
            with self._lock:
                del self._known[key]
            future.set_exception(exc)
            raise
        with self._lock:
            self._known[key] = (time.monotonic() + _SECONDS, future)
        future.set_result(found)
        return found


@dataclass(frozen=True, slots=True)
class Changes:
    """For which scopes revisions begin within a range of time."""

    #: Scopes with such a revision.
    restless: frozenset[str] = frozenset()
    #: Those of them whose resource is another scope's too: it was given away in that time, or two
    #: resources that were made by different users have the same name.
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Known:
    """A resource as it is today."""

    scope: str
    attributes: Mapping[str, Any]
    started: float
    ended: float


class Resources:
    """Asks for resources; safe for threads."""

    def __init__(
        self,
        client: GnocchiClient,
        definitions: Iterable[Mapping[str, Any]],
        scope_key: str,
        period: int,
    ) -> None:
        """`definitions` are all validated ones of metrics.yml, `period` is that of collecting."""
        self._client = client
        self._scope_key = scope_key
        self._period = period
        self._once = Once()
        # Resource type -> attributes that some metric wants: nothing else is kept.
        self._wanted: dict[str, set[str]] = {}
        for definition in definitions:
            extra = definition["extra_args"]
            wanted = self._wanted.setdefault(extra["resource_type"], set())
            wanted |= {scope_key, "started_at", "ended_at"}
            wanted |= {extra["resource_key"], *definition["metadata"]}

    def lookup(
        self,
        definition: Mapping[str, Any],
        scopes: Sequence[str],
        begins: Sequence[int],
        end: int,
        *,
        q_filter: Any = None,
        seconds: float | None = None,
    ) -> Lookup | None:
        """Give what finds the metadata of the resources of `scopes`, None if none is wanted.

        `end` is that of the last period. Raises GnocchiError.
        """
        names: Sequence[str] = definition["metadata"]
        if not names:
            return None
        extra = definition["extra_args"]
        resource_type, resource_key = extra["resource_type"], extra["resource_key"]
        begin = begins[0]

        def find() -> list[_Known]:
            return list(
                self._search(resource_type, resource_key, scopes, begin, end, q_filter, seconds)
            )

        key = (resource_type, resource_key, tuple(scopes), begin, end)
        known = find() if q_filter else self._once.get(key, find)
        # The search for one period has looked at the times.
        every = len(begins) == 1
        index: dict[tuple[str, Any], list[tuple[_Known, ImmutableDict]]] = {}
        for one in known:
            get = one.attributes.get
            metadata = ImmutableDict({name: get(name, "") for name in names})
            index.setdefault((one.scope, get(resource_key)), []).append((one, metadata))

        def look(scope: str, value: Any, start: int) -> ImmutableDict | None:
            for one, metadata in reversed(index.get((scope, value), ())):
                if every or self._is_there(one, start):
                    return metadata
            return None

        return look

    def changes(
        self,
        resource_type: str,
        scopes: Sequence[str],
        start: int,
        stop: int,
        *,
        seconds: float | None = None,
    ) -> Changes:
        """Say for which of `scopes` revisions begin between `start` and `stop`, neither included.

        Raises GnocchiError.
        """

        def find() -> Changes:
            until = None if seconds is None else time.monotonic() + seconds
            of_name = self._begun(resource_type, scopes, start, stop, until)
            restless = frozenset[str]().union(*of_name.values())
            if len(scopes) == 1 or not of_name:
                return Changes(restless)
            owners = self._owners(resource_type, scopes, start, stop, list(of_name), until)
            shared = [some for some in owners.values() if len(some) > 1]
            return Changes(restless, frozenset[str]().union(*shared))

        return self._once.get((resource_type, tuple(scopes), start, stop), find)

    def _begun(
        self,
        resource_type: str,
        scopes: Sequence[str],
        start: int,
        stop: int,
        until: float | None,
    ) -> dict[str, set[str]]:
        """Give name of a resource -> scopes for which a revision of it begins in between."""
        conditions = [
            *of_scopes(self._scope_key, scopes),
            {">": {REVISION: iso(start)}},
            {"<": {REVISION: iso(stop)}},
        ]
        return self._revisions(resource_type, conditions, until)

    def _owners(
        self,
        resource_type: str,
        scopes: Sequence[str],
        start: int,
        stop: int,
        names: Sequence[str],
        until: float | None,
    ) -> dict[str, set[str]]:
        """Give name of a resource -> scopes that have a revision of it in that time."""
        owners: dict[str, set[str]] = {}
        for first in range(0, len(names), _VALUES):
            some = names[first : first + _VALUES]
            conditions = [
                *of_scopes(self._scope_key, scopes),
                {"in": {"original_resource_id": list(some)}},
                # As Gnocchi does for aggregates.
                {"<": {REVISION: iso(stop)}},
                {"or": [{">=": {"revision_end": iso(start)}}, {"=": {"revision_end": None}}]},
            ]
            owners |= self._revisions(resource_type, conditions, until)
        return owners

    def _revisions(
        self, resource_type: str, conditions: Sequence[Any], until: float | None
    ) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        revisions = self._client.search_resources(
            resource_type,
            {"and": conditions},
            attributes=["original_resource_id", self._scope_key],
            history=True,
            seconds=None if until is None else max(until - time.monotonic(), 0.0),
        )
        for revision in revisions:
            try:
                name, scope = revision["original_resource_id"], revision[self._scope_key]
            except KeyError as exc:
                raise GnocchiError(f"a revision of a {resource_type} without {exc}") from exc
            found.setdefault(name, set()).add(scope)
        return found

    def _search(
        self,
        resource_type: str,
        resource_key: str,
        scopes: Sequence[str],
        begin: int,
        end: int,
        q_filter: Any,
        seconds: float | None,
    ) -> Iterable[_Known]:
        margin = self._period
        ended = {">=": {"ended_at": iso(begin - margin)}}
        wanted = self._wanted[resource_type]
        found = self._client.search_resources(
            resource_type,
            {
                "and": [
                    {"or": [{"=": {"ended_at": None}}, ended]},
                    {"<=": {"started_at": iso(end + margin)}},
                    *of_scopes(self._scope_key, scopes),
                    *([q_filter] if q_filter else []),
                ]
            },
            sort_key=resource_key,
            attributes=sorted(wanted) if len(scopes) > 1 else (),
            seconds=seconds,
        )
        asked = frozenset(scopes)
        for resource in found:
            attributes = {name: resource[name] for name in wanted & resource.keys()}
            scope = next(iter(scopes), "")
            if len(scopes) > 1:
                scope = attributes.get(self._scope_key, "")
            if asked and scope not in asked:
                raise GnocchiError(f"a resource of scope {scope!r}, which was not asked for")
            started = _epoch(resource, "started_at", float("-inf"))
            yield _Known(scope, attributes, started, _epoch(resource, "ended_at", float("inf")))

    def _is_there(self, one: _Known, begin: int) -> bool:
        """Say whether the search for that period alone would have found the resource."""
        margin = self._period
        return one.ended >= begin - margin and one.started <= begin + self._period + margin


def _epoch(resource: Resource, name: str, missing: float) -> float:
    text = resource.get(name)
    if text is None:
        return missing
    try:
        return timeutils.parse_iso(text).timestamp()
    except (ValueError, TypeError) as exc:
        raise GnocchiError(f"{name} of a resource is no time: {text!r}") from exc
