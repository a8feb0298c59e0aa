# SPDX-License-Identifier: Apache-2.0
"""A look at the source of usage before anything is started: what is there to rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from cloudkitty.collector import metrics as metrics_file
from cloudkitty.demo.run.settings import Settings, UsageError

_TIMEOUT = 60


def definitions(settings: Settings) -> dict[str, dict[str, Any]]:
    """Give the validated content of the metrics file; raises UsageError naming what is wrong."""
    try:
        conf = metrics_file.load(str(settings.metrics))
        return metrics_file.validate(conf, settings.scope_key)
    except metrics_file.InvalidConfiguration as error:
        raise UsageError("\n".join(error.errors) or str(error)) from error


def units(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Give metric name (as in reports) -> unit."""
    return {metrics_file.frame_name(key, one): str(one["unit"]) for key, one in found.items()}


def fetcher_metric(
    settings: Settings, url: str, found: Mapping[str, Mapping[str, Any]]
) -> tuple[str, int]:
    """Give the metric that knows most scopes, and how many.

    Raises UsageError when the source does not answer or none of the metrics has the scope key.
    """
    counts: dict[str, int] = {}
    for name in dict.fromkeys(metrics_file.source_name(key) for key in found):
        counts[name] = len(_query(settings, url, f"count({name}) by ({settings.scope_key})"))
    best = max(counts, key=lambda name: counts[name], default=None)
    if best is None or not counts[best]:
        raise UsageError(
            f"{url} has at the moment no series with a label {settings.scope_key!r} of any of: "
            f"{', '.join(counts)}. SCOPE_KEY=label names another label, METRICS=path other metrics."
        )
    return best, counts[best]


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
