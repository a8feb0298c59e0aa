# SPDX-License-Identifier: Apache-2.0
"""``/v1/collector``: mappings and states that nothing but these calls uses (contract api.md 12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import pecan
from wsme import types as wtypes

from cloudkitty.api import context, errors
from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.types import TextType
from cloudkitty.db import collector as store


class Mapping(wtypes.Base):
    """The collector of a service."""

    _wsme_attr_order = ("service", "collector")

    service = wtypes.wsattr(wtypes.text, mandatory=True)
    collector = wtypes.wsattr(wtypes.text, mandatory=True)


class MappingCollection(wtypes.Base):
    """A list of mappings."""

    mappings = [Mapping]  # noqa: RUF012 - how WSME writes a list


class State(wtypes.Base):
    """Whether a collector is on."""

    _wsme_attr_order = ("name", "enabled")

    name = wtypes.wsattr(TextType(), mandatory=False)
    enabled = wtypes.wsattr(bool, mandatory=True)


class MappingsController(rest.RestController):
    """``/v1/collector/mappings``."""

    @wsexpose(MappingCollection, TextType())
    def get_all(self, collector: str | None = None) -> MappingCollection:
        """List the mappings, by service."""
        context.authorize("collector:list_mappings")
        found = store.list_mappings(collector or None)
        return MappingCollection(mappings=[_shown(mapping) for mapping in found])

    @wsexpose(Mapping, TextType())
    def get_one(self, service: str) -> Mapping:
        """Show the mapping of a service."""
        context.authorize("collector:get_mapping")
        found = store.get_mapping(service)
        if found is None:
            _unknown(service)
        return _shown(found)

    @wsexpose(Mapping, TextType(store.MAX_LENGTH), TextType(store.MAX_LENGTH))
    def post(self, collector: str, service: str) -> Mapping:
        """Map a service to a collector, whatever it was mapped to."""
        context.authorize("collector:manage_mapping")
        return _shown(store.set_mapping(service, collector))

    @wsexpose(None, TextType(), status_code=204)
    def delete(self, service: str) -> None:
        """Delete the mapping of a service."""
        context.authorize("collector:manage_mapping")
        if not store.delete_mapping(service):
            _unknown(service)


class StatesController(rest.RestController):
    """``/v1/collector/states/{name}`` and ``/v1/collector/{name}/states``."""

    @wsexpose(State, TextType())
    def get(self, name: str) -> State:
        """Show whether a collector is on; off if nobody knows it."""
        context.authorize("collector:get_state")
        return State(name=name, enabled=store.get_state(name))

    @wsexpose(State, TextType(store.MAX_STATE_LENGTH), body=State)
    def put(self, name: str, infos: Any) -> State:
        """Switch a collector on or off."""
        context.authorize("collector:update_state")
        return State(name=name, enabled=store.set_state(name, enabled=infos.enabled))


class CollectorController(rest.RestController):
    """``/v1/collector``."""

    mappings = MappingsController()
    states = StatesController()

    @wsexpose(None, status_code=204)
    def get_all(self) -> None:
        """Answer that it is there."""

    @pecan.expose()
    def _lookup(self, name: str, *remainder: str) -> tuple[Any, Sequence[str]] | None:
        if remainder[:1] == ("states",) and name not in {"mappings", "states"}:
            return self.states, [name, *remainder[1:]]
        return None  # what the router has found before: 405


def _shown(mapping: store.ServiceMapping) -> Mapping:
    return Mapping(service=mapping.service, collector=mapping.collector)


def _unknown(service: str) -> NoReturn:
    errors.abort_client(404, f"No mapping for service: {service}")
