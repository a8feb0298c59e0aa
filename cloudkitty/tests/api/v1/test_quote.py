# SPDX-License-Identifier: Apache-2.0
"""Quotes over HTTP (contract api.md 6.4, rating.md 7, D3, D27, D28)."""

from __future__ import annotations

import threading

import pytest

from cloudkitty import db
from cloudkitty.rating import RatingProcessorBase, modules
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE, NOBODY, fault

QUOTE = "/v1/rating/quote"
HASHMAP = "/v1/rating/module_config/hashmap"


def resource(service="server", volume: object = 1, **more):
    return {"service": service, "volume": volume, **more}


@pytest.fixture
def api(sqlite_database, conf):
    return rated(webapi.Api(conf))


@pytest.fixture
def any_api(database, conf):
    return rated(webapi.Api(conf))


def rated(api):
    """hashmap on: a server costs 1.5, and 10 more for each of three labels."""
    api.put("/v1/rating/modules/hashmap", {"module_id": "hashmap", "enabled": True})
    service = api.post(f"{HASHMAP}/services", {"name": "server"}).json["service_id"]
    # A quote is about the second that has begun: rules of the same second begin too late.
    mappings, start = f"{HASHMAP}/mappings?force=true", "2020-01-01"
    api.post(mappings, {"service_id": service, "cost": "1.5", "start": start})
    for name, value in (("flavor", "big"), ("ratio", "2.5"), ("on", "True")):
        body = {"name": name, "service_id": service}
        field = api.post(f"{HASHMAP}/fields", body).json["field_id"]
        group = api.post(f"{HASHMAP}/groups", {"name": name}).json["group_id"]
        body = {"field_id": field, "value": value, "cost": "10", "group_id": group, "start": start}
        assert api.post(mappings, body).status_int == 201
    return api


def quote(api, *resources, **options):
    answer = api.post(QUOTE, {"resources": list(resources)}, **options)
    assert answer.status_int == 200, answer.text
    return answer.json


def test_prices(any_api):
    api = any_api
    assert quote(api, resource()) == "1.5"
    assert quote(api, resource(volume="2"), resource(volume=3)) == "7.5"
    assert quote(api, resource(volume=20)) == "30"
    assert quote(api, resource(volume=-2)) == "-3"
    assert quote(api, resource(volume="1e-2")) == "0.015"
    assert quote(api, resource(volume=0.1)) == "0.15"
    assert quote(api, resource(volume=0)) == quote(api, resource("other")) == quote(api) == "0"
    assert quote(api, resource(volume="0.00"), resource("other"), as_=NOBODY) == "0"
    answer = api.post("/v1/billing/quote/", {"resources": [resource()]}, as_=ALICE)
    assert (answer.status_int, answer.text) == (200, '"1.5"')


@pytest.mark.parametrize(
    ("desc", "price"),
    [
        (None, "1.5"),
        ({}, "1.5"),
        ({"flavor": "big"}, "11.5"),
        ({"metadata": {"flavor": "big"}}, "11.5"),
        ({"groupby": {"flavor": "big"}}, "11.5"),
        ({"groupby": {"x": 1}, "metadata": {"flavor": "big"}}, "11.5"),
        ({"metadata": {"x": None}, "flavor": "big"}, "11.5"),
        ({"metadata": {"flavor": "small"}, "flavor": "big"}, "1.5"),
        ({"groupby": {"flavor": "small"}, "flavor": {"nested": "big"}}, "1.5"),
        ({"flavor": {"nested": "big"}, "note": None, "vcpus": 4}, "1.5"),
        ({"ratio": 2.5}, "11.5"),
        ({"groupby": {"ratio": 2.5, "on": True}}, "21.5"),
        ({"flavor": "big", "ratio": 2.5, "on": True}, "31.5"),
    ],
)
def test_labels(api, desc, price):
    assert quote(api, resource(desc=desc)) == price


def bad(**attributes):
    return {"resources": [{**resource(), **attributes}]}


WITHOUT = {name: {k: v for k, v in resource().items() if k != name} for name in resource()}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "attribute resources. Value: 'None'. Mandatory field missing."),
        ({"resources": None}, "attribute resources"),
        ({"resources": {}}, "attribute resources. Value: '{}'. Value not a valid list: {}"),
        ({"resources": [None]}, "attribute resources"),
        ({"resources": ["x"]}, "attribute resources"),
        ({"resources": [[]]}, "attribute resources"),
        ({"resources": [], "x": 1}, "Unknown attribute for argument res_data: x"),
        ([], "attribute res_data"),
        (None, "attribute res_data"),
        ("x", "attribute res_data"),
        ({"resources": [WITHOUT["service"]]}, "attribute service. Value: 'None'. Mandatory"),
        ({"resources": [WITHOUT["volume"]]}, "attribute volume. Value: 'None'. Mandatory"),
        (bad(foo=1), "Unknown attribute for argument res_data.resources: foo"),
        (bad(service=None), "attribute service"),
        (bad(service=5), "attribute service. Value: '5'. Wrong type. Expected '<class 'str'>', "),
        (bad(service="\ud800"), "attribute service"),
        *[
            (bad(volume=volume), "attribute volume")
            for volume in (None, "", "much", True, [], {}, "NaN", float("inf"), "1e31", "1e-31")
        ],
        (bad(desc="big"), "attribute desc"),
        (bad(desc=[]), "attribute desc"),
        (
            bad(desc={"flavor": ["big"]}),
            (
                "Invalid input for field/attribute desc. Value: '{'flavor': ['big']}'. Wrong type. "
                "Expected '(<class 'str'>, <class 'int'>, <class 'float'>, <class 'dict'>, "
                "<class 'decimal.Decimal'>)', got '<class 'list'>'"
            ),
        ),
        (bad(desc={"flavor": float("nan")}), "desc.flavor"),
        *[
            (bad(desc={name: value}), f"desc.{name}. Value: ")
            for name in ("groupby", "metadata")
            for value in ("big", 5, None, True)
        ],
        (bad(desc={"metadata": {"flavor": ["big"]}}), "desc.metadata.flavor"),
        (bad(desc={"groupby": {"flavor": {"a": "b"}}}), "desc.groupby.flavor"),
    ],
)
def test_bad_bodies(api, body, text):
    assert text in fault(api.post(QUOTE, body), 400)


def test_no_body(api):
    assert fault(api("POST", QUOTE), 400) == 'Missing argument: "res_data"'
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"\xff", b'{"resources": [{"service": "s", "volume": 1E+999999999}]}'):
        fault(api("POST", QUOTE, body=body, headers=headers), 400)
    fault(api("POST", QUOTE, body=b"<a/>", headers={"Content-Type": "text/xml"}), 415)


@pytest.mark.parametrize(
    "query",
    ["res_data.x=1", "res_data.resources=1", "res_data.resources.service=s", "res_data=1"],
)
def test_a_query_is_no_body(api, query):
    fault(api("POST", f"{QUOTE}?{query}"), 400)


def test_routing(api):
    for method in ("GET", "PUT", "DELETE"):
        fault(api(method, QUOTE), 405)
    fault(api("POST", f"{QUOTE}/x"), 404)


def test_system_scope(api):
    system = {"X-Roles": "admin", "OpenStack-System-Scope": "all"}

    text = fault(api.post(QUOTE, {"resources": []}, as_=system), 403)

    assert text == "Policy doesn't allow rating:quote to be performed."


class OneAtATime(RatingProcessorBase):
    """Keeps what it is doing in itself, as modules of others do."""

    module_name = "oneatatime"
    enabled = True
    priority = 1

    def __init__(self, tenant_id=None):
        super().__init__(tenant_id)
        self._barrier = BARRIER
        self._qty = None

    def reload_config(self, start=None):
        pass

    def process(self, data):
        ((_, point),) = data.iterpoints()
        self._qty = point.qty
        self._barrier.wait(10)
        out = type(data)(data.start, data.end)
        out.add_point(point.set_price(self._qty), "m")
        return out


BARRIER = threading.Barrier(2)


def test_quotes_at_the_same_time_do_not_meet(sqlite_database, conf, monkeypatch):
    monkeypatch.setattr(modules, "find", lambda: modules.Modules({"oneatatime": OneAtATime}, {}))
    api = webapi.Api(conf)
    found = {}

    def ask(volume):
        found[volume] = quote(api, resource(volume=volume))

    threads = [threading.Thread(target=ask, args=(volume,)) for volume in (3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {3: "3", 7: "7"}


class Failing(RatingProcessorBase):
    module_name = "failing"
    enabled = True
    priority = 1

    def reload_config(self, start=None):
        pass

    def process(self, data):
        raise RuntimeError("secret")


def test_a_module_that_fails_tells_nothing(sqlite_database, conf, monkeypatch):
    monkeypatch.setattr(modules, "find", lambda: modules.Modules({"failing": Failing}, {}))
    api = webapi.Api(conf)

    text = fault(api.post(QUOTE, {"resources": [resource()]}), 500)

    assert text == "Internal server error (request unknown)"


def test_database_away(api, conf):
    conf.config(group="database", connection="sqlite:////nonexistent/directory/ck")
    db.reset()

    fault(api.post(QUOTE, {"resources": [resource()]}), 503)
