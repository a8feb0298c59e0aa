# SPDX-License-Identifier: Apache-2.0
"""Enforcement of the policy rules (contract api.md 5, config.md 6.2).

One enforcer a process; the policy file is watched by oslo.policy and read again when it changes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg
from oslo_policy import policy

from cloudkitty import conf as ck_conf
from cloudkitty import policies

_lock = threading.Lock()
_enforcer: policy.Enforcer | None = None


class PolicyNotAuthorized(policy.PolicyNotAuthorized):
    """The caller may not do this; 403 with the text of the contract."""

    code = 403

    def __init__(self, rule: str, target: Mapping[str, Any], creds: Any) -> None:
        super().__init__(rule, target, creds)
        self.faultstring = f"Policy doesn't allow {rule} to be performed."

    def __str__(self) -> str:
        return self.faultstring


def authorize(context: Any, action: str, target: Mapping[str, Any]) -> None:
    """Let `context` do `action` on `target`, or raise PolicyNotAuthorized.

    With ``auth_strategy = noauth`` everything is allowed. A token of a scope that the rule is not
    made for (domain, system) is refused like any other (contract D6).
    """
    if cfg.CONF.auth_strategy == "noauth":
        return
    if not _get().authorize(action, dict(target), context, do_raise=False):
        raise PolicyNotAuthorized(action, target, context)


def check_is_admin(context: Any) -> bool:
    """Whether the caller counts as administrator: rule ``context_is_admin``, or noauth."""
    if cfg.CONF.auth_strategy == "noauth":
        return True
    return bool(_get().authorize("context_is_admin", {}, context, do_raise=False))


def load() -> None:
    """Read the policy file now; raises what is wrong with it."""
    _get().load_rules()


def reset() -> None:
    """Forget the enforcer, so that the next check reads configuration and files anew."""
    global _enforcer  # noqa: PLW0603 - one enforcer a process
    with _lock:
        if _enforcer is not None:
            _enforcer.clear()
        _enforcer = None


def get_enforcer() -> policy.Enforcer:
    """Give an enforcer for oslo.policy's own command line tools (config.md 6.2).

    Their options ``--namespace`` and ``--output-file`` are not ours and are left out.
    """
    args: list[str] = []
    rest = iter(sys.argv[1:])
    for arg in rest:
        if arg in {"--namespace", "--output-file"}:
            next(rest, None)
        elif not arg.startswith(("--namespace=", "--output-file=")):
            args.append(arg)
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF(args, project="cloudkitty")
    return _get()


def _get() -> policy.Enforcer:
    global _enforcer  # noqa: PLW0603 - one enforcer a process
    with _lock:
        if _enforcer is None:
            enforcer = policy.Enforcer(cfg.CONF)
            enforcer.register_defaults(policies.list_rules())
            _enforcer = enforcer
        return _enforcer
