# SPDX-License-Identifier: Apache-2.0
"""Usage from a file of meters: CSV with ``begin``, ``metric``, ``value`` and a column per label."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path

from oslo_config import cfg

from acme_rating import options
from cloudkitty import timeutils
from cloudkitty.collector import BaseCollector, CollectError, metrics
from cloudkitty.dataframe import DataPoint, ImmutableDict
from cloudkitty.usage import Series


class MeterFile(BaseCollector):
    """Reads ``[collector_acme] meters``."""

    collector_name = "acme"
    #: A customer is found by whatever label metrics.scope_label names: joins can give the scope.
    scope_joins = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._path = Path(options.group("collector_acme").meters)

    @staticmethod
    def check_configuration(conf):
        """Check metrics.yml; this collector has no ``extra_args``."""
        return metrics.validate(conf, cfg.CONF.collect.scope_key, extra_args={})

    def explain_request(self, metric_name, start, end, scope_id):
        """Say what is looked for."""
        metric = metrics.source_name(metric_name)
        return f"{self._path}: {metric} of {scope_id} from {start.isoformat()}"

    # fetch_all
    def fetch_all(self, metric_name, start, end, scope_id, q_filter=None):
        """Give the points of one metric, scope and period."""
        definition = self.conf[metric_name]
        begin = timeutils.to_epoch(start)
        dates = timeutils.calendar_keys(begin)
        found = self._read(metric_name, {scope_id}, {begin})
        return [
            DataPoint(
                definition["unit"],
                qtys[begin],
                0,
                {**groupby, **dates},
                metadata,
                definition.get("description"),
            )
            for (_scope, groupby, metadata), qtys in found.items()
        ]

    # fetch_batch
    def fetch_batch(self, metric_name, query):
        """Give the series of many scopes and periods; the file is read once for all of them."""
        definition = self.conf[metric_name]
        series = {}
        found = self._read(metric_name, set(query.scopes), set(query.begins))
        for (scope, groupby, metadata), qtys in found.items():
            begins = sorted(qtys)
            series.setdefault(scope, []).append(
                Series(
                    metrics.frame_name(metric_name, definition),
                    definition["unit"],
                    groupby,
                    metadata,
                    definition.get("description"),
                    begins=begins,
                    qtys=[qtys[begin] for begin in begins],
                    prices=[Decimal(0)] * len(begins),
                )
            )
        return series

    # end
    def _read(self, metric_name, scopes, begins):
        """Give (scope, groupby, metadata) -> begin -> quantity; lines of one resource add up."""
        definition = self.conf[metric_name]
        metric = metrics.source_name(metric_name)
        scope_label = metrics.scope_label(definition, cfg.CONF.collect.scope_key)
        sums = {}
        for begin, row in self._rows():
            scope = row.get(scope_label)
            if row["metric"] == metric and scope in scopes and begin in begins:
                labels = [
                    ImmutableDict({name: row.get(name) or "" for name in definition[kind]})
                    for kind in ("groupby", "metadata")
                ]
                periods = sums.setdefault((scope, *labels), {})
                periods[begin] = periods.get(begin, Decimal(0)) + row["value"]
        convert = metrics.Conversion.of(definition)
        return {
            labels: {begin: convert(value) for begin, value in periods.items()}
            for labels, periods in sums.items()
        }

    def _rows(self):
        """Yield begin and row; raises CollectError, so that no period is taken for an empty one."""
        try:
            with self._path.open(newline="", encoding="utf-8") as lines:
                reader = csv.DictReader(lines)
                for row in reader:
                    yield self._checked(row, reader.line_num)
        except OSError as exc:
            raise CollectError(f"{self._path}: {exc.strerror}") from exc

    def _checked(self, row, line):
        try:
            row["value"] = Decimal(row["value"])
            return timeutils.to_epoch(timeutils.parse_iso(row["begin"])), row
        except (KeyError, ValueError, TypeError, InvalidOperation) as exc:
            raise CollectError(f"{self._path}, line {line}: {exc!r}") from exc
