# SPDX-License-Identifier: Apache-2.0
"""Which operation answers a method on a path; what is not in the table is 404 or 405."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import voluptuous as vol
from oslo_config import cfg

from cloudkitty.api.context import RequestContext
from cloudkitty.storage.v2.base import BaseStorage

_NAME: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose arguments are valid, on its way to the operation."""

    context: RequestContext
    conf: cfg.ConfigOpts
    storage: BaseStorage
    #: What the schema has made of query or body.
    args: dict[str, Any]
    #: Variable segments of the path, by name.
    path: Mapping[str, str]
    #: What the schema has made of the headers that the operation declares.
    headers: Mapping[str, Any] = field(default_factory=dict)
    #: The body as it came, where there are such headers.
    body: bytes = b""
    #: The table that the operation was found in.
    routes: Sequence[Route] = ()


@dataclass(frozen=True, slots=True)
class WithHeaders:
    """Data of an answer and headers of its own; a Location may be relative to the request's."""

    data: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """What answers one method of one resource.

    `run` checks the policy first thing and gives the answer's data (maybe WithHeaders), None for
    204, or what :mod:`cloudkitty.api.streaming` makes; it may raise anything that
    :func:`cloudkitty.api.errors.describe` knows. `query` or `body` is a schema: it takes the
    query (name -> list of texts) or the JSON body, and raises voluptuous.Invalid. `headers` is
    one for name -> text of the headers that it names.

    The rest is for the OpenAPI document: a sentence, the type of the answer (a TypedDict; None for
    no body), and what refusals of its own mean, by status.
    """

    run: Callable[[Call], Any]
    query: Callable[[Any], dict[str, Any]] | None = None
    body: Callable[[Any], dict[str, Any]] | None = None
    status: int = 200
    headers: vol.Schema | None = None
    summary: str = ""
    answer: Any = None
    refusals: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """A path, whose segments in braces may be any text, and its operations by method."""

    path: str
    operations: Mapping[str, Operation]
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        parts = _NAME.split(self.path)
        regex = "".join(
            f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part)
            for index, part in enumerate(parts)
        )
        object.__setattr__(self, "pattern", re.compile(regex))

    def operation(self, method: str) -> Operation | None:
        """Give what answers `method`; HEAD is answered as GET is."""
        return self.operations.get("GET" if method == "HEAD" else method)

    @property
    def allow(self) -> str:
        """The methods that are answered, as the Allow header lists them."""
        methods = [*self.operations, "OPTIONS"]
        if "GET" in self.operations:
            methods.append("HEAD")
        return ", ".join(sorted(methods))


def find(routes: Sequence[Route], path: str) -> tuple[Route, dict[str, str]] | None:
    """Give the route of a path and the path's variable segments."""
    for route in routes:
        found = route.pattern.fullmatch(path)
        if found:
            return route, found.groupdict()
    return None
