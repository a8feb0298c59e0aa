# SPDX-License-Identifier: Apache-2.0
"""Collectors say what a scope used."""

from cloudkitty.collector.base import BaseCollector, CollectError, NoDataCollected

__all__ = ["BaseCollector", "CollectError", "NoDataCollected"]
