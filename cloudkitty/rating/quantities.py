# SPDX-License-Identifier: Apache-2.0
"""Quantities that are no number are refused before they can spoil a price (rating.md 4.8).

A point whose quantity is NaN or infinite is left out and logged: one bad point must neither
block its scope nor reach the storage, where it would make every sum that it is part of useless.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import chain

from oslo_log import log as logging

from cloudkitty.usage import ScopeUsage, Series

LOG = logging.getLogger(__name__)


def usable(qty: Decimal, metric: str, scope: str | None) -> bool:
    """Whether `qty` can be rated; logs when it cannot."""
    if qty.is_finite():
        return True
    LOG.error("scope %s, metric %s: quantity %s is no number, point refused", scope, metric, qty)
    return False


def drop_unusable(usage: ScopeUsage) -> None:
    """Take points without a usable quantity out of `usage`, in place."""
    if all(map(Decimal.is_finite, chain.from_iterable(s.qtys for s in usage.series))):
        return
    for series in usage.series:
        if not all(map(Decimal.is_finite, series.qtys)):
            _keep_usable(series, usage.scope_id)
    usage.series = [series for series in usage.series if series.begins]


def _keep_usable(series: Series, scope: str) -> None:
    keep = [i for i, qty in enumerate(series.qtys) if usable(qty, series.metric, scope)]
    series.begins = [series.begins[i] for i in keep]
    series.prices = [series.prices[i] for i in keep]
    series.qtys = [series.qtys[i] for i in keep]
