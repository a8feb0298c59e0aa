# SPDX-License-Identifier: Apache-2.0
"""Rule of the v2 summary (contract api.md 5.2)."""

from cloudkitty.policies.base import READER_OR_ADMIN, operation

RULES = (
    operation(
        "summary:get_summary",
        READER_OR_ADMIN,
        "Read sums of rated usage.",
        "GET /v2/summary",
    ),
)
