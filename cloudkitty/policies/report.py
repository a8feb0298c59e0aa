# SPDX-License-Identifier: Apache-2.0
"""Rules of the v1 report calls (contract api.md 5.2)."""

from cloudkitty.policies.base import ADMIN, READER_OR_ADMIN, operation

RULES = (
    operation(
        "report:list_tenants",
        ADMIN,
        "List the tenants that are rated.",
        "GET /v1/report/tenants",
    ),
    operation(
        "report:get_summary",
        READER_OR_ADMIN,
        "Show the summary of a tenant, or of all.",
        "GET /v1/report/summary",
    ),
    operation(
        "report:get_total",
        READER_OR_ADMIN,
        "Show the total of a tenant, or of all.",
        "GET /v1/report/total",
    ),
)
