# SPDX-License-Identifier: Apache-2.0
"""Rules behind an API: reading all of them, and changing them call by call."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import requests
from keystoneauth1 import adapter as ks_adapter

from cloudkitty import keystone, service, timeutils
from cloudkitty.rating.document import model
from cloudkitty.rating.document.change import live as lives
from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.steps import Kind

_HASHMAP: Final = "/v1/rating/module_config/hashmap"
_SCRIPTS: Final = "/v1/rating/module_config/pyscripts/scripts"
_MODULES: Final = "/v1/rating/modules"

#: Where objects are, and what their id is called.
_PLACES: Final = {
    Kind.GROUP: (f"{_HASHMAP}/groups", "group_id"),
    Kind.SERVICE: (f"{_HASHMAP}/services", "service_id"),
    Kind.FIELD: (f"{_HASHMAP}/fields", "field_id"),
    Kind.MAPPING: (f"{_HASHMAP}/mappings", "mapping_id"),
    Kind.THRESHOLD: (f"{_HASHMAP}/thresholds", "threshold_id"),
    Kind.SCRIPT: (_SCRIPTS, "script_id"),
}
#: What may begin in the past if it is said.
_DATED: Final = frozenset({Kind.MAPPING, Kind.SCRIPT})


class Api:
    """One API. Every method raises Refused with what it has said."""

    def __init__(self, adapter: ks_adapter.Adapter) -> None:
        self._adapter = adapter

    def now(self) -> dt.datetime:
        """Give the present by the clock of the API, host-local and naive."""
        date = self._send("GET", _MODULES).headers.get("date")
        now = dt.datetime.now(dt.UTC) if date is None else email.utils.parsedate_to_datetime(date)
        return timeutils.naive_local(now)

    def load(self) -> Live:
        """Read the rules in use."""
        services = self._list(f"{_HASHMAP}/services", "services")
        mappings = self._list(f"{_HASHMAP}/mappings?deleted=true", "mappings")
        return lives.assemble(
            services=services,
            fields=[field for of in services for field in self._fields(of["service_id"])],
            groups=self._list(f"{_HASHMAP}/groups", "groups"),
            mappings=map(_rule, mappings),
            thresholds=map(_rule, self._list(f"{_HASHMAP}/thresholds", "thresholds")),
            scripts=map(_rule, self._list(_SCRIPTS, "scripts")),
            modules=self._list(_MODULES, "modules"),
        )

    def dataframes(self, query: str) -> Any:
        """Give what ``GET /v2/dataframes`` does, numbers with every digit."""
        answer = self._send("GET", f"/v2/dataframes?{query}")
        try:
            return json.loads(answer.text, parse_float=Decimal)
        except ValueError as exc:
            raise service.Refused("GET /v2/dataframes: the answer is none of this API") from exc

    def create(self, kind: Kind, attributes: dict[str, Any]) -> str:
        """Make an object."""
        path, id_ = _PLACES[kind]
        query = "?force=true" if kind in _DATED else ""
        made: str = self._send("POST", f"{path}{query}", attributes).json()[id_]
        return made

    def update(self, kind: Kind, id_: str, attributes: dict[str, Any]) -> None:
        """Change a rule."""
        self._send("PUT", f"{_PLACES[kind][0]}/{id_}", attributes)

    def delete(self, kind: Kind, id_: str) -> None:
        """Delete an object; rules of a group are left."""
        self._send("DELETE", f"{_PLACES[kind][0]}/{id_}")

    def set_module(self, name: str, state: model.Module) -> None:
        """Turn a module on or off, or move it."""
        said = {"module_id": name, "enabled": state.enabled, "priority": state.priority}
        body = {key: value for key, value in said.items() if value is not None}
        self._send("PUT", f"{_MODULES}/{quote(name, safe='')}", body)

    def _fields(self, service_id: str) -> list[dict[str, Any]]:
        return self._list(f"{_HASHMAP}/fields?service_id={service_id}", "fields")

    def _list(self, path: str, name: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._send("GET", path).json()[name]
        except (ValueError, KeyError, TypeError) as exc:
            raise service.Refused(f"GET {path}: the answer is none of this API") from exc
        return found

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> requests.Response:
        kwargs: dict[str, Any] = {} if body is None else {"json": dict(_plain(body))}
        if method != "GET":
            # It may have been done though the answer was lost.
            kwargs["connect_retries"] = 0
        try:
            answer: requests.Response = self._adapter.request(
                path,
                method,
                headers={"Accept": "application/json"},
                raise_exc=False,
                redirect=False,
                **kwargs,
            )
        except keystone.Failure as exc:
            raise service.Refused(keystone.explain(exc)) from exc
        if answer.status_code >= requests.codes.bad_request:
            raise service.Refused(f"{method} {path}: {answer.status_code} {_reason(answer)}")
        return answer


def _plain(attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield attributes as JSON has them: decimals as texts, dates without an offset."""
    for name, value in attributes.items():
        if isinstance(value, Decimal):
            yield name, format(value, "f")
        elif isinstance(value, dt.datetime):
            yield name, value.isoformat()
        else:
            yield name, value


def _rule(record: dict[str, Any]) -> dict[str, Any]:
    """Give what an answer shows with decimals and dates."""
    out = dict(record)
    for name in ("cost", "level"):
        if out.get(name) is not None:
            out[name] = Decimal(out[name])
    for name in ("start", "end", "deleted"):
        if out.get(name) is not None:
            out[name] = dt.datetime.fromisoformat(out[name])
    return out


def _reason(answer: requests.Response) -> str:
    try:
        found = answer.json()
        text = found.get("faultstring") or found.get("message") or answer.reason
    except (ValueError, AttributeError):
        text = answer.text[:200] or answer.reason
    return " ".join(str(text).split())
