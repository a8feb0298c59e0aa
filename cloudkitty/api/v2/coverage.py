# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/coverage``: what rules cover of the usage that is stored."""

from __future__ import annotations

from typing import Final

import voluptuous as vol

from cloudkitty import timeutils
from cloudkitty.api import context, errors, limits
from cloudkitty.api.v2 import paging, schema
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.rating import coverage
from cloudkitty.rating.coverage import answer
from cloudkitty.storage.v2.base import Unsupported

_UNSUPPORTED: Final = "The storage backend does not give sums by series."
_UNREADABLE: Final = "A rule in the database makes no sense; the message says which."
_QUERY: Final = vol.Schema(
    {
        vol.Optional(
            "begin",
            description="Only what begins then or later; by default seven days before the UTC day "
            "of end.",
        ): schema.Single(schema.date),
        vol.Optional(
            "end",
            description="Only what begins before; by default the present moment.",
        ): schema.Single(schema.date),
        vol.Optional(
            "ignore",
            default=list,
            description="Metric types that are meant to have no price.",
        ): schema.Many(str),
        vol.Optional(
            "limit",
            description="How many entries a list has at most, and how many combinations of values "
            "an entry; if not said, 100, or less where [api] max_page_size is less.",
        ): schema.Single(schema.AtLeast(1)),
    },
)


def _get(call: Call) -> answer.RatingCoverage:
    context.authorize("v2_rating:get_coverage", {}, call.context)
    args = call.args
    begin, end = coverage.interval(args.get("begin"), args.get("end"), timeutils.utcnow())
    if begin >= end:
        errors.abort_client(400, "end must be after begin.")
    limits.check_interval(call.conf, begin, end)
    limit = paging.page_size(call)
    try:
        found = coverage.look(call.storage, begin, end, ignored=args["ignore"], limit=limit)
    except coverage.TooManyChanges as exc:
        errors.abort_client(400, f"{exc}.")
    except coverage.UnreadableRules as exc:
        errors.abort_client(409, f"{exc}.")
    except Unsupported as exc:
        raise errors.ApiError(501, f"{exc}.") from exc
    return answer.of(found)


GET: Final = Operation(
    _get,
    query=_QUERY,
    answer=answer.RatingCoverage,
    refusals={
        409: "A rule in the database makes no sense; the message says which.",
        501: _UNSUPPORTED,
    },
)
