# SPDX-License-Identifier: Apache-2.0
"""Rules of the v2 data frame calls (contract api.md 5.2)."""

from cloudkitty.policies.base import ADMIN, READER_OR_ADMIN, operation

RULES = (
    operation(
        "dataframes:add",
        ADMIN,
        "Store data frames.",
        "POST /v2/dataframes",
    ),
    operation(
        "dataframes:get",
        READER_OR_ADMIN,
        "Read data frames.",
        "GET /v2/dataframes",
    ),
)
