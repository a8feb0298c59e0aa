# SPDX-License-Identifier: Apache-2.0
"""``/v1/info``: what is collected (contract api.md 11)."""

from __future__ import annotations

import datetime as dt
import math
import os
from typing import Any

import pecan
from oslo_config import cfg
from wsme import types as wtypes

from cloudkitty.api import context, errors
from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.collector import metrics


class Metric(wtypes.Base):
    """A metric by its name in data frames."""

    _wsme_attr_order = ("metric_id", "metadata", "unit")

    metric_id = wtypes.wsattr(wtypes.text, mandatory=True)
    metadata = wtypes.wsattr([wtypes.text], mandatory=True)
    unit = wtypes.wsattr(wtypes.text, mandatory=True)


class MetricCollection(wtypes.Base):
    """A list of metrics."""

    metrics = [Metric]  # noqa: RUF012 - how WSME writes a list


class MetricsController(rest.RestController):
    """``/v1/info/metrics`` and its old name ``/v1/info/services``."""

    @wsexpose(MetricCollection)
    def get_all(self) -> MetricCollection:
        """List the metrics, one for each definition, in the order of the file."""
        found = _metrics()
        context.authorize("info:list_metrics_info")
        return MetricCollection(metrics=found)

    @wsexpose(Metric, wtypes.text)
    def get_one(self, metric_id: str) -> Metric:
        """Show the first metric of that name."""
        found = _metrics()
        context.authorize("info:get_metric_info")
        named = [metric for metric in found if metric.metric_id == metric_id]
        if not named:
            errors.abort_client(404, metric_id)
        return named[0]


class _FileType(wtypes.UserType):
    """The parsed file as it is."""

    basetype = dict
    name = "file"


class ConfigController(rest.RestController):
    """``/v1/info/config``."""

    @wsexpose(_FileType())
    def get(self) -> dict[str, Any]:
        """Show metrics.yml."""
        context.authorize("info:get_config")
        found: dict[str, Any] = _jsonable(_load())
        return found


class InfoController(rest.RestController):
    """``/v1/info``."""

    metrics = MetricsController()
    services = MetricsController()
    config = ConfigController()


def _load() -> metrics.MetricsFile:
    """Read the file; a request always sees its present state.

    One that cannot be read is no fault of the caller: 500 (contract api.md 11) that names file and
    option. Where the file is, and what YAML quotes of it, is in the log only (D4).
    """
    try:
        return metrics.load(cfg.CONF.collect.metrics_conf)
    except metrics.Unreadable as exc:
        fault = errors.fault(500, None, errors.request_id(pecan.request.environ))
        name = os.path.basename(exc.path)  # noqa: PTH119 - it may be any text
        raise errors.ApiError(
            500, f"{fault['faultstring']}: {name} ([collect] metrics_conf): {exc.reason}"
        ) from exc


def _metrics() -> list[Metric]:
    """Read and validate the file."""
    parsed = _load()
    try:
        found = metrics.validate(parsed, cfg.CONF.collect.scope_key, strict=True)
    except metrics.InvalidConfiguration:
        errors.abort_client(405, "Invalid endpoint: no metrics in current configuration.")
    return [
        Metric(
            metric_id=metrics.frame_name(key, definition),
            metadata=metrics.metadata_names(definition),
            unit=definition["unit"],
        )
        for key, definition in found.items()
    ]


def _jsonable(value: Any) -> Any:
    """Give what YAML can say and JSON cannot (dates, sets, bytes, odd numbers and keys) as text."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str | int | float | None) else str(key): _jsonable(item)
            for key, item in value.items()
        }
    if isinstance(value, list | set | tuple):
        return [_jsonable(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.isoformat() if isinstance(value, dt.date) else str(value)
