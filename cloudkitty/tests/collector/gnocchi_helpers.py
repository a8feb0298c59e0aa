# SPDX-License-Identifier: Apache-2.0
"""What the Gnocchi collector's tests have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector.base import get_collector
from cloudkitty.collector.gnocchi import GnocchiCollector
from cloudkitty.tests.collector.helpers import TEN
from cloudkitty.tests.webserver import Reply, Request

S = "f266f30b11f246b589fd266f85eeec39"


def build(
    conf: cfg_fixture.Config, url: str, metrics: dict[str, Any], **collect: Any
) -> GnocchiCollector:
    """Give the collector for these metrics of type instance, through its entry point."""
    conf.config(collector="gnocchi", group="collect", **collect)
    conf.config(
        gnocchi_auth_type="basic",
        gnocchi_user="admin",
        gnocchi_endpoint=url,
        group="collector_gnocchi",
    )
    return assembled(conf, metrics)


def assembled(conf: cfg_fixture.Config, metrics: dict[str, Any]) -> GnocchiCollector:
    """Give the collector, with the options as they are."""

    def completed(given: dict[str, Any]) -> dict[str, Any]:
        extra = {"resource_type": "instance", **given.get("extra_args", {})}
        return {"unit": "x", **given, "extra_args": extra}

    complete = {
        name: [completed(one) for one in given] if isinstance(given, list) else completed(given)
        for name, given in metrics.items()
    }
    collector = get_collector(conf.conf, {"metrics": complete})
    assert isinstance(collector, GnocchiCollector)
    return collector


def group(*values: Any, step: int = 300, begin: int = TEN, **labels: Any) -> dict[str, Any]:
    """Give a group of an answer that has `values` in consecutive slots from `begin` on."""
    slots = [
        [timeutils.from_epoch(begin + number * step).isoformat(), float(step), value]
        for number, value in enumerate(values)
    ]
    labels = {"id": "i1", "project_id": S, **labels}
    return {"group": labels, "measures": {"measures": {"aggregated": slots}}}


def refusal(status: int, description: Any) -> Reply:
    """Give an error as Gnocchi says it."""
    return Reply(status, {"code": status, "title": "No", "description": description})


def no_metric(name: str = "cpu") -> Reply:
    """Give what Gnocchi answers where no resource has the metric."""
    return refusal(404, f"Metric ['{name}'] does not exist")


def gnocchi_answers(
    groups: Callable[[Request], Any], resources: Callable[[Request], Any] = lambda _request: []
) -> Callable[[Request], Reply]:
    """Give what answers questions for aggregates and for resources."""

    def answer(request: Request) -> Reply:
        found = groups(request) if request.path.endswith("/aggregates") else resources(request)
        return found if isinstance(found, Reply) else Reply(body=found)

    return answer


def query(request: Request) -> dict[str, list[str]]:
    """Give the parameters in the URL."""
    return parse_qs(urlsplit(request.target).query)


def scopes_of(request: Request, scope_key: str = "project_id") -> list[str]:
    """Give the scopes that a question is about."""
    body = json.loads(request.body)
    for condition in body.get("search", body)["and"]:
        for operator, operand in condition.items():
            if operator in {"=", "in"} and scope_key in operand:
                found = operand[scope_key]
                return [found] if isinstance(found, str) else found
    return []
