# SPDX-License-Identifier: Apache-2.0
"""The rules as they were valid at each moment of the past, for periods that are rated again.

A rule of the tables counts from its start, as always. Beside it there are

* mappings that were deleted: until they were;
* what the audit log knows (:mod:`.store.history`): rules that were removed, until they were, and
  rules that were different, among them those of a group that was deleted, until they were changed;
* thresholds, which have no dates of their own: from when they were made, if the log knows.

So a rule has several stretches of time, which do not overlap, each with what was valid in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.db.changes import CREATE, reading
from cloudkitty.db.changes.reading import Entry
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.rules import (
    DEFAULT_GROUP,
    MappingRule,
    Price,
    Rules,
    ThresholdRule,
    trimmed,
)
from cloudkitty.rating.hashmap.store import history

_KINDS: Final = (history.MAPPING, history.THRESHOLD)
_Rule = TypeVar("_Rule", MappingRule, ThresholdRule)


class _Stretch(NamedTuple):
    """What a rule was from one moment until before another, host-local; None is always."""

    since: dt.datetime | None
    until: dt.datetime | None
    what: Mapping[str, Any]


@dataclass(slots=True)
class _Past:
    """What the log knows of a rule; `last` is when it last changed."""

    #: Number of the entry that says that it was made; 0 if that was before the log.
    made: int = 0
    number: int = 0
    last: dt.datetime | None = None
    stretches: list[_Stretch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Log:
    """What the audit log says about rules, by kind and id; `extent` tells whether there is more."""

    extent: tuple[int, int | None]
    pasts: Mapping[str, Mapping[str, _Past]]


def load(known: Log | None = None) -> tuple[Rules, Log]:
    """Read the rules of every moment; `known`, what was given before, saves reading the log again.

    Raises ValueError for a rule without a cost that is in use, and what the database raises.
    """
    with db.session_for_read() as session:
        extent = reading.extent(session, _KINDS)
        log = known if known is not None and known.extent == extent else _read(session, extent)
        mappings = list(_stretches(session, models.Mapping, log))
        thresholds = list(_stretches(session, models.Threshold, log))
        services = set(session.scalars(sa.select(models.Service.name)))
    found_mappings = _in_order(_mapping_rules(mappings))
    found_thresholds = _in_order(_threshold_rules(thresholds))
    services.update(rule.service for rule in found_mappings)
    services.update(rule.service for rule in found_thresholds)
    return Rules(tuple(sorted(services)), found_mappings, found_thresholds), log


def _read(session: Session, extent: tuple[int, int | None]) -> Log:
    pasts: dict[str, dict[str, _Past]] = {kind: {} for kind in _KINDS}
    for entry in reading.history(session, _KINDS):
        _add(pasts[entry.kind].setdefault(entry.object_id, _Past()), entry)
    return Log(extent, pasts)


def _add(past: _Past, entry: Entry) -> None:
    """Take over the next entry about a rule."""
    now = timeutils.naive_local(entry.time)
    past.number = entry.object_number or past.number
    if entry.action == CREATE:
        past.made = entry.id
        # The dates of a mapping are its owner's word, also when they lie before it was made.
        past.last = now if entry.kind == history.THRESHOLD else None
    elif entry.before is not None:
        past.stretches.append(_Stretch(past.last, now, entry.before))
        past.last = now


#: A rule's place in the order of creation, its id, one of its stretches.
_Placed = tuple[tuple[int, int], str, _Stretch]


def _stretches(session: Session, model: type[models.Base], log: Log) -> Iterator[_Placed]:
    """Give the stretches of rules in the tables, and of those that were there."""
    present = history.describe(session, model, sa.true())
    gone = dict(log.pasts[history.kind(model)])
    for number, (id_, what) in present.items():
        past = gone.pop(id_, _NO_PAST)
        for stretch in (*past.stretches, _Stretch(past.last, None, what)):
            yield (past.made, number), id_, stretch
    for id_, past in gone.items():
        for stretch in past.stretches:
            yield (past.made, past.number), id_, stretch


_NO_PAST: Final = _Past()


def _mapping_rules(placed: list[_Placed]) -> Iterator[tuple[tuple[int, int], MappingRule]]:
    for place, id_, (since, until, what) in placed:
        start = _later(_date(what["start"]), since)
        end = _earlier(_earlier(_date(what["end"]), _date(what["deleted"])), until)
        gone = until is not None or what["deleted"] is not None
        price = _price(what, id_, gone=gone)
        if what["service"] is None or price is None or start is None:
            continue
        if end is None or start < end:
            rule = MappingRule(
                what["service"],
                what["field"],
                what["group"] or DEFAULT_GROUP,
                what["value"],
                price,
                what["tenant_id"],
                start,
                end,
                id_,
            )
            yield place, rule


def _threshold_rules(placed: list[_Placed]) -> Iterator[tuple[tuple[int, int], ThresholdRule]]:
    for place, id_, (since, until, what) in placed:
        price = _price(what, id_, gone=until is not None)
        level = None if what["level"] is None else Decimal(what["level"])
        if what["service"] is None or price is None or level is None or not level.is_finite():
            continue
        if since is None or until is None or since < until:
            rule = ThresholdRule(
                what["service"],
                what["field"],
                what["group"] or DEFAULT_GROUP,
                trimmed(level),
                price,
                what["tenant_id"],
                since,
                until,
                id_,
            )
            yield place, rule


def _price(what: Mapping[str, Any], id_: str, *, gone: bool) -> Price | None:
    if what["cost"] is None:
        # Nobody could have been charged by it; what is still there must be put right.
        if gone:
            return None
        raise ValueError(f"hashmap rule {id_} has no cost; give it one, or delete it")
    return Price(what["type"] == "flat", trimmed(Decimal(what["cost"])))


def _in_order(rules: Iterator[tuple[tuple[int, int], _Rule]]) -> tuple[_Rule, ...]:
    """Give rules in the order of creation, which decides between equal ones (rating.md 4.2).

    Rows are numbered in that order, but SQLite gives numbers of deleted rows again.
    """
    return tuple(rule for _, rule in sorted(rules, key=lambda placed: placed[0]))


def _date(value: Any) -> dt.datetime | None:
    return dt.datetime.fromisoformat(value) if isinstance(value, str) else value


def _later(one: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    return one if other is None or (one is not None and one > other) else other


def _earlier(one: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    return one if other is None or (one is not None and one < other) else other
