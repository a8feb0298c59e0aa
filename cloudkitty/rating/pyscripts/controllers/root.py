# SPDX-License-Identifier: Apache-2.0
"""What lies directly below ``/v1/rating/module_config/pyscripts`` (contract api.md 8)."""

from __future__ import annotations

from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.pyscripts.controllers.script import ScriptsController


class PyScriptsConfigController(RatingRestControllerBase):
    """Configuration of pyscripts."""

    scripts = ScriptsController()
