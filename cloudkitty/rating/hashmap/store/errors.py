# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a request about hashmap rules, in the words of the contract."""

from __future__ import annotations

from cloudkitty.rating.common.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    RuleError,
    bad_attribute,
)

__all__ = [
    "ConflictError",
    "InvalidError",
    "NotFoundError",
    "RuleError",
    "bad_attribute",
    "no_field",
    "no_group",
    "no_service",
]


def no_service(service_id: str) -> str:
    """Text for a service that does not exist (contract api.md 7.2)."""
    return f"No such service: None (UUID: {service_id})"


def no_field(field_id: str) -> str:
    """Text for a field that does not exist (contract api.md 7.3)."""
    return f"No such field: {field_id}"


def no_group(group_id: str) -> str:
    """Text for a group that does not exist (contract api.md 7.4)."""
    return f"No such group: None (UUID: {group_id})"
