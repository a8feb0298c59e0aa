# SPDX-License-Identifier: Apache-2.0
"""The ledger knows where prices come from."""

from __future__ import annotations

import pytest

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.v2.base import Provenance
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, provenance
from cloudkitty.tests.storage.v2.sqlalchemy.test_commit import START, commit, usage

BEGINS = [START + 3600 * number for number in range(3)]
MOMENTS = [timeutils.from_epoch(begin) for begin in BEGINS]


def rated(scope, begins, version):
    found = usage(scope, begins)
    found.rules_version = version
    return found


@pytest.mark.parametrize("chunk", [400, 1])
def test_where_prices_come_from(database, monkeypatch, chunk):
    monkeypatch.setattr(provenance, "_CHUNK", chunk)
    storage = SQLAlchemyStorage(period=3600)
    for scope in ("p", "P"):
        point = DataPoint("u", 1, 1, {"id": "x", "project_id": scope}, {})
        storage.push([DataFrame(moment, MOMENTS[2], {"cpu": [point]}) for moment in MOMENTS[:2]])
    commit(storage, rated("p", BEGINS[1:], "v1"), rated("q", BEGINS[1:], None))

    asked = [(scope, moment) for scope in "pqP" for moment in MOMENTS]
    assert storage.provenance(asked) == {
        ("p", MOMENTS[0]): Provenance(rated=False, rules_version=None),
        # It was posted, and then it was rated.
        ("p", MOMENTS[1]): Provenance(rated=True, rules_version="v1"),
        ("p", MOMENTS[2]): Provenance(rated=True, rules_version="v1"),
        ("q", MOMENTS[1]): Provenance(rated=True, rules_version=None),
        ("q", MOMENTS[2]): Provenance(rated=True, rules_version=None),
        ("P", MOMENTS[0]): Provenance(rated=False, rules_version=None),
        ("P", MOMENTS[1]): Provenance(rated=False, rules_version=None),
    }

    # What is rated again was rated by the rules of then.
    batch = [rated("p", BEGINS[2:], "v2")]
    storage.replace(batch, lambda _session: {"p"})
    assert storage.provenance(asked)["p", MOMENTS[1]].rules_version == "v1"
    assert storage.provenance(asked)["p", MOMENTS[2]].rules_version == "v2"


def test_scopes_that_are_none(sqlite_database):
    storage = SQLAlchemyStorage(period=3600)
    commit(storage, rated("x" * 300, BEGINS[:1], "v"))
    assert storage.provenance([]) == {}
    assert storage.provenance([("x", MOMENTS[0]), ("", MOMENTS[0])]) == {}
