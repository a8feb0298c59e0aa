# SPDX-License-Identifier: Apache-2.0
"""Rating: says what usage costs.

``RatingProcessorBase`` is the plugin interface (contract rating.md 2).
"""

from typing import Any

from cloudkitty.rating.base import RatingProcessorBase, Stage

__all__ = ["RatingProcessorBase", "RatingRestControllerBase", "Stage"]


def __getattr__(name: str) -> Any:
    # The controller base needs the web framework; the processor must not load it.
    if name == "RatingRestControllerBase":
        from cloudkitty.rating.controller import RatingRestControllerBase

        return RatingRestControllerBase
    raise AttributeError(name)
