# SPDX-License-Identifier: Apache-2.0
"""Alias of :mod:`cloudkitty.policies`: the entry point ``oslo.policy.policies`` names it."""

from cloudkitty.policies import list_rules

__all__ = ["list_rules"]
