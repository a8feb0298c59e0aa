# SPDX-License-Identifier: Apache-2.0
"""Rules of the v2 reprocessing calls (contract api.md 5.2)."""

from cloudkitty.policies.base import ADMIN, operation

RULES = (
    operation(
        "schedule:task_reprocesses",
        ADMIN,
        "Schedule periods of scopes to be rated again.",
        "POST /v2/task/reprocesses",
    ),
    operation(
        "schedule:get_task_reprocesses",
        ADMIN,
        "List what is scheduled to be rated again.",
        "GET /v2/task/reprocesses",
        "GET /v2/task/reprocesses/{path_scope_id}",
    ),
)
