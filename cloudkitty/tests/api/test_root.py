# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import webtest

from cloudkitty.api import root


@pytest.fixture
def app():
    return webtest.TestApp(root.Root([root.V1, root.V2]))


def links(answer):
    return [version["links"][0]["href"] for version in answer.json["versions"]]


@pytest.mark.parametrize("host", ["127.0.0.1:8889", "rating.example.org", "[::1]:80"])
def test_links_echo_the_host(app, host):
    answer = app.get("/", headers={"Host": host})

    assert links(answer) == [f"http://{host}/v1", f"http://{host}/v2"]
    assert answer.body.endswith(b"}\n")


def test_links_keep_the_prefix_of_a_proxy(app):
    answer = app.get("/", extra_environ={"SCRIPT_NAME": "/a b", "wsgi.url_scheme": "https"})

    assert links(answer)[0] == "https://localhost:80/a%20b/v1"


def test_json_whatever_is_accepted(app):
    assert app.get("/", headers={"Accept": "text/html"}).content_type == "application/json"


def test_head_and_options_have_no_body(app):
    assert app.head("/").body == b""
    answer = app.options("/")
    assert (answer.status_int, answer.body) == (200, b"")
    assert answer.headers["Allow"] == "HEAD, GET, OPTIONS"


def test_other_methods_are_refused(app):
    answer = app.post("/", expect_errors=True)

    assert answer.status_int == 405
    assert answer.json == {"message": "The method is not allowed for the requested URL."}
    assert answer.headers["Allow"] == "HEAD, GET, OPTIONS"
