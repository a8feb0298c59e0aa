# SPDX-License-Identifier: Apache-2.0
"""Usage for tests that are about labels: a Prometheus that always gives the same series."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from oslo_config import fixture as cfg_fixture

from cloudkitty.collector.base import BatchQuery
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.helpers import HOUR, TEN, build


@contextlib.contextmanager
def usage(
    conf: cfg_fixture.Config, series: list[Mapping[str, str]], *joins: dict[str, Any]
) -> Iterator[Any]:
    """Give a function: labels of all points of an hour, each by its label ``id``."""
    answer = [(labels, "1") for labels in series]
    names = sorted({name for labels in series for name in labels} - {"project_id"})
    with webserver.serving(lambda _request: webserver.vector(*answer)) as server:
        metric = {"unit": "u", "groupby": names, "joins": list(joins)}
        collector = build(conf, server.url, {"m": metric})
        scopes = sorted({labels["project_id"] for labels in series})

        def collect() -> dict[str, dict[str, Any]]:
            found = collector.fetch_batch("m", BatchQuery(scopes, [TEN], HOUR))
            every = [one for some in found.values() for one in some]
            return {one.groupby["id"]: {**one.groupby, **one.metadata} for one in every}

        yield collect
