# SPDX-License-Identifier: Apache-2.0
"""Whether everything that was used is stored, exactly once."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from decimal import Decimal

import sqlalchemy as sa
from oslo_config import cfg

from cloudkitty import db, timeutils
from cloudkitty.rating.document import writer
from cloudkitty.rating.document.change import database
from cloudkitty.state import simulations
from cloudkitty.state.scope import Origin, states_for
from cloudkitty.state.simulations import Question
from cloudkitty.storage.base import get_storage
from cloudkitty.tests.e2e.cloud import PERIOD, Cloud

ORIGIN = Origin("project_id", "source", "prometheus")


def done(cloud: Cloud, names: list[str] | None = None) -> bool:
    """Whether every project has been rated to the end."""
    with db.session_for_read():
        states = states_for(ORIGIN, names or cloud.names)
    return len(states) == len(names or cloud.names) and all(
        timeutils.to_epoch(state.last_processed) >= cloud.newest for state in states.values()
    )


def periods_done() -> int:
    """Give how many periods of projects have been committed."""
    with db.session_for_read() as session:
        return session.execute(sa.text("SELECT COUNT(*) FROM ck_periods")).scalar() or 0


def wait(cloud: Cloud, seconds: float, names: list[str] | None = None) -> None:
    """Wait until every project has been rated to the end."""
    deadline = time.monotonic() + seconds
    while not done(cloud, names):
        assert time.monotonic() < deadline, states_for(ORIGIN)
        time.sleep(0.1)


def check(cloud: Cloud) -> None:
    """Compare what is stored with what was used, point by point and as sums."""
    _check_points(cloud)
    _check_ledger(cloud)
    assert totals(cloud) == cloud.expected()


def check_simulation(cloud: Cloud, seconds: float) -> None:
    """Have the processor simulate the rules in use, as a document: nothing must change."""
    rules = writer.dump(database.load().document())
    question = Question(
        first=cloud.before,
        stop=cloud.newest + PERIOD,
        groupby=["type", "project_id", "day_of_the_year"],
        rules=rules,
    )
    id_ = simulations.place(question, 10)
    deadline = time.monotonic() + seconds
    while (state := simulations.get(id_)) is None or state.status in simulations.UNFINISHED:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert state.status == "done", state.error
    _total, rows = simulations.rows(state.id, 0, 10_000)
    assert {row.values: (row.qty, row.simulated) for row in rows} == totals(cloud)


def totals(cloud: Cloud) -> dict[tuple[str, str, str], tuple[Decimal, Decimal]]:
    """Give (type, project, day) -> sums, as the storage tells them."""
    answer = get_storage(cfg.CONF, backend="sqlalchemy", version=2).total(
        groupby=["type", "project_id", "day_of_the_year"],
        begin=timeutils.from_epoch(cloud.before),
        end=timeutils.from_epoch(cloud.newest + PERIOD),
        paginate=False,
    )
    return {
        (row["type"], row["project_id"], row["day_of_the_year"]): (row["qty"], row["rate"])
        for row in answer["results"]
    }


def _check_points(cloud: Cloud) -> None:
    """Every (scope, period, series) is there once, with its quantity and its price."""
    frames = get_storage(cfg.CONF, backend="sqlalchemy", version=2).retrieve(
        begin=timeutils.from_epoch(cloud.before),
        end=timeutils.from_epoch(cloud.newest + PERIOD),
        paginate=False,
    )
    stored = Counter(
        (
            timeutils.to_epoch(frame.start),
            point.groupby["project_id"],
            metric,
            point.groupby["id"],
            point.qty,
            point.price,
        )
        for frame in frames["dataframes"]
        for metric, point in frame.iterpoints()
    )
    expected = Counter(tuple(point) for point in cloud.points())
    assert not stored - expected
    assert not expected - stored
    with db.session_for_read() as session:
        rows = session.execute(sa.text("SELECT COUNT(*) FROM ck_points")).scalar()
    assert rows == sum(expected.values())


def _check_ledger(cloud: Cloud) -> None:
    """The ledger has one row per project and period, and counts its points."""
    query = sa.text(
        "SELECT s.identifier, p.begin, p.points FROM ck_periods p"
        " JOIN ck_scopes s ON s.id = p.scope_id WHERE p.begin <= :newest",
    )
    with db.session_for_read() as session:
        # MySQL's binary text comes as bytes when SQLAlchemy does not know the column.
        rows = {
            (name.decode() if isinstance(name, bytes) else name, begin): points
            for name, begin, points in session.execute(query, {"newest": cloud.newest})
        }
    counts = Counter((point.project, point.begin) for point in cloud.points())
    assert rows == {(n, b): counts[n, b] for n in cloud.names for b in cloud.begins}


def first_period(project: str) -> dt.datetime:
    """Give the first period that the ledger has of a project."""
    query = sa.text(
        "SELECT MIN(p.begin) FROM ck_periods p JOIN ck_scopes s ON s.id = p.scope_id"
        " WHERE s.identifier = :project",
    )
    with db.session_for_read() as session:
        begin = session.execute(query, {"project": project}).scalar()
    return dt.datetime.fromtimestamp(begin, dt.UTC)


def month_begin() -> dt.datetime:
    """Give the first instant of this month, UTC."""
    now = dt.datetime.now(dt.UTC)
    return dt.datetime(now.year, now.month, 1, tzinfo=dt.UTC)
