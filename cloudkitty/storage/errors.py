# SPDX-License-Identifier: Apache-2.0
"""What storages raise that callers know by name."""

from __future__ import annotations


class NoTimeFrame(Exception):  # noqa: N818 - plugin interface
    """Nothing is stored for what was asked for (contract storage.md 3.1)."""

    def __init__(self) -> None:
        super().__init__("No time frame available")
