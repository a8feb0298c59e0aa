# SPDX-License-Identifier: Apache-2.0
"""On MySQL, trailing blanks count in ids of scopes."""

from cloudkitty.db import additions

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table in (
        "cloudkitty_storage_states",
        "storage_scope_reprocessing_schedule",
        "ck_scope_resets",
    ):
        additions.compare_exactly(table, "identifier", 256)
