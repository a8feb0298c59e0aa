# SPDX-License-Identifier: Apache-2.0
"""Whose data a v1 call reads: the policy decides (contract api.md 2.3, 9.1, 10, D33, D34)."""

from __future__ import annotations

from oslo_config import cfg

from cloudkitty.api import context

#: What a storage is to filter by; None for a caller who sees nothing at all.
Filters = dict[str, str] | None


def report(
    conf: cfg.ConfigOpts,
    rule: str,
    tenant_id: str | None,
    *,
    all_tenants: bool,
) -> Filters:
    """Check `rule` for a report; it is about the caller's own project unless they say otherwise.

    Raises PolicyNotAuthorized.
    """
    caller = context.current()
    tenant = None if all_tenants else tenant_id or caller.project_id
    # No project owns the data of all: a target of null would be that of a caller without project.
    context.authorize(rule, {} if all_tenants else {"project_id": tenant})
    return _filters(conf, caller, tenant)


def frames(conf: cfg.ConfigOpts, rule: str, tenant_id: str | None) -> Filters:
    """Check `rule` for data frames: administrators get all, others their own project's.

    Raises PolicyNotAuthorized.
    """
    caller = context.current()
    tenant = tenant_id or caller.project_id
    context.authorize(rule, {"project_id": tenant})
    return _filters(conf, caller, tenant_id if caller.is_admin else tenant)


def _filters(conf: cfg.ConfigOpts, caller: context.RequestContext, tenant: str | None) -> Filters:
    if not caller.is_admin and not caller.project_id:
        return None
    return {conf.collect.scope_key: tenant} if tenant else {}
