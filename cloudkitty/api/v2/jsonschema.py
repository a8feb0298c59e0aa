# SPDX-License-Identifier: Apache-2.0
"""JSON Schema (as of OpenAPI 3.1) of what v2 takes and gives, read off its declarations.

Queries and bodies are declared with voluptuous, answers (and bodies that are read by a function)
as TypedDicts. What a schema says of data is what the validation says of it, or less.
"""

from __future__ import annotations

import datetime as dt
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import voluptuous as vol

from cloudkitty.api.v2 import schema

Json = dict[str, Any]

_PLAIN: Final[Mapping[Any, Json]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    dict: {"type": "object"},
    Decimal: {"type": "number"},
    dt.datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    Any: {},
    object: {},
}
_READERS: Final[Mapping[Any, Json]] = {
    schema.integer: {"type": "integer"},
    schema.date: {
        "type": "string",
        "format": "date-time",
        "description": "Any form of ISO 8601, also a date alone; UTC unless it says otherwise.",
        "examples": ["2026-11-01T00:00:00+00:00"],
    },
}


def parameters(query: vol.Schema) -> list[Json]:
    """Give the parameter objects of a query, in the order of their declaration."""
    return [_parameter(marker, kind) for marker, kind in query.schema.items()]


def of_validator(validator: Any) -> Json:
    """Give the schema of what a voluptuous validator takes; anything for one it cannot read."""
    match validator:
        case vol.Schema():
            found = of_validator(validator.schema)
        case dict():
            found = _object(validator)
        case list():
            items = [of_validator(item) for item in validator]
            found = {"type": "array", **({"items": _any_of(items)} if items else {})}
        case vol.All():
            found = _all_of([of_validator(one) for one in validator.validators])
        case vol.Any():
            found = _any_of([of_validator(one) for one in validator.validators])
        case vol.In():
            found = {"enum": list(typing.cast("Iterable[Any]", validator.container))}
        case str() | int():
            found = {"const": validator}
        case _:
            found = _of_reader(validator)
    return found


class Types:
    """Schemas of types; TypedDicts are named, and kept in `components`."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}

    def of(self, hint: Any) -> Json:
        """Give the schema of the JSON that a value of this type becomes.

        Raises TypeError for a type that answers do not consist of.
        """
        if typing.is_typeddict(hint):
            return self._named(hint)
        if hint in _PLAIN:
            return dict(_PLAIN[hint])
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if origin in {typing.Union, types.UnionType}:
            return _any_of([self.of(argument) for argument in arguments])
        raise TypeError(f"no JSON Schema for {hint}")

    def _named(self, hint: Any) -> Json:
        name = hint.__name__.strip("_")
        if name not in self.components:
            found: Json = {}
            self.components[name] = found
            hints = typing.get_type_hints(hint)
            found["type"] = "object"
            if text := inspect.getdoc(hint):
                found["description"] = " ".join(text.split())
            found["properties"] = {key: self.of(one) for key, one in hints.items()}
            if hint.__required_keys__:
                found["required"] = [key for key in hints if key in hint.__required_keys__]
            found["additionalProperties"] = False
        return {"$ref": f"#/components/schemas/{name}"}


def _parameter(marker: Any, kind: Any) -> Json:
    found: Json = {"name": str(marker.schema), "in": "query"}
    if text := getattr(marker, "description", None):
        found["description"] = text
    if isinstance(marker, vol.Required):
        found["required"] = True
    values = _of_parameter(kind)
    if values.get("type") == "array":
        found |= {"style": "form", "explode": False}
    default = marker.default
    if default is not vol.UNDEFINED and (values_given := default()):
        values["default"] = kind(values_given)
    found["schema"] = values
    return found


def _of_parameter(kind: Any) -> Json:
    if isinstance(kind, schema.Single):
        return of_validator(kind.kind)
    if isinstance(kind, schema.Many):
        return {"type": "array", "items": of_validator(kind.kind)}
    if isinstance(kind, schema.Filters):
        return {"type": "array", "items": {"type": "string", "pattern": "^[^:,]*:[^:,]*$"}}
    return of_validator(kind)


def _object(keys: Mapping[Any, Any]) -> Json:
    properties = {}
    for marker, kind in keys.items():
        if _is_open(marker):
            continue
        found = of_validator(kind)
        if text := getattr(marker, "description", None):
            found["description"] = text
        properties[str(marker)] = found
    required = [str(marker) for marker in keys if isinstance(marker, vol.Required)]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": any(map(_is_open, keys)),
    }


def _is_open(marker: Any) -> bool:
    """Whether a key of a schema stands for any key."""
    return marker is vol.Extra or isinstance(marker, type)


def _of_reader(reader: Callable[..., Any] | None) -> Json:
    known = _READERS.get(reader)
    if known is None and (reader is None or isinstance(reader, type)):
        known = _PLAIN.get(reader)
    if known is None and isinstance(reader, schema.AtLeast):
        known = {"type": "integer", "minimum": reader.least}
    if known is None:
        known = getattr(reader, "json", None)
    return dict(known or {})


def _any_of(found: list[Json]) -> Json:
    if not all(found):
        return {}
    return found[0] if len(found) == 1 else {"anyOf": found}


def _all_of(found: list[Json]) -> Json:
    known = [one for one in found if one]
    return known[0] if len(known) == 1 else ({"allOf": known} if known else {})
