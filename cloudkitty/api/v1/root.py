# SPDX-License-Identifier: Apache-2.0
"""``/v1``: the table of its resources."""

from __future__ import annotations

from oslo_config import cfg

from cloudkitty.api.v1 import collector, info, rating, report, rest, storage
from cloudkitty.storage.v2.base import BaseStorage


class V1Controller(rest.RestController):
    """Everything below ``/v1``, by the first segment; each controller knows what is below it."""

    def __init__(self, conf: cfg.ConfigOpts, backend: BaseStorage) -> None:
        self.rating = rating.RatingController(conf)
        self.billing = self.rating
        self.collector = collector.CollectorController()
        self.report = report.ReportController(conf, backend)
        self.storage = storage.StorageController(conf, backend)
        self.info = info.InfoController()


class RootController(rest.RestController):
    """The root of pecan's routing: paths keep their version, which answers show in links."""

    def __init__(self, conf: cfg.ConfigOpts, backend: BaseStorage) -> None:
        self.v1 = V1Controller(conf, backend)
