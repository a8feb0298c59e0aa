# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/audit``: who changed which rule, script or module, from what to what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, Final, TypedDict

import voluptuous as vol

from cloudkitty import db
from cloudkitty.api import context, errors, streaming
from cloudkitty.api.v2 import jsontext, paging, schema
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.db import changes
from cloudkitty.db.changes import reading
from cloudkitty.db.changes.reading import Entry, Wanted

#: Entries that are made into text at once.
_ITEMS: Final = 200
_ACTIONS: Final = (changes.CREATE, changes.UPDATE, changes.DELETE)
_TEXT: Final = schema.Text(r"[^\x00]*", "not a valid text")
_ACTION: Final = schema.Text(f"({'|'.join(_ACTIONS)})", f"expected one of {', '.join(_ACTIONS)}")
_NO_SOURCE: Final = "No entry of the audit log names such a source."


class AuditEntry(TypedDict):
    """A change; `before` and `after` are what the object was and is, null if it is not there."""

    id: int
    time: dt.datetime
    user_id: str | None
    project_id: str | None
    request_id: str | None
    way: str
    kind: str
    object_id: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditEntries(TypedDict):
    """One page of changes, newest first."""

    results: list[AuditEntry]


class Source(TypedDict):
    """The source of a script, as it was when the checksum was that."""

    checksum: str
    source: str


_QUERY: Final = vol.Schema(
    {
        **paging.LIMIT,
        vol.Optional(
            "marker",
            description="Only entries older than the one with this id: the last of the page "
            "before. What is changed meanwhile does not move the pages.",
        ): schema.Single(schema.AtLeast(0)),
        vol.Optional(
            "kind",
            description="Only these kinds of objects: hashmap service, hashmap field, hashmap "
            "group, hashmap mapping, hashmap threshold, pyscript, module, or those of plug-ins.",
        ): schema.Many(_TEXT),
        vol.Optional(
            "object_id", description="Only changes of these objects; of modules, their names."
        ): schema.Many(_TEXT),
        vol.Optional("user_id", description="Only changes by these users."): schema.Many(_TEXT),
        vol.Optional("action", description="Only these: create, update, delete."): schema.Many(
            _ACTION
        ),
        vol.Optional("begin", description="Only what was changed then or later."): schema.Single(
            schema.date
        ),
        vol.Optional("end", description="Only what was changed before."): schema.Single(
            schema.date
        ),
    },
)


def _list(call: Call) -> bytes | streaming.Streamed:
    context.authorize("v2_rating:list_audit", {}, call.context)
    args = call.args
    wanted = Wanted(
        kinds=args.get("kind"),
        object_ids=args.get("object_id"),
        user_ids=args.get("user_id"),
        actions=args.get("action"),
        begin=args.get("begin"),
        end=args.get("end"),
        older_than=args.get("marker"),
    )
    limit = paging.page_size(call)
    with ExitStack() as opened:
        session = opened.enter_context(db.session_for_read())
        return streaming.answer(_texts(reading.entries(session, wanted, limit)), opened)


def _texts(entries: Iterable[Entry]) -> Iterator[bytes]:
    yield b'{"results":['
    iterator = iter(entries)
    comma = b""
    while some := [_shown(entry) for entry in islice(iterator, _ITEMS)]:
        yield comma + jsontext.encode(some)[1:-1]
        comma = b","
    yield b"]}"


def _shown(entry: Entry) -> AuditEntry:
    return {
        "id": entry.id,
        "time": entry.time,
        "user_id": entry.user_id,
        "project_id": entry.project_id,
        "request_id": entry.request_id,
        "way": entry.way,
        "kind": entry.kind,
        "object_id": entry.object_id,
        "action": entry.action,
        "before": entry.before,
        "after": entry.after,
    }


def _source(call: Call) -> Source:
    context.authorize("v2_rating:list_audit", {}, call.context)
    checksum = call.path["checksum"]
    found = reading.source(checksum)
    if found is None:
        errors.abort_client(404, _NO_SOURCE)
    # A source that came past the API may be in any encoding.
    return {"checksum": checksum, "source": found.decode(errors="replace")}


LIST: Final = Operation(_list, query=_QUERY, answer=AuditEntries)
SOURCE: Final = Operation(
    _source,
    summary="Show the source of a script that entries of the audit log name by its checksum.",
    answer=Source,
    refusals={404: _NO_SOURCE},
)
