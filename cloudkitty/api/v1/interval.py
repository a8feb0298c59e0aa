# SPDX-License-Identifier: Apache-2.0
"""What a v1 call's interval means (contract api.md 3.5)."""

from __future__ import annotations

import datetime as dt
from typing import Final

from oslo_config import cfg

_INSTANT: Final = dt.timedelta(microseconds=1)


def asked_end(conf: cfg.ConfigOpts, end: dt.datetime | None) -> dt.datetime | None:
    """Give the `end` to ask the storage for.

    Storages select by the begin of a period. With ``[storage] version = 1`` a v1 call selects the
    periods that lie wholly in the closed interval: those that begin no later than a period before
    its end. Both are the same for intervals in step with the periods.
    """
    if end is None or conf.storage.version != 1:
        return end
    return end - dt.timedelta(seconds=conf.collect.period) + _INSTANT
