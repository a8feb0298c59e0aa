# SPDX-License-Identifier: Apache-2.0
"""Limits of ``[api]``: what is refused, by name, and what is not."""

from __future__ import annotations

import io
import json

import pytest

from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE, NOBODY

NOVEMBER = "begin=2026-11-01&end=2026-12-01"
LIMIT = "(limit of this service: [api] {})."


@pytest.fixture
def api(sqlite_database, conf):
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
    refused(
        api.get(f"{path}&limit=1"), "groupby leads to 150 rows, more than 149", "max_groupby_rows"
    )
    assert rows(api.get(f"/v2/summary?{NOVEMBER}")) == 1


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
