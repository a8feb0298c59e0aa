# SPDX-License-Identifier: Apache-2.0
"""What a question about rated usage may ask for at most, as ``[api]`` says.

Nothing is refused unless an operator has set a limit: the contract (api.md 13) has none.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import voluptuous as vol

from cloudkitty.api import errors
from cloudkitty.api.v2 import schema
from cloudkitty.api.v2.routing import Call
from cloudkitty.storage.v2 import query

_PAGE: Final = 100

#: As schema.PAGING, but that a page that nobody asked a size for may be smaller.
PAGING: Final = {
    **schema.OFFSET,
    vol.Optional(
        "limit",
        description=f"How many results to give at most; if not said, {_PAGE}, or less where "
        "[api] max_page_size is less.",
    ): schema.Single(schema.AtLeast(1)),
}


def page_size(call: Call) -> int:
    """Give the size of the page; ApiError (400) for a larger one than may be."""
    asked: int | None = call.args.get("limit")
    most: int = call.conf.api.max_page_size
    if asked is None:
        return min(_PAGE, most or _PAGE)
    if most and asked > most:
        _refuse(f"limit must be at most {most}", "max_page_size")
    return asked


def check_interval(call: Call) -> None:
    """Refuse, with an ApiError (400), an interval that is too long."""
    most: int = call.conf.api.max_interval_days
    if not most:
        return
    asked = query.interval(call.args.get("begin"), call.args.get("end"))
    assert asked.begin is not None
    assert asked.end is not None
    if asked.end - asked.begin > dt.timedelta(days=most):
        _refuse(f"end must be at most {most} days after begin", "max_interval_days")


def check_groupby(call: Call) -> None:
    """Refuse, with an ApiError (400), more keys to group by than may be."""
    most: int = call.conf.api.max_groupby_keys
    if most and len(call.args.get("groupby", ())) > most:
        _refuse(f"groupby must have at most {most} keys", "max_groupby_keys")


def check_rows(call: Call, found: dict[str, Any]) -> None:
    """Refuse, with an ApiError (400), an answer that is grouped into more rows than may be."""
    most: int = call.conf.api.max_groupby_rows
    if most and "groupby" in call.args and found["total"] > most:
        _refuse(f"groupby leads to {found['total']} rows, more than {most}", "max_groupby_rows")


def _refuse(text: str, option: str) -> None:
    errors.abort_client(400, f"{text} (limit of this service: [api] {option}).")
