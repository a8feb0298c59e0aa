# SPDX-License-Identifier: Apache-2.0
"""What v1 answers when a request reaches no call, or a call that fails."""

from __future__ import annotations

import pytest

from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import fault


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1", 405, "Method Not Allowed"),
        ("GET", "/v1/", 405, "Method Not Allowed"),
        ("GET", "//v1", 405, "Method Not Allowed"),
        ("HEAD", "/v1/info/metrics", 405, None),
        ("PATCH", "/v1/info/config", 405, "Method Not Allowed"),
        ("GET", "/v1/rating/modules/noop/more", 404, "Not Found"),
    ],
)
def test_routing(api, method, path, status, text, accept):
    answer = api(method, path, headers={"Accept": accept})

    assert answer.status_int == status
    if text:
        assert fault(answer, status) == text
    if status == 405:
        assert answer.headers["Allow"] == ""


def test_html_alone_is_not_acceptable(api):
    assert api.get("/v1/rating/modules", headers={"Accept": "text/html"}).status_int == 406


def test_xml_for_those_who_ask(api):
    answer = api.get("/v1/rating/modules", headers={"Accept": "application/xml"})

    assert answer.content_type == "application/xml"
    assert answer.xml.find("modules/item/module_id").text == "hashmap"


@pytest.mark.parametrize("path", ["/v1/info/metrics/%FF", "/v1/info/metrics?a=%FF", "/v1/%00"])
def test_what_is_no_text_is_refused(api, path):
    assert fault(api.get(path), 400) == "The URL and the form of a request must be texts in UTF-8."


def test_a_form_that_is_no_text_is_refused(api):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    fault(api("PUT", "/v1/rating/modules/noop", body=b"a=%FF", headers=kind), 400)


@pytest.mark.parametrize("path", ["/%FF", "/v2/summary?begin=%00", "/v1x/%00"])
def test_other_versions_keep_their_body(api, path):
    answer = api.get(path)

    assert (answer.status_int, list(answer.json)) == (400, ["message"])


def test_database_away(api, conf):
    from cloudkitty import db

    conf.config(group="database", connection="sqlite:////nonexistent/directory/ck")
    db.reset()

    text = fault(api.get("/v1/rating/modules"), 503)

    assert text == "The database or the storage cannot be reached, try again later."


def test_a_mistake_of_ours_tells_nothing(api, conf):
    from cloudkitty import db

    # Tables that are not there are nobody's but ours to mend.
    conf.config(group="database", connection="sqlite://")
    db.reset()

    assert fault(api.get("/v1/rating/modules"), 500) == "Internal server error (request unknown)"
