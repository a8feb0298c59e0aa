# SPDX-License-Identifier: Apache-2.0
"""Arguments of a v1 call: from the path, the query and the body (contract api.md 3.2 to 3.4).

A path beats the query, the query beats the body (D11). Numbers in bodies are exact decimals (D9).
Booleans in paths and queries are words, not "any text is true" (D7).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import wsme.exc
import wsme.rest.args
import wsme.rest.json
import wsme.types

from cloudkitty.api import jsonbody
from cloudkitty.api.v1 import types

TRUE: Final = frozenset(wsme.rest.json.ENUM_TRUE)
FALSE: Final = frozenset(wsme.rest.json.ENUM_FALSE)
FORM: Final = "application/x-www-form-urlencoded"

# What conversions raise for values of the wrong shape; texts longer than this are cut.
_UNUSABLE: Final = (ValueError, TypeError, AttributeError, ArithmeticError)
_SHOWN: Final = 1000


@wsme.rest.args.from_param.when_object(bool)
def _bool_from_param(_datatype: type[bool], value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise ValueError(f"Value not an unambiguous boolean: {value}")


def read(definition: Any, positional: tuple[Any, ...], request: Any) -> dict[str, Any]:
    """Give the arguments of a call by name.

    `definition` is WSME's description of the function; `positional` is what pecan found for its
    arguments, which may come from the path, from the query, from a JSON body, or be a default.

    Raises wsme.exc.ClientSideError and its kin, which name the argument and the reason.
    """
    query = _from_query(definition, request.params)
    values: dict[str, Any] = {
        **_beside_body(definition, request),
        **_from_body(definition, request),
        **query,
    }
    sources = (request.params, jsonbody.top_level(request))
    for argument, raw in zip(definition.arguments, positional, strict=False):
        if _is_segment(argument, raw, sources):
            if argument.datatype is definition.body_type:
                raise wsme.exc.ClientSideError("Not Found", status_code=404)
            values[argument.name] = _convert(argument, raw)
    if definition.body_type is not None and values.get(definition.arguments[-1].name) is None:
        raise wsme.exc.MissingArgument(definition.arguments[-1].name)
    for argument in definition.arguments:  # null is as good as nothing (contract D3)
        if argument.mandatory and values.get(argument.name) is None:
            raise wsme.exc.MissingArgument(argument.name)
    return values


def _is_segment(argument: Any, raw: Any, sources: tuple[Mapping[str, Any], ...]) -> bool:
    """Whether `raw` is a segment of the path: text that comes from nowhere else."""
    if not isinstance(raw, str) or raw is argument.default:
        return False
    return not any(argument.name in source and source[argument.name] == raw for source in sources)


def _convert(argument: Any, raw: str) -> Any:
    try:
        return wsme.rest.args.from_param(argument.datatype, raw)
    except Exception as exc:
        raise _unusable(argument, raw, exc) from exc


def _from_query(definition: Any, params: Any) -> dict[str, Any]:
    values = {}
    seen: set[str] = set()
    for argument in definition.arguments:
        name = argument.name
        if params.get(name) == "" and _empty_is_absent(argument.datatype):
            seen.add(name)  # as if it were not there
            continue
        try:
            value = wsme.rest.args.from_params(argument.datatype, params, name, seen)
        except wsme.exc.ClientSideError:
            raise
        except Exception as exc:
            raise _unusable(argument, params.get(name), exc) from exc
        if value is not wsme.types.Unset:
            _check_mandatory(argument.datatype, value)
            values[name] = value
    unknown = sorted(set(params) - seen)
    if unknown and not definition.ignore_extra_args:
        raise wsme.exc.UnknownArgument(", ".join(unknown))
    return values


def _empty_is_absent(datatype: Any) -> bool:
    return datatype is bool or datatype is dt.datetime or isinstance(datatype, types.DateType)


def _unusable(argument: Any, raw: Any, error: Exception) -> wsme.exc.InvalidInput:
    datatype = argument.datatype
    name = getattr(datatype, "name", None) or getattr(datatype, "__name__", None)
    return wsme.exc.InvalidInput(
        argument.name,
        raw,
        f"unable to convert to {name or type(datatype).__name__}. Error: {error}",
    )


def _beside_body(definition: Any, request: Any) -> dict[str, Any]:
    """Give arguments that a call with a body type finds in that body: clients put ids there."""
    if definition.body_type is None:
        return {}
    body = jsonbody.top_level(request)
    return {
        argument.name: _from_value(argument.name, argument.datatype, body[argument.name])
        for argument in definition.arguments[:-1]
        if body.get(argument.name) is not None
    }


def _from_body(definition: Any, request: Any) -> dict[str, Any]:
    if not request.body or request.content_type == FORM:
        return {}
    body_type = definition.body_type
    if body_type is not None:
        datatypes = {definition.arguments[-1].name: body_type}
    else:
        datatypes = {argument.name: argument.datatype for argument in definition.arguments}
    if request.content_type in wsme.rest.json.accept_content_types:
        return _from_json(definition, datatypes, request)
    mimetype = request.content_type or "text/plain"
    raise wsme.exc.ClientSideError(f"Unknown mimetype: {mimetype}", status_code=415)


def _from_json(definition: Any, datatypes: Mapping[str, Any], request: Any) -> dict[str, Any]:
    try:
        data = jsonbody.load(request)
    except ValueError:
        raise wsme.exc.ClientSideError("Request is not in valid JSON format") from None
    if definition.body_type is not None:
        name = definition.arguments[-1].name
        if not isinstance(data, dict):
            raise wsme.exc.InvalidInput(name, _shown(data), "Expected a JSON object.")
        return {name: _from_value(name, datatypes[name], data)}
    if not isinstance(data, dict):
        raise wsme.exc.ClientSideError("Request must be a JSON dict")
    unknown = [key for key in data if key not in datatypes]
    if unknown:
        if definition.ignore_extra_args:
            return {}
        raise wsme.exc.UnknownArgument(", ".join(unknown))
    return {key: _from_value(key, datatypes[key], value) for key, value in data.items()}


def _from_value(name: str, datatype: Any, value: Any) -> Any:
    try:
        converted = wsme.rest.json.fromjson(datatype, value)
        wsme.types.validate_value(datatype, converted)
    except wsme.exc.UnknownAttribute as exc:
        exc.add_fieldname(name)
        raise
    except wsme.exc.InvalidInput as exc:
        exc.value = _shown(exc.value)
        raise
    except wsme.exc.ClientSideError:
        raise
    except _UNUSABLE as exc:
        raise _blame(name, datatype, value, exc) from exc
    _check_mandatory(datatype, converted)
    return converted


def _blame(name: str, datatype: Any, value: Any, error: Exception) -> wsme.exc.InvalidInput:
    """Name the innermost attribute that cannot be read (contract D3)."""
    if wsme.types.iscomplex(datatype) and isinstance(value, dict):
        for attribute in wsme.types.list_attributes(datatype):
            if attribute.name in value:
                inner = value[attribute.name]
                try:
                    wsme.rest.json.fromjson(attribute.datatype, inner)
                except _UNUSABLE as exc:
                    return _blame(attribute.name, attribute.datatype, inner, exc)
    if isinstance(datatype, wsme.types.ArrayType) and isinstance(value, list):
        for inner in value:
            try:
                wsme.rest.json.fromjson(datatype.item_type, inner)
            except _UNUSABLE as exc:
                return _blame(name, datatype.item_type, inner, exc)
    text = str(error) if type(error) is ValueError else "Not a valid value."
    return wsme.exc.InvalidInput(name, _shown(value), _cut(text))


def _check_mandatory(datatype: Any, value: Any) -> None:
    """Refuse null for mandatory attributes (contract D3), which WSME lets pass.

    What a query has of an object need not have all of them either.
    """
    if isinstance(datatype, wsme.types.ArrayType):
        for item in value or ():
            _check_mandatory(datatype.item_type, item)
    elif wsme.types.iscomplex(datatype) and value is not None:
        for attribute in wsme.types.list_attributes(datatype):
            inner = getattr(value, attribute.key, wsme.types.Unset)
            if attribute.mandatory and (inner is None or inner is wsme.types.Unset):
                text = "Mandatory field missing."
                raise wsme.exc.InvalidInput(attribute.name, None, text)
            if inner is not wsme.types.Unset:
                _check_mandatory(attribute.datatype, inner)


def _shown(value: Any) -> Any:
    """Give `value` as an error text should show it: as json.loads would have given it, not all."""
    try:
        return _cut(str(_plain(value)))
    except RecursionError:
        return "..."


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _plain(value: Any) -> Any:
    """Give `value` as json.loads would have given it, for error texts."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
