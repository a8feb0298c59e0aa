# SPDX-License-Identifier: Apache-2.0
"""Collections of v1 that may be long: the same text as WSME makes, item by item and faster.

A call whose return type is a collection, an object with one attribute that is a list, may give a
:class:`Listing` in its place. Its items are records of any kind with the attributes that answers
show; what they hold comes from our tables, so it is not validated again.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final
from xml.etree import ElementTree as ET

import wsme.rest.json
import wsme.rest.xml
import wsme.types

_Convert = Callable[[Any], Any]
#: Types whose values JSON takes as they are.
_PLAIN: Final = (wsme.types.text, int, float, bool, dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of a collection, and what is to be closed when they have been read."""

    items: Iterable[Any]
    opened: ExitStack = field(default_factory=ExitStack)


def as_json(collection: type[Any], items: Iterable[Any]) -> Iterator[bytes]:
    """Give the text of a collection in JSON."""
    name, item_type = _attribute(collection)
    convert = _to_json(item_type) or _same
    yield b'{"%s": [' % name.encode()
    for number, item in enumerate(items):
        text = json.dumps(convert(item)).encode()
        yield b", " + text if number else text
    yield b"]}"


def as_xml(collection: type[Any], items: Iterable[Any]) -> Iterator[bytes]:
    """Give the text of a collection in XML."""
    name, item_type = _attribute(collection)
    rest = iter(items)
    first = list(itertools.islice(rest, 1))
    if not first:
        yield wsme.rest.xml.encode_result(collection(**{name: []}), collection)
        return
    yield b"<result><%s>" % name.encode()
    for item in itertools.chain(first, rest):
        element = wsme.rest.xml.toxml(item_type, "item", _model(item_type, item))
        yield ET.tostring(element)
    yield b"</%s></result>" % name.encode()


def _attribute(collection: type[Any]) -> tuple[str, Any]:
    """Give name and type of the items of a collection."""
    (attribute,) = wsme.types.list_attributes(collection)
    return attribute.name, attribute.datatype.item_type


@functools.cache
def _to_json(datatype: Any) -> _Convert | None:
    """Give what makes a value one that JSON takes, as WSME's tojson does; None: it is one."""
    if isinstance(datatype, wsme.types.ArrayType):
        return _array(_to_json(datatype.item_type) or _same)
    if wsme.types.iscomplex(datatype):
        return _object(datatype)
    if wsme.types.isusertype(datatype):
        inner, outer = datatype.tobasetype, _to_json(datatype.basetype)
        if outer is None:
            return _bound(inner)
        return lambda value: outer(inner(value))
    if datatype in _PLAIN:
        return None
    return functools.partial(wsme.rest.json.tojson, datatype)


def _bound(tobasetype: _Convert) -> _Convert | None:
    """Give `tobasetype`, None when it is WSME's own, which gives its argument."""
    function = getattr(tobasetype, "__func__", tobasetype)
    return None if function is wsme.types.UserType.tobasetype else tobasetype


def _array(convert: _Convert) -> _Convert:
    return lambda values: [convert(value) for value in values]


def _object(datatype: Any) -> _Convert:
    attributes = wsme.types.list_attributes(datatype)
    names = [attribute.name for attribute in attributes]
    converts = [
        (name, convert)
        for name, attribute in zip(names, attributes, strict=True)
        if (convert := _to_json(attribute.datatype)) is not None
    ]
    if len(names) == 1:
        return lambda record: _converted({names[0]: getattr(record, names[0])}, converts)
    values = attrgetter(*names)
    return lambda record: _converted(dict(zip(names, values(record), strict=True)), converts)


def _converted(found: dict[str, Any], converts: list[tuple[str, _Convert]]) -> dict[str, Any]:
    for name, convert in converts:
        value = found[name]
        if value is not None:
            found[name] = convert(value)
    return found


def _same(value: Any) -> Any:
    return value


def _model(datatype: Any, value: Any) -> Any:
    """Give a record as an object of WSME's type, with what is inside of it."""
    if value is None:
        return None
    if isinstance(datatype, wsme.types.ArrayType):
        return [_model(datatype.item_type, item) for item in value]
    if wsme.types.iscomplex(datatype):
        return datatype(
            **{
                attribute.key: _model(attribute.datatype, getattr(value, attribute.name))
                for attribute in wsme.types.list_attributes(datatype)
            }
        )
    return value
