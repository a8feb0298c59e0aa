# SPDX-License-Identifier: Apache-2.0
"""Migrations of the hashmap tables; what the module offers as ``db_api``."""

from __future__ import annotations

from pathlib import Path

from cloudkitty.db.recognition import Upstream
from cloudkitty.db.subtree import SubTree
from cloudkitty.rating.hashmap.migrations import adoption

_RULE = ("cost", "map_type", "service_id", "field_id", "group_id", "tenant_id")
_WINDOW_AND_AUDIT = (
    "name",
    "created_at",
    "start",
    "end",
    "description",
    "deleted",
    "created_by",
    "updated_by",
    "deleted_by",
)


def get_migration() -> SubTree:
    """Give the migration object of hashmap (contract rating.md 2.7)."""
    return SubTree(
        name="hashmap",
        directory=Path(__file__).parent,
        models="cloudkitty.rating.hashmap.models",
        upstream=Upstream(
            tables=(
                "hashmap_services",
                "hashmap_fields",
                "hashmap_groups",
                "hashmap_mappings",
                "hashmap_thresholds",
            ),
            former_tables=("hashmap_maps",),
            older=frozenset(
                {
                    "3dd7e13527f3",
                    "4fa888fd7eda",
                    "54cc17accf2c",
                    "10d2738b67df",
                    "f8c799db4aa0",
                    "c88a06b1cfce",
                    "4da82e1c11c8",
                    "644faa4491fd",
                    "Ifbf5b2515c7",
                }
            ),
            from_older={"4e0232ce": adoption.add_windows},
            columns={
                "hashmap_services": ("service_id", "name"),
                "hashmap_fields": ("field_id", "name", "service_id"),
                "hashmap_groups": ("group_id", "name"),
                "hashmap_mappings": ("mapping_id", "value", *_RULE, *_WINDOW_AND_AUDIT),
                "hashmap_thresholds": ("threshold_id", "level", *_RULE),
            },
            added={"hashmap_mappings": _WINDOW_AND_AUDIT},
            no_constraints={"hashmap_mappings": ("uniq_field_mapping", "uniq_service_mapping")},
            remarks=adoption.remarks,
        ),
    )
