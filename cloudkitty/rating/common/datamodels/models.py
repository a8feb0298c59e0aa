# SPDX-License-Identifier: Apache-2.0
"""Rules that are valid for a time and remember who changed them, on the wire (api.md 7.5, 8)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import RuleDateType


class VolatileAuditableModel(wtypes.Base):
    """Validity window and audit attributes; dates are host-local."""

    created_at = wtypes.wsattr(RuleDateType(), mandatory=False)
    start = wtypes.wsattr(RuleDateType(), mandatory=False)
    end = wtypes.wsattr(RuleDateType(end_of_day=True), mandatory=False)
    name = wtypes.wsattr(wtypes.text, mandatory=False)
    description = wtypes.wsattr(wtypes.text, mandatory=False)
    deleted = wtypes.wsattr(RuleDateType(), mandatory=False)
    created_by = wtypes.wsattr(wtypes.text, mandatory=False)
    updated_by = wtypes.wsattr(wtypes.text, mandatory=False)
    deleted_by = wtypes.wsattr(wtypes.text, mandatory=False)
