# SPDX-License-Identifier: Apache-2.0
"""Who may read whose data: everybody but administrators their own project's (api.md 2.3)."""

from __future__ import annotations

from typing import Any

from cloudkitty.api import context
from cloudkitty.api.v2.routing import Call


def authorize(call: Call, rule: str) -> None:
    """Check `rule` for the data of the caller's own project."""
    context.authorize(rule, {"project_id": call.context.project_id}, call.context)


def sees_nothing(call: Call) -> bool:
    """Whether the caller is no administrator and has no project either."""
    return not call.context.is_admin and not call.context.project_id


def filters(call: Call, asked: dict[str, Any]) -> dict[str, Any]:
    """Give the filters asked for, with that on the scope replaced for all but administrators."""
    if call.context.is_admin:
        return asked
    return {**asked, call.conf.collect.scope_key: call.context.project_id}
