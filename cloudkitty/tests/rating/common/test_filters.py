# SPDX-License-Identifier: Apache-2.0
"""Filters on validity windows and audit columns."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from cloudkitty import db, timeutils
from cloudkitty.db.base import get_base
from cloudkitty.rating.common.db.filters import get_filters
from cloudkitty.rating.common.db.models import VolatileAuditableModel

Base = get_base()
NOW = timeutils.naive_local(dt.datetime.now(dt.UTC)).replace(microsecond=0)
DAY = dt.timedelta(days=1)


class Rule(Base, VolatileAuditableModel):
    __tablename__ = "rules"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)


@pytest.fixture
def rules(empty_database: str) -> None:
    Base.metadata.create_all(db.get_engine())
    with db.session_for_write() as session:
        session.add_all(
            [
                Rule(name="running", start=NOW - DAY, created_by="a", description="50% off"),
                Rule(name="over", start=NOW - 2 * DAY, end=NOW - DAY, created_by="a"),
                Rule(name="later", start=NOW + DAY, created_by="b", description="500 OFF"),
                Rule(name="gone", start=NOW - DAY, deleted=NOW, created_by="b", deleted_by="a"),
            ]
        )


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"running", "over", "later"}),
    ({"deleted": True}, {"running", "over", "later", "gone"}),
    ({"is_active": True}, {"running"}),
    ({"is_active": True, "deleted": True}, {"running"}),
    ({"start": NOW - DAY}, {"running", "later"}),
    ({"end": NOW - DAY}, set()),
    ({"end": NOW}, {"over"}),
    ({"created_by": "b", "deleted": True}, {"later", "gone"}),
    ({"deleted_by": "a", "deleted": True}, {"gone"}),
    ({"updated_by": "a"}, set()),
    ({"description": "0% OFF"}, {"running"}),
    ({"description": "off"}, {"running", "later"}),
]


@pytest.mark.usefixtures("rules")
def test_filters() -> None:
    for given, expected in CASES:
        with db.session_for_read() as session:
            found = session.scalars(get_filters(sa.select(Rule), Rule, **given)).all()
            assert {rule.name for rule in found} == expected, given
            assert get_filters(session.query(Rule), Rule, **given).all() == found
