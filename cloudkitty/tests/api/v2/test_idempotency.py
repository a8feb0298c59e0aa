# SPDX-License-Identifier: Apache-2.0
"""``Idempotency-Key``: sent again, counted once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.db import idempotency
from cloudkitty.db.models import IdempotencyKey
from cloudkitty.processor import housekeeping
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.storage.v2.sqlalchemy import points
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ADMIN, ALICE

NOVEMBER = "begin=2026-11-01&end=2026-12-01"
OTHER = {**ADMIN, "X-Project-Id": "other"}


@pytest.fixture
def api(database, conf):
    return webapi.Api(conf)


def body(qty, price="1"):
    point = {
        "vol": {"unit": "u", "qty": qty},
        "rating": {"price": price},
        "groupby": {"id": "r", "project_id": "a"},
        "metadata": {},
    }
    period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
    return {"dataframes": [{"period": period, "usage": {"cpu": [point]}}]}


def post(api, qty, key=None, **options):
    headers = {} if key is None else {"Idempotency-Key": key}
    price = options.pop("price", "1")
    return api.post("/v2/dataframes", body(qty, price), headers=headers, **options)


def stored(api):
    answer = api.get(f"/v2/dataframes?{NOVEMBER}")
    if answer.status_int == 404:
        return None
    (frame,) = answer.json["dataframes"]
    return [point["vol"]["qty"] for point in frame["usage"]["cpu"]]


def keys():
    with db.session_for_read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(IdempotencyKey))


def test_the_same_again_is_stored_once_and_answered_alike(api):
    first = post(api, 1, "k")
    # Somebody corrects the point: sending the first request again must not undo that.
    post(api, 2)
    second = post(api, 1, "k")

    assert first.status_int == second.status_int == 204
    assert (first.body, first.headers) == (second.body, second.headers)
    assert stored(api) == [2]
    assert keys() == 1


def test_another_body_is_refused(api):
    post(api, 1, "k")

    answer = post(api, 2, "k")

    assert answer.status_int == 422
    assert answer.json == {"message": "The Idempotency-Key has been used with another body."}
    assert stored(api) == [1]


def test_without_a_key_everything_is_stored(api):
    post(api, 1)
    post(api, 2)
    post(api, 1)

    assert stored(api) == [1]
    assert keys() == 0


def test_keys_belong_to_a_project(api):
    post(api, 1, "k")

    assert post(api, 2, "k", as_=OTHER).status_int == 204
    assert stored(api) == [2]
    assert post(api, 3, "K").status_int == 204
    assert stored(api) == [3]


def test_keys_are_forgotten(api, conf, monkeypatch):
    post(api, 1, "k")
    now = timeutils.utcnow()
    monkeypatch.setattr(idempotency, "_now", lambda: timeutils.to_epoch(now) + 86_401)

    assert post(api, 2, "k").status_int == 204
    assert stored(api) == [2]
    assert keys() == 1


def test_the_processor_deletes_them(api, conf, monkeypatch):
    conf.config(idempotency_key_lifetime=10, group="api")
    post(api, 1, "k")
    keeper = housekeeping.Housekeeping(object(), None, enabled=True)
    keeper.run(0)
    assert keys() == 1

    monkeypatch.setattr(idempotency, "_now", lambda: timeutils.to_epoch(timeutils.utcnow()) + 11)
    keeper.run(10**10)

    assert keys() == 0


def test_what_is_refused_leaves_no_key(api):
    assert post(api, 1, "k", price="9" * 40).status_int == 400
    assert post(api, 1, "k", as_=ALICE).status_int == 403
    assert keys() == 0
    assert post(api, 2, "k").status_int == 204


def test_what_fails_leaves_no_key_and_no_point(api, monkeypatch):
    def fail(*_args):
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(points, "replace", fail)
        assert post(api, 1, "k").status_int == 500

    assert (keys(), stored(api)) == (0, None)
    assert post(api, 1, "k").status_int == 204
    assert stored(api) == [1]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\u00e9", "a\tb"])
def test_keys_that_are_none(api, key):
    answer = post(api, 1, key.encode().decode("latin-1"))

    assert answer.status_int == 400
    assert "must be 1 to 255 printable ASCII characters" in answer.json["message"]
    assert answer.json["message"].endswith("(path: '['Idempotency-Key']')")
    assert stored(api) is None


def test_many_at_once(api):
    with ThreadPoolExecutor(8) as pool:
        same = list(pool.map(lambda _n: post(api, 1, "k").status_int, range(8)))
        rivals = list(pool.map(lambda n: post(api, n, "rivals").status_int, range(8)))

    assert set(same) == {204}
    assert sorted(rivals) == [204] + [422] * 7
    assert keys() == 2


class Elsewhere(BaseStorage):
    """A storage that is no SQL: every frame it gets is in `pushed`."""

    def __init__(self):
        super().__init__(period=3600)
        self.pushed = []

    def init(self): ...
    def retrieve(self, **_kwargs): ...
    def total(self, **_kwargs): ...
    def delete(self, **_kwargs): ...

    def push(self, dataframes, scope_id=None):
        if dataframes is None:
            raise ConnectionError
        self.pushed += dataframes


def test_storages_elsewhere(database):
    storage = Elsewhere()
    now = timeutils.utcnow()
    frame = DataFrame(now, now)
    once = idempotency.request("p", "k", b"1", 60)
    with pytest.raises(ConnectionError):
        storage.push_once(None, once)

    storage.push_once([frame], once)
    storage.push_once([frame], once)
    with pytest.raises(idempotency.KeyReusedError):
        storage.push_once([frame], idempotency.request("p", "k", b"2", 60))

    assert storage.pushed == [frame]


def test_the_general_form_works_in_sql_too(database, conf):
    storage = get_storage()
    once = idempotency.request("p", "k", b"1", 60)
    frames = [DataFrame.from_dict(one) for one in body(1)["dataframes"]]

    BaseStorage.push_once(storage, frames, once)

    with db.session_for_read() as session:
        assert once.done(session)
    assert storage.retrieve(begin=frames[0].start, end=frames[0].end)["total"] == 1
