# SPDX-License-Identifier: Apache-2.0
"""Services of hashmap on the wire (contract api.md 7.2)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import UuidType


class Service(wtypes.Base):
    """A metric, by its name in data frames."""

    _wsme_attr_order = ("service_id", "name")

    service_id = wtypes.wsattr(UuidType(), mandatory=False)
    name = wtypes.wsattr(wtypes.text, mandatory=True)


class ServiceCollection(wtypes.Base):
    """A list of services."""

    services = [Service]  # noqa: RUF012 - how WSME writes a list
