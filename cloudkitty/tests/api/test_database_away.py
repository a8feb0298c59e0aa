# SPDX-License-Identifier: Apache-2.0
"""Every call that needs the database answers 503 when it is away, and says nothing else (D4)."""

from __future__ import annotations

import itertools
import re
import sqlite3

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.api import errors
from cloudkitty.api.v2.routes import ROUTES
from cloudkitty.rating.modules import Rating
from cloudkitty.tests import webapi

ID = "754f2f11-f921-4e78-8b6f-329f924aeea1"
HASHMAP = "/v1/rating/module_config/hashmap"
SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"
MAPPING = {"service_id": ID, "cost": "1", "type": "flat"}
THRESHOLD = {"service_id": ID, "cost": "1", "level": "1", "type": "flat"}
SCRIPT = {"name": "s", "data": "a = 0"}
FRAME = {
    "period": {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"},
    "usage": {"cpu": [{"vol": {"unit": "u", "qty": 1}, "groupby": {}, "metadata": {}}]},
}
RESET = {"scope_id": "a", "last_processed_timestamp": "2026-11-01T00:00:00"}
REPROCESS = {
    "scope_ids": "a",
    "start_reprocess_time": "2026-11-01T00:00:00",
    "end_reprocess_time": "2026-11-01T00:00:00",
    "reason": "r",
}

V1 = [
    ("GET", "/v1/rating/modules", None),
    ("GET", "/v1/rating/modules/hashmap", None),
    ("PUT", "/v1/rating/modules/hashmap", {"module_id": "hashmap", "priority": 7}),
    ("POST", "/v1/rating/quote", {"resources": [{"service": "cpu", "volume": "1"}]}),
    ("GET", f"{HASHMAP}/services", None),
    ("POST", f"{HASHMAP}/services", {"name": "s"}),
    ("GET", f"{HASHMAP}/fields?service_id={ID}", None),
    ("POST", f"{HASHMAP}/fields", {"name": "f", "service_id": ID}),
    ("GET", f"{HASHMAP}/groups", None),
    ("POST", f"{HASHMAP}/groups", {"name": "g"}),
    ("GET", f"{HASHMAP}/mappings", None),
    ("POST", f"{HASHMAP}/mappings", MAPPING),
    ("GET", f"{HASHMAP}/thresholds?service_id={ID}", None),
    ("POST", f"{HASHMAP}/thresholds", THRESHOLD),
    *(
        (method, f"{HASHMAP}/{kind}/{ID}", None)
        for kind in ("services", "fields", "groups", "mappings", "thresholds")
        for method in ("GET", "DELETE")
    ),
    ("PUT", f"{HASHMAP}/mappings/{ID}", MAPPING),
    ("PUT", f"{HASHMAP}/thresholds/{ID}", THRESHOLD),
    ("GET", f"{HASHMAP}/services/{ID}/fields", None),
    ("GET", f"{HASHMAP}/services/{ID}/mappings", None),
    ("GET", f"{HASHMAP}/groups/{ID}/mappings", None),
    ("GET", f"{HASHMAP}/groups/{ID}/thresholds", None),
    ("GET", f"{HASHMAP}/mappings/{ID}/group", None),
    ("GET", f"{HASHMAP}/thresholds/{ID}/group", None),
    ("GET", SCRIPTS, None),
    ("POST", SCRIPTS, SCRIPT),
    ("GET", f"{SCRIPTS}/{ID}", None),
    ("PUT", f"{SCRIPTS}/{ID}", SCRIPT),
    ("DELETE", f"{SCRIPTS}/{ID}", None),
    ("GET", "/v1/report/total", None),
    ("GET", "/v1/report/summary?groupby=tenant_id", None),
    ("GET", "/v1/report/tenants", None),
    ("GET", "/v1/storage/dataframes", None),
    ("GET", "/v1/collector/mappings", None),
    ("GET", "/v1/collector/mappings/cpu", None),
    ("POST", "/v1/collector/mappings/gnocchi/cpu", None),
    ("DELETE", "/v1/collector/mappings/cpu", None),
    ("GET", "/v1/collector/states/gnocchi", None),
    ("PUT", "/v1/collector/states/gnocchi", {"enabled": True}),
]
V2 = [
    ("GET", "/v2/scope", None),
    ("PUT", "/v2/scope", RESET),
    ("PATCH", "/v2/scope", {"scope_id": "a", "active": True}),
    ("POST", "/v2/scope", RESET),
    ("GET", "/v2/summary?groupby=type", None),
    ("GET", "/v2/dataframes", None),
    ("POST", "/v2/dataframes", {"dataframes": [FRAME]}),
    ("GET", "/v2/rating/modules", None),
    ("GET", "/v2/rating/modules/hashmap", None),
    ("PUT", "/v2/rating/modules/hashmap", {"priority": 8}),
    ("GET", "/v2/task/reprocesses", None),
    ("POST", "/v2/task/reprocesses", REPROCESS),
    ("GET", "/v2/task/reprocesses/a", None),
]
CALLS = V1 + V2
#: Nobody listens on port 1.
AWAY = {
    "sqlite": "sqlite:////nonexistent/directory/ck",
    "postgresql": "postgresql+psycopg2://u:secret@127.0.0.1:1/ck",
    "mysql": "mysql+pymysql://u:secret@127.0.0.1:1/ck",
}


def ask(api, call):
    method, path, body = call
    options = {} if body is None else {"json": body}
    return api(method, path, **options)


def others():
    """Operations of v2 that are not in the table; what they need may be missing."""
    asked = {(method, path.partition("?")[0]) for method, path, _body in V2}
    for route in ROUTES:
        path = re.sub(r"{\w+}", "a", route.path)
        for method, operation in route.operations.items():
            if (method, path) not in asked:
                yield method, path, None if operation.body is None else {}


def assert_away(answer, call):
    assert answer.status_int == 503, (call, answer.text)
    key = "faultstring" if call[1].startswith("/v1") else "message"
    assert answer.json[key] == errors.UNAVAILABLE
    assert "Traceback" not in answer.text


@pytest.fixture
def api(sqlite_database, conf):
    conf.config(max_retries=0, group="database")
    found = webapi.Api(conf)
    assert found.put("/v2/rating/modules/hashmap", {"enabled": True}).status_int == 204
    return found


@pytest.mark.parametrize("engine", AWAY)
def test_the_database_cannot_be_reached(api, conf, engine):
    conf.config(connection=AWAY[engine], group="database")
    db.reset()

    for call in CALLS:
        assert_away(ask(api, call), call)
    for call in others():
        assert ask(api, call).status_int != 500, call


def test_the_database_goes_away_in_between(api, monkeypatch):
    """From the first, second, third... connection on, until a call needs no more of them."""
    engine = db.get_engine()
    left = itertools.count()

    def connect(*_args):
        if next(left) >= 0:
            raise sqlite3.OperationalError("unable to open database file")

    sa.event.listen(engine, "do_connect", connect)
    most = 0
    for call in CALLS:
        for good in itertools.count():
            left = itertools.count(-good)
            answer = ask(api, call)
            if next(left) <= 0:
                break
            assert_away(answer, call)
            most = max(most, good)
    assert most > 0
    left = itertools.count(-1000)
    names = [one["module_id"] for one in api.get("/v2/rating/modules").json["modules"]]
    assert names == ["hashmap", "noop", "pyscripts"]


def test_a_module_that_fails_for_another_reason_is_a_mistake(api, monkeypatch):
    monkeypatch.setattr(Rating, "begin_batch", lambda _self: 1 / 0)

    text = webapi.fault(ask(api, V1[3]), 500)

    assert text == "Internal server error (request unknown)"
