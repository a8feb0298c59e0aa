# SPDX-License-Identifier: Apache-2.0
"""From stored rows to the answers of a storage backend."""

import decimal
import statistics
from decimal import Decimal

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.v2 import custom_fields as fields
from cloudkitty.storage.v2 import query


def frames(rows):
    """Give one DataFrame for each begin and end; `rows` are in order."""
    found = {}
    for row in rows:
        period = row["begin"], row["end"]
        if period not in found:
            found[period] = DataFrame(_local(row["begin"]), _local(row["end"]))
        point = DataPoint(row["unit"], row["qty"], row["price"], row["groupby"], row["metadata"])
        found[period].add_point(point, row["type"])
    return list(found.values())


def sums(rows, interval, groupby, custom_fields, period):
    """Give one row for each group that has points, with the values that are asked for."""
    values = fields.parse(custom_fields)
    if values is None:
        return _everything(rows)
    names, by_time = query.group_names(groupby)
    groups = {}
    for row in rows:
        key = tuple(
            row["type"] if name == query.TYPE else row["groupby"].get(name, "") for name in names
        )
        bucket = row["begin"] // period * period if by_time else None
        groups.setdefault((key, bucket), []).append(row)
    found = []
    # More digits than any sum needs: it is exact.
    with decimal.localcontext(decimal.Context(prec=200)):
        for key, bucket in sorted(groups):
            inside = groups[key, bucket]
            begin, end = interval.begin, interval.end
            if by_time:
                begin, end = _local(bucket), _local(bucket + period)
            cells = {value.column: _value(value, inside) for value in values}
            labels = dict(zip(names, key, strict=True))
            found.append({"begin": begin, "end": end, **cells, **labels})
    return found


def _value(value, rows):
    return _FUNCTIONS[value.function]([row[value.field] for row in rows])


#: Of values in order of their periods.
_FUNCTIONS = {
    "SUM": sum,
    "COUNT": len,
    "MIN": min,
    "MAX": max,
    "MEAN": lambda values: sum(values) / len(values),
    "MEDIAN": statistics.median,
    "SPREAD": lambda values: max(values) - min(values),
    "STDDEV": lambda values: statistics.stdev(values) if len(values) > 1 else Decimal(0),
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
}


def _everything(rows):
    """Give every point as a row; all have the same columns."""
    cells = [
        {
            **row["metadata"],
            **row["groupby"],
            **{name: row[name] for name in ("price", "qty", "type", "unit")},
        }
        for row in rows
    ]
    columns = sorted({name for row in cells for name in row} - {"begin", "end"})
    return [
        {
            "begin": _local(row["begin"]),
            "end": _local(row["end"]),
            **{name: labels.get(name, "") for name in columns},
        }
        for row, labels in zip(rows, cells, strict=True)
    ]


def _local(seconds):
    return timeutils.as_local(timeutils.from_epoch(seconds))
