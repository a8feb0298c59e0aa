# SPDX-License-Identifier: Apache-2.0
"""Values that rules of every module have: texts that fit, windows that are in order.

What is refused is refused alike on every database, before anything is written (contract api.md
D3, D8, D10).
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from cloudkitty.rating.common.errors import InvalidError, bad_attribute

NAME_LIMIT: Final = 255
DESCRIPTION_LIMIT: Final = 256


def storable(text: str) -> bool:
    """Whether every database can hold, or compare with, the text."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can express
        return False
    return True


def maybe_id(text: str) -> bool:
    """Whether something may have the id; columns of ids need not hold more than ASCII."""
    return text.isascii() and "\x00" not in text


def text(name: str, value: str | None, limit: int) -> str | None:
    """Give an optional text back; raises InvalidError when it is too long or cannot be stored."""
    if value is None:
        return None
    if len(value) > limit:
        shown = value[:limit] + "..."
        raise bad_attribute(name, shown, f"Value too long: at most {limit} characters")
    if not storable(value):
        raise bad_attribute(name, ascii(value), "Value has characters that cannot be stored")
    return value


def mandatory_name(name: str, value: str | None, limit: int) -> str:
    """Give a name back; raises InvalidError when it is missing, empty or too long."""
    if value is None:
        raise bad_attribute(name, None, "Mandatory field missing.")
    if not value:
        raise bad_attribute(name, "", f"Value too short: 1 to {limit} characters")
    text(name, value, limit)
    return value


def check_window(start: dt.datetime, end: dt.datetime | None) -> None:
    """Raise InvalidError when the rule would end before it starts (contract api.md 7.5)."""
    if end is not None and end < start:
        raise InvalidError(
            f"Cannot create a rule with start after end. start=[{start}] end=[{end}]."
        )


def check_not_past(start: dt.datetime, now: dt.datetime) -> None:
    """Raise InvalidError when the rule would start in the past (contract api.md 7.5)."""
    if start < now:
        raise InvalidError(
            f"Cannot create a rule with start in the past. start=[{start}] current time=[{now}].",
        )


def closes(
    start: dt.datetime,
    old_end: dt.datetime | None,
    new_end: dt.datetime | None,
    now: dt.datetime,
    *,
    same: bool,
) -> bool:
    """Whether a rule that runs gets `new_end` now, the only change that it admits (api.md D16).

    `same` says that everything else is as it is stored. Raises InvalidError for what is more than
    an end in the future for a rule that has none.
    """
    if old_end is not None:
        if same and new_end == old_end:
            return False
        raise InvalidError(
            "Cannot update a rule that was already processed and has a defined end date.",
        )
    if not same:
        raise InvalidError(
            "You are allowed to update only the attribute [end] as this rule is already running "
            f"as it started on [{start}]",
        )
    if new_end is None:
        return False
    if new_end <= now:
        raise InvalidError(f"End date must be in the future. end=[{new_end}] current time=[{now}].")
    return True
