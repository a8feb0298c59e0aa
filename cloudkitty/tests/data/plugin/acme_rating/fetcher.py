# SPDX-License-Identifier: Apache-2.0
"""Scopes from a file with the customers: ``id`` and the day they have ``left``, if they have."""

import csv
import datetime as dt
from pathlib import Path

from acme_rating import options
from cloudkitty import timeutils
from cloudkitty.fetcher import BaseFetcher

#: For how long customers who have left are still named.
RECENT = dt.timedelta(days=2)


class CustomerFile(BaseFetcher):
    """Names the customers in ``[fetcher_acme] customers``."""

    name = "acme"

    def __init__(self):
        super().__init__()
        self._path = Path(options.group("fetcher_acme").customers)

    def get_tenants(self):
        """Give those who are customers now; what the file raises passes through."""
        return [customer for customer, left in self._customers() if not left]

    def get_recent(self):
        """Give those who have left lately: their last periods are still to be rated."""
        since = timeutils.utcnow() - RECENT
        return [
            customer
            for customer, left in self._customers()
            if left and timeutils.parse_iso(left) >= since
        ]

    def _customers(self):
        with self._path.open(newline="", encoding="utf-8") as lines:
            return [(row["id"], row["left"]) for row in csv.DictReader(lines)]
