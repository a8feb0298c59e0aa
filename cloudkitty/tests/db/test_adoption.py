# SPDX-License-Identifier: Apache-2.0
"""Databases of CloudKitty 25.0.0 are taken over in place: everything is kept, to the digit."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest
from oslo_config import cfg

from cloudkitty import db
from cloudkitty.cli import modules, upgrade
from cloudkitty.db.migration import MigrationError
from cloudkitty.rating.hashmap import rules
from cloudkitty.rating.pyscripts.store import script
from cloudkitty.storage.base import get_storage
from cloudkitty.tests.db import old_databases, old_rows

HEADS = {
    "cloudkitty": "385e33fef139",
    "hashmap": "8a591f85865f",
    "pyscripts": "c6e4cda29654",
    "storage_states": "9feccd32",
    "storage_sqlalchemy": "d875621d0384",
}


@pytest.fixture(
    params=[
        pytest.param(case, marks=[] if case[0] == "sqlite" else [pytest.mark.service])
        for case in old_databases.REAL
    ],
    ids="-".join,
)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Each engine in each state that a database of it can be in."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def engine_name(case: tuple[str, str]) -> str:
    return case[0]


@pytest.fixture
def state(case: tuple[str, str], empty_database: str) -> str:
    """A filled database of the state."""
    state = case[1]
    hashmap, scripts = old_databases.STATES[state]
    old_databases.build(state)
    old_databases.build_storages()
    old_rows.fill(
        windows=hashmap == HEADS["hashmap"],
        scripts=scripts is not None,
        script_windows=scripts == HEADS["pyscripts"],
    )
    old_rows.fill_storages()
    return state


def run() -> None:
    upgrade.upgrade(modules.migrations(), "head", whole=True)


def dry_run() -> None:
    upgrade.dry_run(modules.migrations(), cfg.CONF.database.connection, whole=True)


def test_everything_is_kept_and_the_second_time_there_is_nothing_to_do(
    state: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = old_rows.state()

    dry_run()

    told = capsys.readouterr().out
    assert old_rows.state() == before
    revision = old_databases.STATES[state][0]
    assert f"hashmap: tables at {revision}" in told
    assert "  hashmap_mappings: 9 rows kept\n" in told
    assert "  rated_data_frames: 2 rows kept\n" in told
    assert ("9 rows get a validity window that begins at 1970-01-01" in told) == (state != "head")
    assert "hybrid storage, which is no more, stay as they are: hybrid_storage_states" in told
    assert told.endswith("Nothing was changed.\n")

    run()

    old_rows.kept(before[1])
    check_head()
    check_use(state)
    before = old_rows.state()
    caplog.set_level(logging.INFO)
    caplog.clear()
    run()
    assert old_rows.state() == before
    said = [record.getMessage() for record in caplog.records]
    for tree, head in HEADS.items():
        assert f"{tree}: tables at {head}, the newest revision; nothing to do" in said
    dry_run()
    assert capsys.readouterr().out.count("nothing to do") == len(HEADS)


def check_head() -> None:
    trees = {**modules.migrations(), **modules.storage_trees()}
    for tree, head in HEADS.items():
        assert trees[tree].current() == (head,)
        assert trees[tree].is_current()


def check_use(state: str) -> None:
    """Rules are read with all digits; what was filled in is what the contract says."""
    frames = get_storage(cfg.CONF, backend="sqlalchemy", version=1).retrieve(paginate=False)
    assert frames["total"] == 0  # this month
    begin, end = (old_rows.moment(f"2024-01-{day}") for day in ("15", "16"))
    frames = get_storage(cfg.CONF, backend="sqlalchemy", version=1).retrieve(begin, end)
    ((_, point),) = frames["dataframes"][0].iterpoints()
    assert (point.qty, point.groupby["flavor"]) == (Decimal("2.5"), "m1")
    found = {rule.value: rule for rule in rules.load().mappings if rule.field == "flavor"}
    costs = {f"m1.{n}": rules.trimmed(cost) for n, cost in enumerate(stored_costs(), 100)}
    gone = "m1.102" if state == "head" else None
    assert {value: rule.price.cost for value, rule in found.items()} == {
        value: cost for value, cost in costs.items() if value != gone
    }
    rows = {row["id"]: row for row in old_rows.dump()["hashmap_mappings"]}
    if state != "head":
        assert {str(row["start"])[:19] for row in rows.values()} == {"1970-01-01 00:00:00"}
        assert {row["created_by"] for row in rows.values()} == {"migration"}
        assert rows[201]["name"] == "000000c9aaaa4bbb8ccc0123456789ab"
        assert rows[201]["end"] is None
    scripts = script.get_all(script.WindowFilter())
    if state == "half, no scripts":
        assert scripts == []
        return
    assert scripts[0].data.encode() == old_rows.SOURCE
    begin = "2020-01-01" if state == "head" else "2014-01-01"
    assert str(scripts[0].start).startswith(begin)


def stored_costs() -> Iterator[Decimal]:
    """What the database could hold of the costs: SQLite had 15 digits."""
    for cost in old_rows.COSTS:
        yield Decimal(str(old_rows.number(cost)))


@pytest.mark.parametrize(
    "case", [("sqlite", "half"), *(pytest.param(("mysql", "head"), marks=pytest.mark.service),)]
)
def test_what_is_not_understood_in_one_part_changes_nothing_at_all(state: str) -> None:
    del state
    execute("UPDATE storage_states_alembic SET version_num = '4d69395f'")
    execute("UPDATE cloudkitty_alembic SET version_num = 'cafecafe'")
    before = old_rows.state()
    for attempt in (run, dry_run):
        with pytest.raises(MigrationError) as refused:
            attempt()
        text = str(refused.value)
        assert "cloudkitty: cloudkitty_alembic is at the unknown revision cafecafe" in text
        assert "storage_states: storage_states_alembic is at 4d69395f, from an older" in text
        assert old_rows.state() == before


def execute(*statements: str) -> None:
    with db.get_engine().begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
