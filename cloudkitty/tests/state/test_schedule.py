# SPDX-License-Identifier: Apache-2.0
"""Reprocessing schedules: which may be made, in what order they come, who moves them on."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.state import schedule
from cloudkitty.state.models import IdentifierState
from cloudkitty.state.schedule import Window
from cloudkitty.tests.state.test_scope import ORIGIN, OTHER, P, T, add


def at(epoch):
    return timeutils.from_epoch(epoch)


def window(first, final):
    """Give the window between two numbers of periods before T."""
    return Window(at(T - first * P), at(T - final * P))


def create(names, first=5, final=3, *, reason="why", period=P):
    return schedule.create(ORIGIN, names, window(first, final), reason, period)


def progress(found, to):
    with db.session_for_write() as session:
        return schedule.progress(session, found, to)


def close(found):
    with db.session_for_write() as session:
        return schedule.close(session, found)


def test_one_row_for_each_scope(database):
    add("a")
    add("b")
    assert create(["b", "a"], reason="Ünïcode \N{GRINNING FACE}") == 2

    found = schedule.list_schedules()

    assert {one.scope_id for one in found} == {"a", "b"}
    for one in found:
        assert (one.window, one.current) == (window(5, 3), None)
        assert one.reason == "Ünïcode \N{GRINNING FACE}"
        assert not one.finished


def test_every_active_scope(database):
    add("a")
    add("off", active=False)
    add("b", origin=OTHER)
    assert create(None) == 2
    assert {one.scope_id for one in schedule.unfinished()} == {"a", "b"}


def test_no_scope_at_all(database):
    assert create(None) == 0


@pytest.mark.parametrize("names", [["a", "no"], ["a", "off"], ["a", "A"]])
def test_scopes_must_exist_and_be_active(database, names):
    add("a")
    add("off", active=False)

    with pytest.raises(schedule.UnknownScopes) as caught:
        create(names)

    assert caught.value.scope_ids == names[1:]
    assert schedule.list_schedules() == []


@pytest.mark.parametrize(
    ("first", "final", "bound"),
    [(0, 0, None), (1, 0, None), (1, -1, "end"), (-1, -1, "start"), (-1, -2, "start")],
)
def test_what_is_not_rated_is_not_rated_again(database, first, final, bound):
    add("b", T + 50 * P)
    add("a")
    if bound is None:
        assert create(["a", "b"], first, final) == 2
        return

    with pytest.raises(schedule.NotRatedYet) as caught:
        create(["a", "b"], first, final)

    assert (caught.value.scope.scope_id, caught.value.bound) == ("a", bound)
    assert schedule.list_schedules() == []


@pytest.mark.parametrize(
    ("first", "final", "overlaps"),
    [(5, 3, True), (4, 4, True), (9, 1, True), (9, 5, True), (3, 1, True), (2, 1, False)],
)
def test_windows_must_not_meet(database, first, final, overlaps):
    add("a")
    add("b")
    create(["a"])
    if not overlaps:
        assert create(["a"], first, final) == 1
        return

    with pytest.raises(schedule.Overlapping) as caught:
        create(["b", "a"], first, final)

    assert caught.value.scope.scope_id == "a"
    assert caught.value.other.window == window(5, 3)
    assert len(schedule.list_schedules()) == 1


def test_a_finished_schedule_is_not_in_the_way(database):
    add("a")
    create(["a"])
    close(schedule.unfinished()[0])

    assert create(["a"]) == 1
    assert len(schedule.list_schedules()) == 2


@pytest.mark.parametrize(
    ("start", "end", "near"),
    [
        (-7200 + 1, -3600, (-7200, -3600)),
        (-7200, -3600 - 1, (-7200, -3600)),
        (-7200, -7200 + 1, (-7200, -3600)),
    ],
)
@pytest.mark.parametrize("shift", [0, 1800])
def test_the_grid_is_that_of_the_scope(database, start, end, near, shift):
    here = T + shift
    add("a", here)

    with pytest.raises(schedule.OffGrid) as caught:
        schedule.create(ORIGIN, ["a"], Window(at(here + start), at(here + end)), "why", P)

    nearest = Window(*(at(here + bound) for bound in near))
    assert caught.value.nearest == nearest
    assert schedule.create(ORIGIN, ["a"], nearest, "why", P) == 1


def test_the_grid_is_that_of_the_epoch_when_there_is_no_scope(database):
    with pytest.raises(schedule.OffGrid):
        schedule.create(ORIGIN, ["no"], Window(at(T + 1), at(T + 1)), "why", P)
    with pytest.raises(schedule.UnknownScopes):
        schedule.create(ORIGIN, ["no"], Window(at(T), at(T)), "why", P)


def test_of_two_scopes_with_one_id_the_configured_counts(database):
    add("a", T - 50 * P, origin=OTHER)
    add("a")
    assert create(["a"]) == 1


def test_order_and_pages(database):
    for name in ("a", "b", "c"):
        add(name)
        create([name])

    def names(**how):
        return [one.scope_id for one in schedule.list_schedules(**how)]

    assert names() == ["c", "b", "a"]
    assert names(newest_first=False) == ["a", "b", "c"]
    assert names(offset=1, limit=1) == ["b"]
    assert names(scope_ids=["a", "c", "no"]) == ["c", "a"]
    assert names(scope_ids=["A"]) == []
    assert names(scope_ids=[]) == []
    assert [one.scope_id for one in schedule.unfinished()] == ["a", "b", "c"]
    assert [one.scope_id for one in schedule.unfinished(scope_ids=["c", "a"])] == ["a", "c"]


def test_a_schedule_goes_period_by_period(database):
    add("a")
    create(["a"])
    begins = []
    while found := schedule.unfinished():
        begin = found[0].following(P)
        begins.append(begin)
        assert progress(found[0], begin)
        assert found[0].at(begin) == schedule.list_schedules()[0]

    assert begins == [at(T - 5 * P), at(T - 4 * P), at(T - 3 * P)]
    (done,) = schedule.list_schedules()
    assert done.finished
    assert done.following(P) is None


def test_one_period(database):
    add("a")
    create(["a"], 2, 2)
    (found,) = schedule.unfinished()
    assert found.following(P) == at(T - 2 * P)
    assert progress(found, found.following(P))
    assert schedule.unfinished() == []


def test_a_schedule_moves_only_from_where_it_is_expected(database):
    add("a")
    create(["a"])
    (found,) = schedule.unfinished()
    assert progress(found, at(T - 5 * P))
    assert not progress(found, at(T - 5 * P))
    (moved,) = schedule.unfinished()
    assert close(moved)
    assert not progress(moved, at(T - 4 * P))
    assert schedule.list_schedules()[0].current == at(T - 3 * P)


def test_a_changed_length_of_the_period_ends_somewhere(database):
    add("a")
    create(["a"])
    (found,) = schedule.unfinished()
    assert found.at(at(T - 4 * P)).following(2 * P) is None


def test_only_one_of_many_makes_a_schedule(database):
    for name in ("a", "b", "c"):
        add(name)
    made, refused = [], []
    barrier = threading.Barrier(4)

    def run(names):
        barrier.wait()
        try:
            made.append(create(names))
        except schedule.Overlapping:
            refused.append(names)

    threads = [threading.Thread(target=run, args=(n,)) for n in (["a"], ["a"], ["a"], ["a"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made, len(refused)) == ([1], 3)
    assert len(schedule.list_schedules()) == 1


def test_more_scopes_than_fit_into_one_statement(database):
    names = [f"s{n:04}" for n in range(1500)]
    with db.session_for_write() as session:
        session.execute(
            sa.insert(IdentifierState),
            [
                {
                    "identifier": name,
                    "scope_key": "project_id",
                    "fetcher": "source",
                    "collector": "prometheus",
                    "last_processed_timestamp": timeutils.naive_utc(at(T)),
                    "active": True,
                }
                for name in names
            ],
        )
    assert create(names) == 1500
    assert len(schedule.unfinished(scope_ids=names)) == 1500
    with pytest.raises(schedule.Overlapping):
        create(None)
