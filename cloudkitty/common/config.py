# SPDX-License-Identifier: Apache-2.0
"""Alias of :mod:`cloudkitty.conf`: the entry point ``oslo.config.opts`` names it."""

from cloudkitty.conf import list_opts

__all__ = ["list_opts"]
