# SPDX-License-Identifier: Apache-2.0
"""On MySQL, trailing blanks count in names, values and tenants, as they do in rating."""

from cloudkitty.db import additions

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table in ("hashmap_services", "hashmap_fields", "hashmap_groups"):
        additions.compare_exactly(table, "name", 255)
    additions.compare_exactly("hashmap_mappings", "name", 32)
    additions.compare_exactly("hashmap_mappings", "value", 255)
    for table in ("hashmap_mappings", "hashmap_thresholds"):
        additions.compare_exactly(table, "tenant_id", 255)
