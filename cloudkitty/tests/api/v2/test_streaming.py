# SPDX-License-Identifier: Apache-2.0
"""Long answers: the same bytes, little memory, nothing left open."""

from __future__ import annotations

import datetime as dt
import json
import threading
from contextlib import ExitStack

import pytest
import requests
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.api import streaming
from cloudkitty.api.v2 import jsontext, texts
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2 import base
from cloudkitty.storage.v2.base import BaseStorage, Placed
from cloudkitty.tests import webapi
from cloudkitty.tests.api import pipeline
from cloudkitty.tests.conformance import server

BEGIN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
NOVEMBER = {"begin": BEGIN, "end": BEGIN + dt.timedelta(days=30)}
QUERY = "begin=2026-11-01&end=2026-12-01"


def fill(storage, points, per_hour=100):
    """Store so many points, some of them odd."""
    hour = dt.timedelta(hours=1)
    frames = []
    for number in range(points // per_hour):
        start = BEGIN + number * hour
        usage = {
            metric: [
                DataPoint(
                    "é",
                    f"{one}.5",
                    "0.1",
                    {"id": f"r{one}", "project_id": "project-a"},
                    {"note": "x" * 100, "big": 10**30},
                )
                for one in range(first, per_hour, 2)
            ]
            for first, metric in enumerate(["cpu", 'di"sk'])
        }
        frames.append(DataFrame(start, start + hour, usage))
    storage.push(frames)


def whole(storage, offset, limit):
    """Give the text as it is when all is in memory at once."""
    found = storage.retrieve(**NOVEMBER, offset=offset, limit=limit)
    shown = [frame.as_dict(mutable=True) for frame in found["dataframes"]]
    return jsontext.encode({"total": found["total"], "dataframes": shown})


@pytest.fixture
def small_steps(monkeypatch):
    """As if there were many more points."""
    monkeypatch.setattr(base, "STREAMED_AT_ONCE", 70)
    monkeypatch.setattr(texts, "_ITEMS", 30)
    monkeypatch.setattr(streaming, "_LONG", 1000)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(("offset", "limit"), [(0, 10**6), (0, 70), (5, 141), (399, 10), (500, 10)])
def test_the_same_bytes(database, conf, offset, limit):
    api = webapi.Api(conf)
    storage = get_storage()
    fill(storage, 400)

    answer = api.get(f"/v2/dataframes?{QUERY}&offset={offset}&limit={limit}")

    assert answer.status_int == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body == whole(storage, offset, limit)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(("offset", "limit"), [(0, 10**6), (0, 70), (5, 141), (399, 10), (500, 10)])
def test_storages_that_give_pages(sqlite_database, offset, limit):
    storage = get_storage()
    fill(storage, 400)

    with BaseStorage.stream(storage, **NOVEMBER, offset=offset, limit=limit) as (total, points):
        text = b"".join(texts.dataframes(total, points))

    assert text == whole(storage, offset, limit)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("response_format", ["table", "object"])
def test_summaries(sqlite_database, conf, response_format):
    api = webapi.Api(conf)
    fill(get_storage(), 400)
    path = f"/v2/summary?{QUERY}&response_format={response_format}&groupby=id,type&limit="

    long, page = api.get(f"{path}1000"), api.get(f"{path}3")

    assert len(page.body) < 1000 < len(long.body)
    assert page.headers["Content-Length"] == str(len(page.body))
    assert len(long.json["results"]) == long.json["total"] == 100
    assert long.json["results"][:3] == page.json["results"]
    assert long.json == {**page.json, "results": long.json["results"]}
    assert list(long.json)[-1] == "format"
    assert b" " not in long.body


def test_short_answers_have_a_length(sqlite_database, conf):
    api = webapi.Api(conf)
    fill(get_storage(), 100)

    answer = api.get(f"/v2/dataframes?{QUERY}&limit=1000000")

    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert api("HEAD", f"/v2/dataframes?{QUERY}").headers["Content-Length"]


def test_a_storage_without_order_makes_more_frames():
    end = BEGIN + dt.timedelta(hours=1)
    point = DataPoint("u", 1, 0, {}, {})
    points = [Placed(BEGIN, end, metric, point) for metric in ("a", "b", "a")]

    found = json.loads(b"".join(texts.dataframes(3, points)))

    assert [list(frame["usage"]) for frame in found["dataframes"]] == [["a", "b"], ["a"]]


def test_memory_stays_flat(sqlite_database, conf, monkeypatch):
    monkeypatch.setattr(base, "STREAMED_AT_ONCE", 200)
    monkeypatch.setattr(streaming, "_LONG", 10_000)
    api = webapi.Api(conf)
    storage = get_storage()
    fill(storage, 1_000)
    path = f"/v2/dataframes?{QUERY}&limit=1000000"
    api.peak(path)
    before, short = api.peak(path)
    fill(storage, 10_000)

    after, long = api.peak(path)

    assert long > 9 * short
    assert long > 2_000_000
    assert after < 1.5 * before
    assert after < long / 2


@pytest.mark.usefixtures("small_steps")
def test_a_client_that_goes_away_leaves_nothing_open(database, conf):
    storage = get_storage()
    fill(storage, 400)
    in_use = []
    pool = db.get_engine().pool
    sa.event.listen(pool, "checkout", lambda *_args: in_use.append(1))
    sa.event.listen(pool, "checkin", lambda *_args: in_use.pop())
    with ExitStack() as opened:
        total, points = opened.enter_context(storage.stream(**NOVEMBER, limit=10**6))
        body = streaming.answer(texts.dataframes(total, points), opened)
    assert isinstance(body, streaming.Streamed)
    assert in_use == [1]
    next(iter(body))

    body.close()

    assert in_use == []


@pytest.mark.usefixtures("small_steps")
def test_all_of_it_is_of_one_moment(database):
    storage = get_storage()
    fill(storage, 400)
    with storage.stream(**NOVEMBER, limit=10**6) as (total, points):
        next(points)
        # Somebody else, in another thread, deletes what has not been read yet.
        rival = threading.Thread(target=storage.delete)
        rival.start()
        rival.join()
        rest = sum(1 for _point in points)

    assert (total, rest) == (400, 399)
    assert storage.retrieve(**NOVEMBER)["total"] == 0


def test_a_server_process_sends_it_in_chunks(tmp_path):
    config = tmp_path / "cloudkitty.conf"
    config.write_text(
        f"[DEFAULT]\nauth_strategy = noauth\napi_paste_config = {pipeline.SHIPPED}\n"
        f"[database]\nconnection = sqlite:///{tmp_path}/ck.sqlite\n[api]\nworkers = 1\n"
    )
    point = {"vol": {"unit": "u", "qty": 1}, "groupby": {}, "metadata": {"x": "y" * 1000}}
    points = [{**point, "groupby": {"id": str(n)}} for n in range(2000)]
    period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
    with server.serving(config) as url:
        body = {"dataframes": [{"period": period, "usage": {"cpu": points}}]}
        assert requests.post(f"{url}/v2/dataframes", json=body, timeout=60).status_code == 204
        answers = [
            requests.get(f"{url}/v2/dataframes?{QUERY}&limit={limit}", timeout=60)
            for limit in (3000, 2, 3000)
        ]
        v1 = requests.get(f"{url}/v1/storage/dataframes?{QUERY}", timeout=60)

    long, page, again = answers
    assert long.headers["Transfer-Encoding"] == "chunked"
    assert page.headers["Content-Length"] == str(len(page.content))
    (frame,) = long.json()["dataframes"]
    assert len(frame["usage"]["cpu"]) == 2000
    assert again.content == long.content
    assert v1.headers["Transfer-Encoding"] == "chunked"
    assert sum(len(one["resources"]) for one in v1.json()["dataframes"]) == 2000
