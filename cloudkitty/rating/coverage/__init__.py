# SPDX-License-Identifier: Apache-2.0
"""What rules cover: usage without a price, rules without usage, rules that charge twice.

:func:`look` reads stored usage by series (``series_sums`` of the storage) and the live rules of
hashmap, and has the tariffs that rate say what applies (:mod:`.matching`).
"""

from cloudkitty.rating.coverage.look import (
    LIMIT,
    TooManyChanges,
    UnreadableRules,
    interval,
    look,
)
from cloudkitty.rating.coverage.report import TEXTS, Coverage, Level

__all__ = [
    "LIMIT",
    "TEXTS",
    "Coverage",
    "Level",
    "TooManyChanges",
    "UnreadableRules",
    "interval",
    "look",
]
