# SPDX-License-Identifier: Apache-2.0
"""The tables can be made and are what other parts rely on."""

from __future__ import annotations

import sqlalchemy as sa

from cloudkitty import db


def test_tables_exist(database: str) -> None:
    names = set(sa.inspect(db.get_engine()).get_table_names())
    assert {"ck_scopes", "ck_series", "ck_points", "ck_daily", "ck_periods"} <= names
