# SPDX-License-Identifier: Apache-2.0
"""Names of projects, domains and users, from Keystone.

Projects and domains come as one list. Users are asked for one by one: a list of all of them may be
a whole company's directory, and Keystone gives none of those in domains with a back end of their
own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeGuard
from urllib.parse import quote

from keystoneauth1 import adapter as ks_adapter
from keystoneauth1 import exceptions

from cloudkitty import keystone
from cloudkitty.collector.base import CollectError
from cloudkitty.collector.joins.base import Key, Labels
from cloudkitty.collector.joins.directory import Directory

#: Entities that come as a list.
_LISTED: Final = frozenset({"project", "domain"})


class KeystoneDirectory(Directory):
    """Everything about one kind of entity."""

    def __init__(
        self, identity: ks_adapter.Adapter, entity: str, *, domain_names: bool, seconds: float
    ) -> None:
        """Take what sends requests to Keystone; `domain_names`: add the names of domains."""
        super().__init__(seconds)
        self._identity = identity
        self._entity = entity
        self._domain_names = domain_names

    def fetch(self, keys: Collection[Key]) -> dict[Key, Labels]:
        """Ask Keystone; raises CollectError."""
        wanted = [key[0] for key in keys]
        found: list[dict[str, Any]] = []
        complete = False
        if self._entity in _LISTED:
            found, complete = self._list(self._entity)
        if not complete:
            listed = {one["id"] for one in found}
            found += self._one_by_one([one for one in wanted if one not in listed])
        if self._domain_names:
            names = self._names_of_domains(found)
            for one in found:
                one["domain_name"] = names.get(one.get("domain_id"), "")
        return {(one["id"],): one for one in found}

    def _list(self, entity: str) -> tuple[list[dict[str, Any]], bool]:
        """Give (the list, whether Keystone has left nothing out)."""
        path = f"/{entity}s"
        body = self._get(path)
        found = body.get(f"{entity}s")
        if not isinstance(found, list) or not all(_is_entity(one) for one in found):
            raise CollectError(f"GET {path}: not a list of {entity}s")
        links = body.get("links")
        more = body.get("truncated") or (isinstance(links, Mapping) and links.get("next"))
        return found, not more

    def _one_by_one(self, ids: Collection[str]) -> Iterator[dict[str, Any]]:
        for one in ids:
            path = f"/{self._entity}s/{quote(one, safe='')}"
            try:
                found = self._get(path).get(self._entity)
            except _NotThereError:
                continue
            if not _is_entity(found):
                raise CollectError(f"GET {path}: not a {self._entity}")
            yield found

    def _names_of_domains(self, found: Collection[Mapping[str, Any]]) -> dict[Any, Any]:
        domains, _complete = self._list("domain")
        names = {one["id"]: one.get("name", "") for one in domains}
        for missing in {one.get("domain_id") for one in found} - {*names, None}:
            path = f"/domains/{quote(str(missing), safe='')}"
            try:
                names[missing] = self._get(path).get("domain", {}).get("name", "")
            except _NotThereError:
                continue
        return names

    def _get(self, path: str) -> Mapping[str, Any]:
        try:
            body = self._identity.get(path).json()
        except exceptions.NotFound as exc:
            raise _NotThereError(f"GET {path}: {keystone.explain(exc)}") from exc
        except keystone.Failure as exc:
            raise CollectError(f"GET {path}: {keystone.explain(exc)}") from exc
        except ValueError as exc:
            raise CollectError(f"GET {path}: no JSON: {exc}") from exc
        if not isinstance(body, Mapping):
            raise CollectError(f"GET {path}: not a dictionary")
        return body


class _NotThereError(CollectError):
    """Nothing is there."""


def _is_entity(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and isinstance(value.get("id"), str)
