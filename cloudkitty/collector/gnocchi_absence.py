# SPDX-License-Identifier: Apache-2.0
"""Why Gnocchi may have nothing of a metric for a scope; for people (``collect check``)."""

from __future__ import annotations

import fnmatch
import itertools
from typing import Final

from cloudkitty.collector.gnocchi_query import MetricQuery, of_scopes
from cloudkitty.gnocchi.client import GnocchiClient

# Resources that are looked at.
_LOOKED_AT: Final = 1000
_NAMED: Final = 10


def explain(
    client: GnocchiClient, query: MetricQuery, name: str, scope_key: str, scope: str
) -> str:
    """Say what Gnocchi has instead of the metric `name` of a scope.

    Raises GnocchiError.
    """
    kind = query.resource_type
    [mine] = of_scopes(scope_key, [scope])
    found = client.search_resources(kind, mine, attributes=["metrics"])
    resources = list(itertools.islice(found, _LOOKED_AT))
    if not resources:
        others = next(client.search_resources(kind, {}, attributes=["id"], limit=1), None)
        none = f"Gnocchi has no resource of type {kind} whose {scope_key} is {scope}"
        return f"{none}; there are others" if others else f"{none}, nor any other"
    names = {metric for one in resources for metric in one.get("metrics") or ()}
    if not fnmatch.filter(names, name):
        known = ", ".join(sorted(names)[:_NAMED]) or "none at all"
        return (
            f"none of the {len(resources)} resources of type {kind} of this scope has the metric "
            f"{name}; they have: {known}"
        )
    return (
        f"there are resources of type {kind} with the metric {name}, but no values in this period"
        f"{f' in slots of {query.granularity} s' if query.granularity else ''}: was it measured "
        "then, has gnocchi-metricd processed it, and did the resource exist (revision_start)?"
    )
