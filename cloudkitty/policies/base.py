# SPDX-License-Identifier: Apache-2.0
"""Rules that others are made of (contract api.md 5.1)."""

from __future__ import annotations

from typing import Any, Final

from oslo_policy import policy

ADMIN: Final = "role:admin"
EVERYBODY: Final = ""
READER_OR_ADMIN: Final = "rule:project_reader_or_admin"
PROJECT_SCOPE: Final = ("project",)

_ADMIN_OR_OWNER: Final = (
    "is_admin:True or (role:admin and is_admin_project:True) or project_id:%(project_id)s"
)
_REASON: Final = "The API is open to the roles admin, member and reader, not to any role"

# What the project rules were before 22.0.0; OR-ed in with enforce_new_defaults = false.
_DEPRECATED: Final = policy.DeprecatedRule(
    name="rule:admin_or_owner",
    check_str=_ADMIN_OR_OWNER,
    deprecated_reason=_REASON,
    deprecated_since="22.0.0",
)


def operation(
    name: str,
    check: str,
    description: str,
    *calls: str,
) -> policy.DocumentedRuleDefault:
    """Make the rule of some API calls, each given as ``"METHOD /path"``."""
    operations: list[Any] = [
        dict(zip(("method", "path"), call.split(" ", 1), strict=True)) for call in calls
    ]
    return policy.DocumentedRuleDefault(
        name=name,
        check_str=check,
        description=description,
        operations=operations,
        scope_types=list(PROJECT_SCOPE),
    )


def _project_rule(name: str, check: str, description: str) -> policy.RuleDefault:
    return policy.RuleDefault(
        name=name,
        check_str=check,
        description=description,
        deprecated_rule=_DEPRECATED,
    )


RULES: Final = (
    policy.RuleDefault("context_is_admin", ADMIN, "Who counts as administrator."),
    policy.RuleDefault(
        "admin_or_owner",
        _ADMIN_OR_OWNER,
        "Administrators, and any role in the project that owns the data.",
        deprecated_for_removal=True,
        deprecated_reason=_REASON,
        deprecated_since="22.0.0",
    ),
    policy.RuleDefault("default", EVERYBODY, "What holds for a rule that does not exist."),
    _project_rule(
        "project_member_api",
        "role:member and project_id:%(project_id)s",
        "Members of the project that owns the data.",
    ),
    _project_rule(
        "project_reader_api",
        "role:reader and project_id:%(project_id)s",
        "Readers of the project that owns the data.",
    ),
    _project_rule(
        "project_member_or_admin",
        "rule:project_member_api or rule:context_is_admin",
        "Members of the project that owns the data, and administrators.",
    ),
    _project_rule(
        "project_reader_or_admin",
        "rule:project_reader_api or rule:context_is_admin",
        "Readers of the project that owns the data, and administrators.",
    ),
)
