# SPDX-License-Identifier: Apache-2.0
"""Policy rules: who may do what by default, one module per area of the API (contract api.md 5).

``cloudkitty.policies.enforcer`` checks them.
"""

from __future__ import annotations

from oslo_policy import policy

from cloudkitty.policies import (
    base,
    collector,
    dataframes,
    info,
    rating,
    report,
    schedule,
    scope,
    storage,
    summary,
)

_MODULES = (
    base,
    collector,
    info,
    rating,
    report,
    storage,
    dataframes,
    summary,
    scope,
    schedule,
)


def list_rules() -> list[policy.RuleDefault]:
    """Give every rule; entry point ``oslo.policy.policies``."""
    return [rule for module in _MODULES for rule in module.RULES]
