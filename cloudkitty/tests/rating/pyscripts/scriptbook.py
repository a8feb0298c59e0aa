# SPDX-License-Identifier: Apache-2.0
"""Puts scripts into the table as they are, and makes usage for them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from cloudkitty import db, timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.rating.pyscripts import PyScripts, models
from cloudkitty.rating.pyscripts.store import source
from cloudkitty.usage import ScopeUsage, Series

LONG_AGO = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - rule dates are naive
HOUR = 3600
BEGIN = timeutils.to_epoch(dt.datetime(2024, 5, 1, tzinfo=dt.UTC))


def clear():
    with db.session_for_write() as session:
        session.query(models.Script).delete()


def add(code, name="script", *, start=LONG_AGO, end=None, deleted=None):
    """Store a script, also such as the API would refuse; gives its row number."""
    code = code.encode() if isinstance(code, str) else code
    with db.session_for_write() as session:
        row = models.Script(
            name=name,
            data=source.pack(code),
            checksum=source.checksum(code),
            start=start,
            end=end,
            deleted=deleted,
            created_by="test",
        )
        session.add(row)
        session.flush()
        return row.id


def usage_of(scope="a", periods=2, series=1, metadata=None, metric="instance"):
    """Make usage: `series` resources that used 2 each in every period, at price 1."""
    begins = [BEGIN + i * HOUR for i in range(periods)]
    return ScopeUsage(
        scope,
        HOUR,
        begins,
        [
            Series(
                metric,
                "instance",
                ImmutableDict(project_id=scope, id=f"r{number}"),
                ImmutableDict(metadata if metadata is not None else {"flavor": "m1"}),
                begins=list(begins),
                qtys=[Decimal(2)] * periods,
                prices=[Decimal(1)] * periods,
            )
            for number in range(series)
        ],
    )


def rate(*usages):
    """Rate with the scripts in the table; gives scope -> text of the error."""
    module = PyScripts()
    module.begin_batch()
    return {scope: str(error) for scope, error in module.rate_usages(usages).items()}


def prices(usage):
    return [list(map(str, series.prices)) for series in usage.series]
