# SPDX-License-Identifier: Apache-2.0
"""What a question about rated usage may ask for at most, as ``[api]`` says; for both versions.

Nothing is refused unless an operator has set a limit: the contract (api.md 9, 10, 13) has none.
v1 has no pages, and its answers are streamed: what bounds them is the interval.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, NoReturn

from oslo_config import cfg

from cloudkitty.api import errors
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import BaseStorage, TooManyRows


def check_interval(
    conf: cfg.ConfigOpts,
    begin: dt.datetime | None,
    end: dt.datetime | None,
) -> None:
    """Refuse, with an ApiError (400), an interval that is too long."""
    most: int = conf.api.max_interval_days
    if not most:
        return
    asked = query.interval(begin, end)
    assert asked.begin is not None
    assert asked.end is not None
    if asked.end - asked.begin > dt.timedelta(days=most):
        refuse(f"end must be at most {most} days after begin", "max_interval_days")


def check_keys(conf: cfg.ConfigOpts, groupby: Collection[str]) -> None:
    """Refuse, with an ApiError (400), more keys to group by than may be."""
    most: int = conf.api.max_groupby_keys
    if most and len(groupby) > most:
        refuse(f"groupby must have at most {most} keys", "max_groupby_keys")


def total(conf: cfg.ConfigOpts, storage: BaseStorage, **question: Any) -> dict[str, Any]:
    """Give what the storage's ``total`` gives.

    Refuses, with an ApiError (400), what is grouped into more rows than may be.
    """
    most: int = conf.api.max_groupby_rows
    if not (most and question.get("groupby")):
        return storage.total(**question)
    try:
        return storage.total_at_most(most, **question)
    except TooManyRows:
        refuse(f"groupby leads to more than {most} rows", "max_groupby_rows")


def refuse(text: str, option: str) -> NoReturn:
    """Raise the ApiError (400) that says which limit it is."""
    errors.abort_client(400, f"{text} (limit of this service: [api] {option}).")
