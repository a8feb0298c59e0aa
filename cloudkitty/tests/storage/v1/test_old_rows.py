# SPDX-License-Identifier: Apache-2.0
"""Tables and rows of older releases: read as they are, replaced when their period comes again."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.db.migration import MigrationError
from cloudkitty.storage.v1.sqlalchemy import SQLAlchemyAdapter, migrations
from cloudkitty.tests.storage.v1 import old
from cloudkitty.tests.storage.v1.old import naive
from cloudkitty.usage import ScopeUsage, Series

BEGIN, END = naive("2024-01-01"), naive("2024-02-01")
TEN = 1705312800  # 2024-01-15T10:00:00Z
NOTHING = {
    "unit": "None",
    "qty": 0,
    "res_type": "_NO_DATA_",
    "rate": 0,
    "desc": '""',
}
#: As 25.0.0 wrote it: metadata, then groupby, then the date keys.
LABELS = {
    "flavor": "m1",
    "id": "i-1",
    "project_id": "p1",
    "week_of_the_year": "02",
    "day_of_the_year": "15",
    "month": "1",
    "year": "2024",
}


def usage(price: Any, *, groupby: dict[str, Any], **metadata: Any) -> ScopeUsage:
    series = Series("cpu", "instance", groupby, metadata)
    series.begins.append(TEN)
    series.qtys.append(Decimal(1))
    series.prices.append(Decimal(price))
    return ScopeUsage("p1", 3600, [TEN], [series])


def everybody(batch: list[ScopeUsage]) -> Any:
    return lambda _session: {one.scope_id for one in batch}


def total(storage: SQLAlchemyAdapter, **filters: Any) -> Any:
    (row,) = storage.total(begin=BEGIN, end=END, filters=filters)["results"]
    return row["rate"]


def test_rows_are_read_and_rows_without_data_are_not_shown(
    old_storage: SQLAlchemyAdapter,
) -> None:
    old.insert(
        {"desc": LABELS, "rate": 0.5, "qty": "2.5"},
        {"desc": {}, "rate": 2.0, "tenant_id": None, "res_type": "ram"},
        {**NOTHING, "tenant_id": "p2"},
    )

    found = old_storage.retrieve(BEGIN, END)

    assert found["total"] == 2
    first, second = found["dataframes"]
    ((metric, point),) = first.iterpoints()
    assert (metric, point.unit, point.qty, point.price) == (
        "cpu",
        "instance",
        Decimal("2.5"),
        Decimal("0.5"),
    )
    assert point.groupby == {**LABELS, "tenant_id": "p1"}
    assert point.metadata == {}
    assert first.start == dt.datetime(2024, 1, 15, 10, tzinfo=dt.UTC)
    assert [point.groupby for _metric, point in second.iterpoints()] == [{"tenant_id": None}]
    assert old_storage.get_tenants(BEGIN, END) == ["p1", "p2"]
    groups = old_storage.total(["project_id", "type"], BEGIN, END)["results"]
    assert [(row["tenant_id"], row["type"], row["rate"]) for row in groups] == [
        ("p1", "cpu", Decimal("0.5")),
        (None, "ram", Decimal(2)),
    ]


def test_rates_are_summed_up_as_they_are_shown(old_storage: SQLAlchemyAdapter) -> None:
    old.insert(*({"rate": 0.1, "desc": {"id": str(n)}} for n in range(30)))

    assert total(old_storage) == Decimal(3)


@pytest.mark.parametrize("text", ["", "garbage", "[1]", '{"id": "cut o', "null"])
def test_labels_that_are_none_do_not_hide_a_row(old_storage: SQLAlchemyAdapter, text: str) -> None:
    old.insert({"desc": text, "rate": 2.0})

    (frame,) = old_storage.retrieve(BEGIN, END)["dataframes"]

    assert [point.groupby for _metric, point in frame.iterpoints()] == [{"tenant_id": "p1"}]
    assert total(old_storage) == Decimal(2)


def test_scopes_that_differ_in_case_are_two(old_storage: SQLAlchemyAdapter) -> None:
    old.insert({"rate": 1.0}, {"rate": 2.0, "tenant_id": "P1"}, {"rate": 4.0, "res_type": "CPU"})

    rows = old_storage.total(["project_id"], BEGIN, END)["results"]

    assert [(row["tenant_id"], row["rate"]) for row in rows] == [("P1", 2), ("p1", 5)]
    assert total(old_storage, project_id="P1") == Decimal(2)
    assert old_storage.total(begin=BEGIN, end=END, metric_types="CPU")["results"][0]["rate"] == 4
    assert old_storage.get_tenants(BEGIN, END) == ["P1", "p1"]
    old_storage.delete(BEGIN, END, {"project_id": "P1"})
    assert total(old_storage) == Decimal(5)


def test_the_period_that_an_old_processor_died_in_is_not_doubled(
    old_storage: SQLAlchemyAdapter,
) -> None:
    """It had stored the points and not moved the scope: now they come again."""
    old.insert(
        {"desc": LABELS, "rate": 1.0},
        {"desc": LABELS, "rate": 1.0},  # it had died there twice
        {"desc": {**LABELS, "id": "i-2"}, "rate": 2.0},
        {"desc": LABELS, "rate": 4.0, "res_type": "ram"},
        {"desc": LABELS, "rate": 8.0, "begin": "2024-01-15 09:00:00", "end": "2024-01-15 10:00:00"},
        {"desc": LABELS, "rate": 16.0, "tenant_id": "p2"},
        {**NOTHING},
    )
    batch = [usage("1.5", groupby={"id": "i-1", "project_id": "p1"}, flavor="m2")]

    old_storage.commit(batch, everybody(batch))

    assert total(old_storage) == Decimal("31.5")
    assert old.count("res_type = '_NO_DATA_'") == 0


def test_rows_of_before_2024_lack_the_date_keys(old_storage: SQLAlchemyAdapter) -> None:
    old.insert({"desc": {"flavor": "m1", "id": "i-1", "project_id": "p1"}, "rate": 1.0})
    batch = [usage("1.5", groupby={"project_id": "p1", "id": "i-1"}, flavor="m1")]

    old_storage.commit(batch, everybody(batch))

    assert total(old_storage) == Decimal("1.5")


def test_labels_of_metadata_do_not_make_a_point_another(old_storage: SQLAlchemyAdapter) -> None:
    """The old row's last label is its id, so a point of a flavor is not that point."""
    old.insert({"desc": {"flavor": "m1", "id": "i-1"}, "rate": 1.0})
    batch = [usage("1.5", groupby={"flavor": "m1"})]

    old_storage.commit(batch, everybody(batch))

    assert total(old_storage) == Decimal("2.5")


def test_old_processors_read_what_is_stored(old_storage: SQLAlchemyAdapter) -> None:
    import json

    batch = [usage("1.5", groupby={"id": "i-1", "project_id": "p1"}, flavor="m1")]

    old_storage.commit(batch, everybody(batch))

    with db.get_engine().connect() as connection:
        (row,) = connection.execute(
            sa.text("SELECT * FROM rated_data_frames"),
        ).mappings()
    assert json.loads(row["desc"]) == LABELS
    assert list(json.loads(row["desc"])) == list(LABELS)
    assert (row["unit"], row["res_type"], row["tenant_id"]) == ("instance", "cpu", "p1")
    assert (float(row["rate"]), float(row["qty"])) == (1.5, 1.0)
    assert str(row["begin"]).startswith("2024-01-15 10:00:00")
    assert str(row["end"]).startswith("2024-01-15 11:00:00")


def test_the_table_is_taken_over_as_it_is(old_storage: SQLAlchemyAdapter) -> None:
    old.insert({"desc": LABELS})
    before = sa.inspect(db.get_engine()).get_columns("rated_data_frames")

    old_storage.init()
    old_storage.init()

    after = sa.inspect(db.get_engine()).get_columns("rated_data_frames")
    assert [(c["name"], str(c["type"])) for c in after] == [
        (c["name"], str(c["type"])) for c in before
    ]
    assert old.count() == 1
    assert migrations.get_migration().is_current()


def test_a_scope_that_the_table_has_no_room_for_stores_nothing(
    old_storage: SQLAlchemyAdapter,
) -> None:
    if db.get_engine().dialect.name == "sqlite":
        pytest.skip("SQLite does not count characters")
    batch = [usage("1", groupby={"id": "i-1"})]
    batch[0].scope_id = "6f2b9a44-5d1e-4c3a-9b8f-0123456789ab"

    with pytest.raises(Exception, match=r"(?i)too long"):
        old_storage.commit(batch, everybody(batch))

    assert old.count() == 0


@pytest.mark.usefixtures("empty_database")
def test_older_revisions_are_refused() -> None:
    old.create()
    with db.get_engine().begin() as connection:
        connection.exec_driver_sql(
            "UPDATE storage_sqlalchemy_alembic SET version_num = 'c703a1bad612'",
        )
    with pytest.raises(MigrationError, match="from an older release"):
        migrations.get_migration().upgrade()
