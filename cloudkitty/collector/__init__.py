# SPDX-License-Identifier: Apache-2.0
"""Collectors say what a scope used."""

from cloudkitty.collector.base import (
    BaseCollector,
    BatchFailure,
    BatchQuery,
    CollectError,
    NoDataCollected,
)

__all__ = ["BaseCollector", "BatchFailure", "BatchQuery", "CollectError", "NoDataCollected"]
