# SPDX-License-Identifier: Apache-2.0
"""Scope states: listing, the configured origin, compare-and-set."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import db, timeutils
from cloudkitty.state.models import IdentifierState, ScopeLease
from cloudkitty.state.scope import (
    Move,
    NoScope,
    Origin,
    ScopeExists,
    SeveralScopes,
    advance,
    change,
    create,
    list_scopes,
    states_for,
)

ORIGIN = Origin("project_id", "source", "prometheus")
OTHER = Origin("region", "gnocchi", "gnocchi")
T = 1_800_000_000
P = 3600


def at(epoch: int) -> dt.datetime:
    return timeutils.naive_utc(timeutils.from_epoch(epoch))


def add(name: str, last: int = T, origin: Origin | None = ORIGIN, *, active: bool = True) -> None:
    with db.session_for_write() as session:
        session.add(
            IdentifierState(
                identifier=name,
                scope_key=origin and origin.scope_key,
                fetcher=origin and origin.fetcher,
                collector=origin and origin.collector,
                last_processed_timestamp=at(last),
                active=active,
            ),
        )


def move(*moves: Move, origin: Origin = ORIGIN) -> set[str]:
    with db.session_for_write() as session:
        return advance(session, origin, moves)


def last(name: str, origin: Origin = ORIGIN) -> int:
    return timeutils.to_epoch(states_for(origin, [name])[name].last_processed)


def test_a_scope_moves_only_from_where_it_is_expected(database: str) -> None:
    add("a")
    add("b", T + P)
    assert move(Move("a", T, T + P), Move("b", T, T + P)) == {"a"}
    assert last("a") == last("b") == T + P
    assert move(Move("a", T, T + P)) == set()
    assert move(Move("a", T + P, T + 5 * P)) == {"a"}
    assert last("a") == T + 5 * P


def test_a_new_scope_gets_a_row_with_its_origin(database: str) -> None:
    assert move(Move("a", None, T)) == {"a"}
    assert move(Move("a", None, T)) == set()
    with db.session_for_read() as session:
        row = session.query(IdentifierState).one()
        assert (row.scope_key, row.fetcher, row.collector) == ("project_id", "source", "prometheus")
        assert row.active
    assert move(Move("a", None, T), origin=OTHER) == {"a"}
    assert len(states_for(OTHER)) == 1


def test_a_scope_that_is_switched_off_does_not_move(database: str) -> None:
    add("a", active=False)
    assert move(Move("a", T, T + P)) == set()
    assert last("a") == T


def test_a_row_without_origin_is_adopted(database: str) -> None:
    add("a", origin=None)
    assert states_for(ORIGIN)["a"].collector == "prometheus"
    assert move(Move("a", T, T + P)) == {"a"}
    with db.session_for_read() as session:
        assert session.query(IdentifierState).one().fetcher == "source"
    assert states_for(OTHER) == {}


def test_a_row_with_origin_goes_before_one_without(database: str) -> None:
    add("a", T + 7 * P, origin=None)
    add("a", T)
    assert last("a") == T
    assert move(Move("a", T, T + P)) == {"a"}
    with db.session_for_read() as session:
        assert session.query(IdentifierState).filter_by(scope_key=None).count() == 1


def test_ids_are_compared_exactly(database: str) -> None:
    assert move(Move("Abc", None, T)) == {"Abc"}
    assert move(Move("abc", None, T + P)) == {"abc"}
    assert (last("Abc"), last("abc")) == (T, T + P)


def test_many_scopes(database: str) -> None:
    names = [f"scope-{n:05}" for n in range(2500)]
    with db.session_for_write() as session:
        session.execute(
            IdentifierState.__table__.insert(),
            [
                {
                    "identifier": name,
                    "scope_key": ORIGIN.scope_key,
                    "fetcher": ORIGIN.fetcher,
                    "collector": ORIGIN.collector,
                    "last_processed_timestamp": at(T),
                    "active": True,
                }
                for name in names
            ],
        )
    assert move(*(Move(name, T, T + P) for name in names)) == set(names)
    assert len(states_for(ORIGIN, names)) == len(names)


@pytest.mark.parametrize("start", [None, T])
def test_only_one_of_many_wins(database: str, start: int | None) -> None:
    names = [f"s{n}" for n in range(20)]
    if start is not None:
        for name in names:
            add(name)
    won: list[str] = []
    barrier = threading.Barrier(4, timeout=30)

    def run(shift: int) -> None:
        order = names[shift:] + names[:shift]
        barrier.wait()
        won.extend(move(*(Move(name, start, T + P) for name in order)))

    threads = [threading.Thread(target=run, args=(n * 5,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(names)


def test_listing(database: str, conf: cfg_fixture.Config) -> None:
    conf.config(collector="prometheus", scope_key="project_id", group="collect")
    conf.config(backend="source", group="fetcher")
    add("a")
    add("b", active=False)
    add("c", origin=OTHER)
    add("d", origin=None)

    def names(**filters: object) -> list[str]:
        return [state.scope_id for state in list_scopes(conf.conf, **filters)]

    assert names() == ["a", "b", "c", "d"]
    assert names(offset=1, limit=2) == ["b", "c"]
    assert names(active=[False]) == ["b"]
    assert names(active=[True], collector=["prometheus"]) == ["a", "d"]
    assert names(scope_key=["region"]) == ["c"]
    assert names(fetcher=["source", "gnocchi"], scope_id=["c", "d", "e"]) == ["c", "d"]
    assert names(scope_id=[]) == []
    shown = list_scopes(conf.conf, scope_id=["d"])[0]
    assert (shown.scope_key, shown.fetcher, shown.collector) == (
        "project_id",
        "source",
        "prometheus",
    )
    assert shown.last_processed == timeutils.from_epoch(T)


def configured(conf: cfg_fixture.Config) -> None:
    conf.config(collector="prometheus", scope_key="project_id", group="collect")
    conf.config(backend="source", group="fetcher")


def test_a_scope_is_made_with_the_configured_origin(
    database: str, conf: cfg_fixture.Config
) -> None:
    configured(conf)
    made = create(conf.conf, "a", timeutils.from_epoch(T), fetcher="mine")

    assert (made.scope_key, made.fetcher, made.collector) == ("project_id", "mine", "prometheus")
    assert made.active
    assert made.last_processed == timeutils.from_epoch(T)
    assert abs(made.toggled - timeutils.utcnow()) < dt.timedelta(minutes=1)
    assert list_scopes(conf.conf) == [made]


@pytest.mark.parametrize("origin", [ORIGIN, OTHER, None])
def test_a_scope_is_made_once(
    database: str, conf: cfg_fixture.Config, origin: Origin | None
) -> None:
    configured(conf)
    add("a", origin=origin, active=False)

    with pytest.raises(ScopeExists):
        create(conf.conf, "a", timeutils.from_epoch(T))

    assert create(conf.conf, "A", timeutils.from_epoch(T)).scope_id == "A"


@pytest.mark.parametrize("origins", ["one", "several"])
def test_only_one_of_many_makes_a_scope(
    database: str, conf: cfg_fixture.Config, origins: str
) -> None:
    """Also where the table's key would let each have the id with an origin of its own."""
    configured(conf)
    names = ["a", "b", "c", "d"]
    made: list[str] = []
    barrier = threading.Barrier(4, timeout=30)

    def run(number: int) -> None:
        origin = {} if origins == "one" else {"fetcher": f"fetcher-{number}"}
        for name in names:
            barrier.wait()
            try:
                create(conf.conf, name, timeutils.from_epoch(T), **origin)
            except ScopeExists:
                continue
            made.append(name)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == names
    assert sorted(state.scope_id for state in list_scopes(conf.conf)) == names
    with db.session_for_read() as session:
        assert session.query(ScopeLease).count() == 0


def test_a_scope_is_changed(database: str, conf: cfg_fixture.Config) -> None:
    configured(conf)
    add("a")
    add("b")
    long_ago = at(T - 9999 * P)
    with db.session_for_write() as session:
        session.query(IdentifierState).update({"scope_activation_toggle_date": long_ago})
    before = states_for(ORIGIN)["a"]

    assert change(conf.conf, "a") == before
    assert change(conf.conf, "a", active=True) == before
    off = change(conf.conf, "a", active=False)
    assert not off.active
    assert off.toggled > before.toggled
    other = change(conf.conf, "a", scope_key="k", fetcher="f", collector="c")
    assert (other.origin, other.active) == (Origin("k", "f", "c"), False)
    assert (other.toggled, other.last_processed) == (off.toggled, before.last_processed)
    assert states_for(ORIGIN)["b"].toggled == timeutils.as_utc(long_ago)


def test_a_changed_scope_without_origin_gets_all_of_it(
    database: str, conf: cfg_fixture.Config
) -> None:
    configured(conf)
    add("a", origin=None)

    change(conf.conf, "a", fetcher="mine")

    with db.session_for_read() as session:
        row = session.query(IdentifierState).one()
        assert (row.scope_key, row.fetcher, row.collector) == ("project_id", "mine", "prometheus")


def test_which_scope_cannot_be_changed(database: str, conf: cfg_fixture.Config) -> None:
    configured(conf)
    add("a")
    add("a", origin=OTHER)

    with pytest.raises(NoScope):
        change(conf.conf, "A", active=False)
    with pytest.raises(SeveralScopes):
        change(conf.conf, "a", active=False)
