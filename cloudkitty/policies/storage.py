# SPDX-License-Identifier: Apache-2.0
"""Rule of the v1 storage call (contract api.md 5.2)."""

from cloudkitty.policies.base import READER_OR_ADMIN, operation

RULES = (
    operation(
        "storage:list_data_frames",
        READER_OR_ADMIN,
        "List rated data frames.",
        "GET /v1/storage/dataframes",
    ),
)
