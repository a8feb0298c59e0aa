# SPDX-License-Identifier: Apache-2.0
"""The REST calls of pyscripts, below ``/v1/rating/module_config/pyscripts`` (contract api.md 8)."""

from cloudkitty.rating.pyscripts.controllers.root import PyScriptsConfigController

__all__ = ["PyScriptsConfigController"]
