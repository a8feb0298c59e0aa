# SPDX-License-Identifier: Apache-2.0
"""A storage backend: rated periods in JSON files, one for each period."""

import contextlib
import fcntl
import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

from acme_rating import answers, options
from cloudkitty import timeutils
from cloudkitty.storage.v2 import BaseStorage, query


class PeriodFiles(BaseStorage):
    """Keeps periods in ``[storage_acme] directory``; several threads and processes may use it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._directory = Path(options.group("storage_acme").directory)

    def init(self):
        """Make the directory; for ``cloudkitty-storage-init``."""
        self._directory.mkdir(parents=True, exist_ok=True)

    # push
    def push(self, dataframes, scope_id=None):
        """Store frames: a point that is there already is replaced, so that this can be repeated."""
        pushed = {}
        ranks = Counter()
        for frame in dataframes:
            begin = timeutils.to_epoch(frame.start)
            for metric, point in frame.iterpoints():
                row = _row(frame, metric, point)
                identity = _identity(row)
                pushed.setdefault(begin, {})[identity, ranks[begin, identity]] = row
                ranks[begin, identity] += 1
        with self._alone():
            for begin, rows in pushed.items():
                self._write(begin, {**_ranked(self._read(begin)), **rows}.values())

    # delete
    def delete(self, begin=None, end=None, filters=None):
        """Delete points; metadata play no part."""
        wanted = query.filters(filters)
        with self._alone():
            for period in self._periods(query.open_interval(begin, end)):
                rows = self._read(period)
                self._write(
                    period,
                    [row for row in rows if not _matches(row, wanted, ("groupby",))],
                )

    # retrieve
    def retrieve(
        self,
        begin=None,
        end=None,
        filters=None,
        metric_types=None,
        offset=0,
        limit=1000,
        paginate=True,
    ):
        """Give a page of points, as frames."""
        rows = self._matching(query.interval(begin, end), query.filters(filters, metric_types))
        chosen = query.page(rows, offset, limit, paginate=paginate)
        return {"total": len(rows), "dataframes": answers.frames(chosen)}

    # total
    def total(
        self,
        groupby=None,
        begin=None,
        end=None,
        metric_types=None,
        filters=None,
        custom_fields=None,
        offset=0,
        limit=1000,
        paginate=True,
    ):
        """Give a page of sums."""
        interval = query.interval(begin, end)
        rows = self._matching(interval, query.filters(filters, metric_types))
        results = answers.sums(rows, interval, groupby, custom_fields, self.period)
        chosen = query.page(results, offset, limit, paginate=paginate)
        return {"total": len(results), "results": list(chosen)}

    # files
    def _matching(self, interval, wanted):
        """Give the rows that match, in an order that is the same for every page."""
        rows = [
            {**row, "begin": period}
            for period in self._periods(interval)
            for row in self._read(period)
            if _matches(row, wanted, ("groupby", "metadata"))
        ]
        return sorted(rows, key=lambda row: (row["begin"], row["end"]))

    def _periods(self, interval):
        if not self._directory.is_dir():
            # To give nothing would be a wrong answer.
            raise ConnectionError(f"no directory {self._directory}: run cloudkitty-storage-init")
        first = float("-inf") if interval.first is None else interval.first
        stop = float("inf") if interval.stop is None else interval.stop
        periods = [int(path.stem) for path in self._directory.glob("*.json")]
        return sorted(period for period in periods if first <= period < stop)

    def _read(self, period):
        try:
            text = (self._directory / f"{period}.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        rows = json.loads(text)
        for row in rows:
            row["qty"], row["price"] = Decimal(row["qty"]), Decimal(row["price"])
        return rows

    def _write(self, period, rows):
        """Replace the file of a period; it is there, whole, when this returns."""
        new = self._directory / f"{period}.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump(list(rows), file, default=str)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._directory / f"{period}.json")

    @contextlib.contextmanager
    def _alone(self):
        """Keep other writers out, threads and processes alike; readers see whole files anyway."""
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _row(frame, metric, point):
    return {
        "end": timeutils.to_epoch(frame.end),
        "type": metric,
        "unit": point.unit,
        "qty": point.qty,
        "price": point.price,
        "groupby": {name: query.text(value) for name, value in point.groupby.items()},
        "metadata": {name: _metadata(value) for name, value in point.metadata.items()},
        "description": point.description,
    }


def _metadata(value):
    return value if isinstance(value, str | int | float) else query.text(value)


def _identity(row):
    """Give what two points of one period have in common that replace one another."""
    return row["type"], frozenset((name, value) for name, value in row["groupby"].items() if value)


def _ranked(rows):
    """Give the rows by identity and rank: several points of one push may have one identity."""
    ranks = Counter()
    found = {}
    for row in rows:
        identity = _identity(row)
        found[identity, ranks[identity]] = row
        ranks[identity] += 1
    return found


def _matches(row, wanted, kinds):
    """Whether one of the values that are wanted is held under each name."""
    if wanted.types is not None and row["type"] not in wanted.types:
        return False
    for name, values in wanted.labels:
        held = {query.text(row[kind][name]) for kind in kinds if name in row[kind]}
        if name not in row["groupby"]:
            held.add("")
        if held.isdisjoint(values):
            return False
    return True
