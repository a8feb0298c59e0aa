# SPDX-License-Identifier: Apache-2.0
"""Limits of ``[api]``: what is refused, by name, and what is not."""

from __future__ import annotations

import datetime as dt
import io
import json

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE, NOBODY

NOVEMBER = "begin=2026-11-01&end=2026-12-01"
LIMIT = "(limit of this service: [api] {})."


@pytest.fixture
def api(sqlite_database, conf):
    return filled(conf)


@pytest.fixture
def any_database_api(database, conf):
    return filled(conf)


def filled(conf):
    found = webapi.Api(conf)
    points = [
        {"vol": {"unit": "u", "qty": 1}, "groupby": {"id": f"r{n}"}, "metadata": {}}
        for n in range(150)
    ]
    period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
    body = {"dataframes": [{"period": period, "usage": {"cpu": points}}]}
    assert found.post("/v2/dataframes", body).status_int == 204
    return found


def refused(answer, text, option, status=400):
    assert answer.status_int == status
    assert answer.json == {"message": f"{text} {LIMIT.format(option)}"}


def rows(answer):
    assert answer.status_int == 200
    found = answer.json
    if "results" in found:
        return len(found["results"])
    return sum(len(points) for frame in found["dataframes"] for points in frame["usage"].values())


@pytest.mark.parametrize(
    "path", [f"/v2/dataframes?{NOVEMBER}", f"/v2/summary?groupby=id&{NOVEMBER}"]
)
def test_page_size(api, conf, path):
    assert rows(api.get(path)) == 100
    assert rows(api.get(f"{path}&limit=100000")) == 150

    conf.config(max_page_size=120, group="api")
    assert rows(api.get(path)) == 100
    assert rows(api.get(f"{path}&limit=120")) == 120
    refused(api.get(f"{path}&limit=121"), "limit must be at most 120", "max_page_size")

    conf.config(max_page_size=7, group="api")
    assert rows(api.get(path)) == 7
    refused(api.get(f"{path}&limit=100"), "limit must be at most 7", "max_page_size")


@pytest.mark.parametrize("path", ["/v2/dataframes", "/v2/summary"])
def test_interval(api, conf, path):
    conf.config(max_interval_days=31, group="api")
    text = "end must be at most 31 days after begin"

    assert api.get(f"{path}?begin=2026-11-01&end=2026-12-02").status_int == 200
    refused(api.get(f"{path}?begin=2026-11-01&end=2026-12-02T00:00:01"), text, "max_interval_days")
    # The other end is that of the present month.
    refused(api.get(f"{path}?begin=2020-01-01"), text, "max_interval_days")
    assert api.get(f"{path}?begin=2021-01-01&end=2020-01-01").status_int in {200, 404}


def test_groupby(api, conf):
    path = f"/v2/summary?{NOVEMBER}&groupby=id"
    conf.config(max_groupby_keys=2, max_groupby_rows=150, group="api")
    assert rows(api.get(f"{path},type")) == 100
    refused(
        api.get(f"{path},type&groupby=x"), "groupby must have at most 2 keys", "max_groupby_keys"
    )

    conf.config(max_groupby_rows=149, group="api")
    refused(api.get(f"{path}&limit=1"), "groupby leads to more than 149 rows", "max_groupby_rows")
    assert rows(api.get(f"/v2/summary?{NOVEMBER}")) == 1


@pytest.mark.parametrize("fields", ["SUM(qty)", "MEDIAN(qty)", "*"])
@pytest.mark.parametrize("backend", [SQLAlchemyStorage, BaseStorage])
def test_rows_whatever_is_summed_up(any_database_api, conf, monkeypatch, fields, backend):
    monkeypatch.setattr(SQLAlchemyStorage, "total_at_most", backend.total_at_most)
    path = f"/v2/summary?{NOVEMBER}&groupby=id&custom_fields={fields}"
    conf.config(max_groupby_rows=150, group="api")
    assert rows(any_database_api.get(path)) == 100

    conf.config(max_groupby_rows=149, group="api")
    refused(any_database_api.get(path), "groupby leads to more than 149 rows", "max_groupby_rows")


def test_the_storage_reads_no_more_rows_than_may_be(any_database_api, conf):
    path = f"/v2/summary?{NOVEMBER}&groupby=id"
    conf.config(max_groupby_rows=3, group="api")
    statements = []
    engine = db.get_engine()
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2:4]))

    refused(any_database_api.get(path), "groupby leads to more than 3 rows", "max_groupby_rows")

    text, parameters = next(one for one in statements if "GROUP BY" in one[0])
    assert "LIMIT" in text
    assert 4 in (parameters.values() if isinstance(parameters, dict) else parameters)


def test_days_are_not_rows(any_database_api, conf):
    """SQL groups by day what is shown by month."""
    for day in range(1, 6):
        period = {"begin": f"2026-10-0{day}T00:00:00", "end": f"2026-10-0{day}T01:00:00"}
        labels = {"id": "r", "month": "10", "year": "2026", "day_of_the_year": str(273 + day)}
        labels["week_of_the_year"] = "39" if day < 4 else "40"
        point = {"vol": {"unit": "u", "qty": 1}, "groupby": labels, "metadata": {}}
        body = {"dataframes": [{"period": period, "usage": {"cpu": [point]}}]}
        assert any_database_api.post("/v2/dataframes", body).status_int == 204
    path = "/v2/summary?begin=2026-10-01&end=2026-11-01&groupby="
    conf.config(max_groupby_rows=1, group="api")

    assert rows(any_database_api.get(f"{path}time-m")) == 1
    refused(
        any_database_api.get(f"{path}time-d"),
        "groupby leads to more than 1 rows",
        "max_groupby_rows",
    )


def refused_by_v1(answer, text, option):
    assert webapi.fault(answer, 400) == f"{text} {LIMIT.format(option)}"


@pytest.mark.parametrize("version", [1, 2])
def test_v1(sqlite_database, conf, version):
    conf.config(version=version, backend="sqlalchemy", group="storage")
    api = webapi.Api(conf)
    begin = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    point = DataPoint("u", 1, 1, {"project_id": "project-a"}, {})
    frame = DataFrame(begin, begin + dt.timedelta(hours=1), {"cpu": [point], "ram": [point]})
    get_storage().push([frame], "project-a")
    paths = ["/v1/report/total", "/v1/report/summary", "/v1/storage/dataframes"]
    conf.config(max_interval_days=31, max_page_size=1, max_groupby_keys=1, group="api")
    for path in paths:
        assert api.get(path).status_int == 200
        assert api.get(f"{path}?begin=2026-11-01&end=2026-12-02").status_int == 200
        refused_by_v1(
            api.get(f"{path}?begin=2026-11-01&end=2026-12-02T00:00:01"),
            "end must be at most 31 days after begin",
            "max_interval_days",
        )
        assert api.get(f"{path}?begin=2020-11-01", as_=NOBODY).status_int == 403

    path = f"/v1/report/summary?{NOVEMBER}&all_tenants=true&groupby=res_type,tenant_id"
    conf.config(max_groupby_rows=2, group="api")
    assert len(api.get(path).json["summary"]) == 2
    conf.config(max_groupby_rows=1, group="api")
    refused_by_v1(api.get(path), "groupby leads to more than 1 rows", "max_groupby_rows")
    assert len(api.get(path.partition("&groupby")[0]).json["summary"]) == 1
    assert api.get(f"/v1/report/total?{NOVEMBER}&all_tenants=true").status_int == 200


def test_policy_comes_first(api, conf):
    conf.config(max_page_size=1, group="api")

    assert api.get("/v2/summary?limit=2", as_=NOBODY).status_int == 403
    assert api.get("/v2/summary?limit=2", as_=ALICE).status_int == 400


@pytest.mark.parametrize("path", ["/v2/dataframes", "/v1/rating/quote", "/v2/no/such", "/"])
def test_body_size(api, conf, path):
    conf.config(max_request_body_size=64, group="api")
    body = json.dumps({"a": "x" * 56}).encode()
    assert len(body) == 65
    headers = {"Content-Type": "application/json"}

    answer = api("POST", path, body=body, headers=headers)

    limit = LIMIT.format("max_request_body_size")
    text = f"The body of the request must have at most 64 bytes {limit}"
    assert answer.status_int == 413
    assert answer.json.get("message", answer.json.get("faultstring")) == text
    assert api("POST", path, body=body[:64], headers=headers).status_int != 413


@pytest.mark.parametrize(("size", "status"), [(64, 400), (65, 413)])
def test_body_without_a_length(api, conf, size, status):
    conf.config(max_request_body_size=64, group="api")
    read = []

    class Body(io.BytesIO):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    said = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v2/dataframes",
        "CONTENT_TYPE": "application/json",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": Body(b"{" + b" " * (size - 2) + b"}"),
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
    }
    answer = b"".join(api.wsgi(environ, lambda status, headers: said.append(status)))

    assert said[0].startswith(str(status)), answer
    assert read == [65]


def test_no_limit_of_the_body(api, conf):
    conf.config(max_request_body_size=0, group="api")

    assert api("POST", "/v2/dataframes", body=b" " * 10**6).status_int == 415
