# SPDX-License-Identifier: Apache-2.0
"""Check of the validity window of a new rule (contract rating.md 2.2 and 3)."""

from __future__ import annotations

from typing import Any

from cloudkitty.rating import dates
from cloudkitty.rating.common import values


def validate_resource(resource: Any, force: bool = False) -> None:  # noqa: FBT001, FBT002
    """Check `start` and `end` of a new rule, naive host-local dates; no start means now.

    Raises an exception with ``code`` 400 when the rule would end before it starts or, without
    `force`, start in the past.
    """
    now = dates.local_now()
    # An attribute that was not sent is falsy, whether it is None or WSME's Unset.
    start = resource.start or now
    if not force:
        values.check_not_past(start, now)
    values.check_window(start, resource.end or None)
