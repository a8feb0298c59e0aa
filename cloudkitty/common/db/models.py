# SPDX-License-Identifier: Apache-2.0
"""Alias of :mod:`cloudkitty.db.base` (contract rating.md 2.2)."""

from cloudkitty.db.base import get_base

__all__ = ["get_base"]
