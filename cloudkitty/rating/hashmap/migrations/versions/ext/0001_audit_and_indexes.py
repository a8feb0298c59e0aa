# SPDX-License-Identifier: Apache-2.0
"""Audit columns that hold the 64 characters of user ids, indexes for loading rules.

On MySQL, values and tenants are compared byte by byte in adopted tables too.
"""

from cloudkitty.db import additions

revision = "0001"
down_revision = None

TABLE = "hashmap_mappings"


def upgrade() -> None:
    for name in ("created_by", "updated_by", "deleted_by"):
        additions.widen(TABLE, name, 255)
    for name in ("value", "tenant_id"):
        additions.compare_exactly(TABLE, name, 255)
    additions.create_index("ix_hashmap_mappings_service_tenant", TABLE, ["service_id", "tenant_id"])
    additions.create_index("ix_hashmap_mappings_field_tenant", TABLE, ["field_id", "tenant_id"])
