# SPDX-License-Identifier: Apache-2.0
"""Alias in :mod:`cloudkitty.service`: the entry point ``oslo.config.opts.defaults`` names it."""

from cloudkitty.service import set_library_defaults as set_config_defaults

__all__ = ["set_config_defaults"]
