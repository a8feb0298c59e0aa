# SPDX-License-Identifier: Apache-2.0
"""What tables of older releases lack, beside those of new databases.

Lengths and digits that some of them never got, exact comparison on MySQL and costs that may not be
missing there; on PostgreSQL foreign keys that old migrations put on the wrong column, and the name
of a type; on SQLite costs and levels as text, since its numbers have no more than 15 digits.
"""

from cloudkitty.db import additions

revision = "0002"
down_revision = "0001"

RULES = ("hashmap_mappings", "hashmap_thresholds")


def upgrade() -> None:
    for table in ("hashmap_services", "hashmap_fields", "hashmap_groups"):
        additions.widen(table, "name", 255)
        additions.compare_exactly(table, "name", 255)
    additions.compare_exactly("hashmap_mappings", "name", 32)
    additions.hold_any_text("hashmap_mappings", "description")
    additions.widen("hashmap_mappings", "value", 255)
    additions.hold_decimals("hashmap_mappings", cost=(40, 28))
    additions.hold_decimals("hashmap_thresholds", level=(20, 8), cost=(40, 28))
    for table in RULES:
        additions.widen(table, "tenant_id", 255)
        additions.compare_exactly(table, "tenant_id", 255)
        additions.forbid_null(table, "cost")
        additions.refer(table, "service_id", "hashmap_services", "CASCADE")
        additions.refer(table, "field_id", "hashmap_fields", "CASCADE")
        additions.refer(table, "group_id", "hashmap_groups", "SET NULL")
    additions.name_enum("hashmap_mappings", "map_type", "enum_map_type", ("flat", "rate"))
    additions.name_enum("hashmap_thresholds", "map_type", "enum_hashmap_type", ("flat", "rate"))
