# SPDX-License-Identifier: Apache-2.0
"""Alias of :mod:`cloudkitty.policies.enforcer`, where policy tools and plugins look for it."""

from cloudkitty.policies.enforcer import (
    PolicyNotAuthorized,
    authorize,
    check_is_admin,
    get_enforcer,
    reset,
)

__all__ = ["PolicyNotAuthorized", "authorize", "check_is_admin", "get_enforcer", "reset"]
