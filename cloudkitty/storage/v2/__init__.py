# SPDX-License-Identifier: Apache-2.0
"""Storage interface, second generation."""

from cloudkitty.storage.v2.base import BaseStorage

__all__ = ["BaseStorage"]
