# SPDX-License-Identifier: Apache-2.0
"""Storage interface, first generation."""

from cloudkitty.storage.v1.base import BaseStorage

__all__ = ["BaseStorage"]
