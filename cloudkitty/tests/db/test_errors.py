# SPDX-License-Identifier: Apache-2.0
"""A database that cannot be reached is told from one that refuses a statement."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.db.errors import describe, unreachable
from cloudkitty.tests import services


@pytest.mark.service
@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_server_that_does_not_answer(conf: Any, tmp_path: Any, engine: str) -> None:
    with services.fresh_database(engine, tmp_path) as url:
        away = sa.make_url(url).set(port=1, password="secret")
    from oslo_db import options

    options.set_defaults(conf.conf)
    conf.config(
        connection=away.render_as_string(hide_password=False), max_retries=0, group="database"
    )
    db.reset()
    away_text = re.compile("refused|connect", re.IGNORECASE)
    with (
        pytest.raises(Exception, match=away_text) as caught,
        db.session_for_read() as session,
    ):
        session.connection()
    assert unreachable(caught.value)
    line = describe(caught.value, conf.conf.database.connection)
    assert line is not None
    assert "secret" not in line
    assert "\n" not in line


def test_a_statement_that_is_refused(database: str) -> None:
    with pytest.raises(Exception) as caught, db.session_for_write() as session:  # noqa: PT011
        session.execute(sa.text("SELECT 1 FROM cloudkitty_nothing"))
    assert not unreachable(caught.value)
