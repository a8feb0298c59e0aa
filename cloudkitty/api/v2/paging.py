# SPDX-License-Identifier: Apache-2.0
"""How large a page of rated usage may be: ``[api] max_page_size``."""

from __future__ import annotations

from typing import Final

import voluptuous as vol

from cloudkitty.api import limits
from cloudkitty.api.v2 import schema
from cloudkitty.api.v2.routing import Call

_PAGE: Final = 100

LIMIT: Final = {
    vol.Optional(
        "limit",
        description=f"How many results to give at most; if not said, {_PAGE}, or less where "
        "[api] max_page_size is less.",
    ): schema.Single(schema.AtLeast(1)),
}
#: As schema.PAGING, but that a page that nobody asked a size for may be smaller.
PAGING: Final = {**schema.OFFSET, **LIMIT}


def page_size(call: Call, also: str | None = None) -> int:
    """Give the size of the page; ApiError (400) for a larger one than may be.

    `also` is an option of ``[api]`` that limits it beside max_page_size.
    """
    asked: int | None = call.args.get("limit")
    limited: list[tuple[int, str]] = [
        (most, option)
        for option in ("max_page_size", also)
        if option is not None and (most := call.conf.api[option])
    ]
    if asked is None:
        return min([_PAGE, *(most for most, _option in limited)])
    for most, option in limited:
        if asked > most:
            limits.refuse(f"limit must be at most {most}", option)
    return asked
