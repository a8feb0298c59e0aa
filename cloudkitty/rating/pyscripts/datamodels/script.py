# SPDX-License-Identifier: Apache-2.0
"""Scripts of pyscripts on the wire (contract api.md 8)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import UuidType
from cloudkitty.rating.common.datamodels.models import VolatileAuditableModel


class Script(VolatileAuditableModel):
    """A script that rates."""

    _wsme_attr_order = (
        "script_id",
        "name",
        "data",
        "checksum",
        "created_at",
        "start",
        "end",
        "description",
        "deleted",
        "created_by",
        "updated_by",
        "deleted_by",
    )

    script_id = wtypes.wsattr(UuidType(), mandatory=False)
    name = wtypes.wsattr(wtypes.text, mandatory=True)
    data = wtypes.wsattr(wtypes.text, mandatory=False)
    checksum = wtypes.wsattr(wtypes.text, mandatory=False, readonly=True)


class ScriptCollection(wtypes.Base):
    """A list of scripts."""

    scripts = [Script]  # noqa: RUF012 - how WSME writes a list
