# SPDX-License-Identifier: Apache-2.0
"""A look at the source of usage before anything is started: what is there to rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

from cloudkitty.collector import metrics as metrics_file
from cloudkitty.collector.joins import schema as joins
from cloudkitty.collector.prometheus import EXTRA_ARGS
from cloudkitty.demo.run.settings import Settings, UsageError

_TIMEOUT: Final = 60
#: What these give is what happened in the period; the rest is a state, which lasts hours.
_FLOWS: Final = frozenset({"changes", "delta", "idelta", "increase", "resets"})


@dataclass(frozen=True, slots=True)
class Scopes:
    """Where the fetcher finds the scopes, and how many there are at present."""

    metric: str
    label: str
    count: int


def definitions(settings: Settings) -> dict[str, dict[str, Any]]:
    """Give the validated content of the metrics file; raises UsageError naming what is wrong."""
    try:
        conf = metrics_file.load(str(settings.metrics))
        return metrics_file.validate(conf, settings.scope_key, EXTRA_ARGS)
    except metrics_file.InvalidConfiguration as error:
        raise UsageError("\n".join(error.errors) or str(error)) from error


def units(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Give metric name (as in reports) -> unit."""
    return {metrics_file.frame_name(key, one): str(one["unit"]) for key, one in found.items()}


def flows(found: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Give the names (as in reports) of metrics whose quantities are amounts, not states."""
    return frozenset(
        metrics_file.frame_name(key, one)
        for key, one in found.items()
        if one["extra_args"].get("range_function") in _FLOWS
    )


def scopes(settings: Settings, url: str, found: Mapping[str, Mapping[str, Any]]) -> Scopes:
    """Give the metric that knows most scopes.

    Raises UsageError when the source does not answer or none of the metrics has the scope key.
    """
    places = dict.fromkeys(_scope_place(key, one, settings.scope_key) for key, one in found.items())
    known = [
        Scopes(name, label, len(_query(settings, url, f"count({name}) by ({label})")))
        for name, label in places
    ]
    best = max(known, key=lambda one: one.count, default=None)
    if best is None or not best.count:
        raise UsageError(
            f"{url} has at the moment no series with a label {settings.scope_key!r} of any of: "
            f"{', '.join(name for name, _label in places)}. SCOPE_KEY=label names another label, "
            "METRICS=path other metrics."
        )
    return best


def _scope_place(key: str, definition: Mapping[str, Any], scope_key: str) -> tuple[str, str]:
    """Give (metric, label) that say whose the usage of a definition is."""
    for join in joins.joins_of(definition):
        if scope_key in join.groupby:
            return join.subject, join.groupby[scope_key]
    return metrics_file.source_name(key), scope_key


def _query(settings: Settings, url: str, query: str) -> list[dict[str, str]]:
    """Give the labels of the series of an instant query that have any."""
    try:
        answer = requests.get(
            f"{url}/query",
            params={"query": query},
            auth=settings.credentials(),
            timeout=_TIMEOUT,
        )
        body = answer.json()
    except requests.RequestException as error:
        raise UsageError(f"no usable answer from {url}: {error}") from error
    if body.get("status") != "success":
        raise UsageError(f"{url} refuses {query}: {body.get('error', answer.status_code)}")
    return [series["metric"] for series in body["data"]["result"] if series["metric"]]
