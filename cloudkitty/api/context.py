# SPDX-License-Identifier: Apache-2.0
"""Who is asking (contract api.md 2.3), and whether they may (5).

Every request gets its context before it is routed; controllers find it as ``pecan.request.context``
and check it first thing::

    context.authorize("rating:get_module")

which raises ``cloudkitty.policies.enforcer.PolicyNotAuthorized`` (403, text "Policy doesn't allow
rating:get_module to be performed.") for the answer layer to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pecan
from oslo_context import context as oslo_context

from cloudkitty.db.changes import Actor
from cloudkitty.policies import enforcer


class RequestContext(oslo_context.RequestContext):
    """The caller: ``user_id``, ``project_id``, ``domain_id``, ``roles``, ``is_admin``...

    ``is_admin`` is what the rule ``context_is_admin`` says, and True for everybody with
    ``auth_strategy = noauth``.
    """


def from_environ(environ: dict[str, Any]) -> RequestContext:
    """Build the context from the WSGI environment, as oslo.context does."""
    context: RequestContext = RequestContext.from_environ(environ, overwrite=True)
    context.is_admin = enforcer.check_is_admin(context)
    return context


def actor(context: RequestContext, way: str) -> Actor:
    """Give the caller as the audit log names him; `way` is one of its ``API_``."""
    return Actor(way, context.user_id, context.project_id, context.request_id)


def current() -> RequestContext:
    """Give the context of the request that this thread answers."""
    context: RequestContext = pecan.request.context
    return context


def authorize(
    rule: str,
    target: Mapping[str, Any] | None = None,
    context: RequestContext | None = None,
) -> None:
    """Check a policy rule for the caller (default: of the present request).

    Raises PolicyNotAuthorized, also for a token of a scope that the rule is not made for (D6).
    """
    enforcer.authorize(context or current(), rule, target or {})
