# SPDX-License-Identifier: Apache-2.0
"""Groups of hashmap on the wire (contract api.md 7.4)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import UuidType


class Group(wtypes.Base):
    """A bucket of one calculation."""

    _wsme_attr_order = ("group_id", "name")

    group_id = wtypes.wsattr(UuidType(), mandatory=False)
    name = wtypes.wsattr(wtypes.text, mandatory=True)


class GroupCollection(wtypes.Base):
    """A list of groups."""

    groups = [Group]  # noqa: RUF012 - how WSME writes a list
