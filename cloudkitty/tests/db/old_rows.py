# SPDX-License-Identifier: Apache-2.0
"""What old databases hold, put there as CloudKitty 25.0.0 binds values, and what is there."""

from __future__ import annotations

import datetime as dt
import hashlib
import zlib
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.tests.storage.v1 import old as old_storage

USER = "8f3a" * 8
#: Costs with as many digits as the column has, and with few.
COSTS = (
    "0.0123456789012345678901234567",
    "123456789012.1234567890123456789012345678",
    "0.1",
    "1",
    "0.0000000000000000000000000001",
    "0",
)
SOURCE = (
    b"for point in data['usage'].get('compute', []):\n    point['vol']['qty'] *= 2  # \xc3\xa9\n"
)

Row = dict[str, Any]


def moment(text: str) -> dt.datetime:
    """Give a date without a zone."""
    return dt.datetime.fromisoformat(text)


def fill(*, windows: bool, scripts: bool, script_windows: bool = False) -> None:
    """Fill all tables; rules have windows at the head only."""
    insert("modules_state", *(
        {"name": name, "state": state, "priority": priority}
        for name, state, priority in (
            ("hashmap", True, 7), ("pyscripts", False, None), ("collector_gnocchi", True, 1))
    ))  # fmt: skip
    insert("states", {"name": "écrou", "state": 2**40, "s_metadata": '{"a": 1}'})
    insert("service_to_collector_mappings", {"service": "compute", "collector": "gnocchi"})
    _fill_hashmap(windows=windows)
    if scripts:
        _fill_scripts(windows=script_windows)
    fill_states()


def _fill_hashmap(*, windows: bool) -> None:
    insert(
        "hashmap_services",
        {"id": 1, "service_id": uuid(1), "name": "compute"},
        {"id": 4, "service_id": uuid(4), "name": "stockage-é"},
    )
    insert(
        "hashmap_fields",
        {"id": 2, "field_id": uuid(12), "name": "flavor", "service_id": 1},
        {"id": 3, "field_id": uuid(13), "name": "größe", "service_id": 4},
    )
    insert("hashmap_groups", {"id": 5, "group_id": uuid(25), "name": "rabais"})
    mappings = [
        _mapping(row_id, cost, field_id=2, value=f"m1.{row_id}", group_id=5 if row_id % 2 else None)
        for row_id, cost in enumerate(COSTS, 100)
    ]
    mappings += [
        _mapping(201, "2.5", service_id=1, tenant_id="4e6f" * 8),
        _mapping(202, "1.05", field_id=3, value="日本", map_type="rate"),
        _mapping(203, "3", field_id=3, value="日本", tenant_id="a-tenant"),
    ]
    if windows:
        dates = [
            {"end": moment("2030-01-31 23:59:59"), "description": "bis Ende\nJanuar"},
            {"start": moment("2031-01-01 00:00:00"), "updated_by": USER},
            {"deleted": moment("2024-02-02 10:11:12"), "deleted_by": USER},
        ]
        for index, row in enumerate(mappings):
            row |= {
                "name": f"{index:032x}",
                "created_at": moment("2023-05-06 07:08:09"),
                "start": moment("2023-05-06 07:08:09"),
                "end": None,
                "description": None,
                "deleted": None,
                "created_by": USER,
                "updated_by": None,
                "deleted_by": None,
                **(dates[index] if index < len(dates) else {}),
            }
    insert("hashmap_mappings", *mappings)
    insert("hashmap_thresholds", *(
        {
            "id": row_id, "threshold_id": uuid(row_id), "level": number(level),
            "cost": number(cost), "map_type": kind, "service_id": 1, "field_id": None,
            "group_id": 5, "tenant_id": tenant,
        }
        for row_id, level, cost, kind, tenant in (
            (301, "1.5", "0.97", "rate", None),
            (302, "123456789012.12345678", "0.3333333333333333333333333333", "flat", "x" * 255),
            (303, "0.00000001", "0.1", "flat", None),
        )
    ))  # fmt: skip


def _mapping(row_id: int, cost: str, **values: Any) -> Row:
    row: Row = dict.fromkeys(("value", "service_id", "field_id", "group_id", "tenant_id"))
    row |= {"id": row_id, "mapping_id": uuid(row_id), "cost": number(cost), "map_type": "flat"}
    return row | values


def _fill_scripts(*, windows: bool) -> None:
    rows = [
        {
            "id": 1, "script_id": uuid(401), "name": "doubler", "data": zlib.compress(SOURCE),
            "checksum": hashlib.sha512(SOURCE).hexdigest(),
        },
        {
            "id": 9, "script_id": uuid(409), "name": "sehr alt", "data": zlib.compress(b""),
            "checksum": hashlib.sha1(b"").hexdigest(),
        },
    ]  # fmt: skip
    if windows:
        for row in rows:
            row |= {"created_by": USER, "start": moment("2020-01-01 00:00:00")}
        rows[1]["deleted"] = moment("2021-01-01 00:00:00")
        rows[0]["deleted"] = None
    insert("pyscripts_scripts", *rows)


def fill_states() -> None:
    origin = {"scope_key": "project_id", "fetcher": "keystone", "collector": "gnocchi"}
    insert("cloudkitty_storage_states", *(
        {
            "id": row_id, "identifier": identifier, **(origin if known else dict.fromkeys(origin)),
            "last_processed_timestamp": moment("2024-03-04 05:00:00"),
            "scope_activation_toggle_date": moment("2023-01-02 03:04:05"), "active": active,
        }
        for row_id, identifier, known, active in (
            (1, "4e6f" * 8, True, True), (2, "Größe", True, False), (7, "very-old", False, True))
    ))  # fmt: skip
    insert("storage_scope_reprocessing_schedule", *(
        {
            "id": row_id, "identifier": "4e6f" * 8,
            "start_reprocess_time": moment("2024-01-01 00:00:00"),
            "end_reprocess_time": moment("2024-02-01 00:00:00"),
            "current_reprocess_time": None if current is None else moment(current),
            "reason": "prix erronés",
        }
        for row_id, current in (
            (1, None), (2, "2024-01-15 06:00:00"), (3, "2024-02-01 00:00:00"))
    ))  # fmt: skip


def fill_storages() -> None:
    """Fill the tables of the storages of the first generation."""
    old_storage.insert(
        {"desc": {"flavor": "m1", "id": "i-1"}, "rate": 0.123, "qty": "2.5"},
        {"desc": '""', "res_type": "_NO_DATA_", "unit": "None", "qty": 0, "rate": 0.0},
    )
    row = {"id": 1, "tenant_id": "p1", "state": moment("2018-01-01 00:00:00")}
    insert("hybrid_storage_states", row)


def insert(table: str, *rows: Row) -> None:
    """Insert rows that all have the same columns."""
    columns = [
        sa.column(name, sa.DateTime() if isinstance(value, dt.datetime) else None)
        for name, value in rows[0].items()
    ]
    dates = {name for row in rows for name, value in row.items() if type(value) is dt.datetime}
    columns = [sa.column(c.name, sa.DateTime()) if c.name in dates else c for c in columns]
    with db.get_engine().begin() as connection:
        connection.execute(sa.insert(sa.table(table, *columns)), list(rows))


def dump() -> dict[str, list[Row]]:
    """Give table -> rows, by first column, with the values that drivers give."""
    with db.get_engine().connect() as connection:
        tables = sorted(sa.inspect(connection).get_table_names())
        found = {
            table: connection.exec_driver_sql(f"SELECT * FROM {table}").mappings().all()
            for table in tables
        }
    return {
        table: sorted(map(dict, rows), key=lambda row: str(next(iter(row.values()))))
        for table, rows in found.items()
    }


def schema() -> Any:
    """Give what the engine says of all tables."""
    engine = db.get_engine()
    inspector = sa.inspect(engine)
    with engine.connect() as connection:
        execute = connection.exec_driver_sql
        if engine.dialect.name == "sqlite":
            return sorted(map(str, execute("SELECT sql FROM sqlite_master")))
        if engine.dialect.name == "mysql":
            tables = inspector.get_table_names()
            return {table: execute(f"SHOW CREATE TABLE {table}").all()[0][1] for table in tables}
    looks = (
        inspector.get_columns,
        inspector.get_indexes,
        inspector.get_unique_constraints,
        inspector.get_foreign_keys,
    )
    return {
        table: [sorted(map(str, look(table))) for look in looks]
        for table in inspector.get_table_names()
    }


def state() -> Any:
    """Give all that there is: tables and rows."""
    return schema(), dump()


def kept(before: dict[str, list[Row]]) -> None:
    """Fail unless everything that was in the database is there still, to the digit."""
    after = dump()
    for table, rows in before.items():
        if not rows or "version_num" in rows[0]:
            continue
        names = rows[0].keys()
        assert len(after[table]) == len(rows), table
        for found, wanted in zip(after[table], rows, strict=True):
            assert _plain(found, names) == _plain(wanted, names), table


def _plain(row: Row, names: Any) -> Row:
    """Give a row with numbers by their text, which is what they are now on SQLite."""
    return {
        name: Decimal(str(row[name])) if name in {"cost", "level"} and row[name] is not None
        else row[name]
        for name in names
    }  # fmt: skip


def number(text: str) -> Any:
    """Give a decimal as the old ORM bound it: SQLite got a float."""
    return float(text) if db.get_engine().dialect.name == "sqlite" else Decimal(text)


def uuid(row: int) -> str:
    """Give the id that callers see of a row."""
    return f"{row:08x}-aaaa-4bbb-8ccc-0123456789ab"
