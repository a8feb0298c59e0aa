# SPDX-License-Identifier: Apache-2.0
"""Scopes from the resources of Gnocchi (contract collect.md 3.2)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty.fetcher.base import BaseFetcher, get_fetcher
from cloudkitty.fetcher.gnocchi import GnocchiFetcherError
from cloudkitty.tests import gnocchi, keystone, webserver
from cloudkitty.tests.webserver import Reply, Request


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: Reply(body=[])) as running:
        yield running


def build(conf: cfg_fixture.Config, url: str, **options: Any) -> BaseFetcher:
    conf.config(backend="gnocchi", group="fetcher")
    options = {"gnocchi_auth_type": "basic", "gnocchi_user": "admin", **options}
    conf.config(gnocchi_endpoint=url, group="fetcher_gnocchi", **options)
    return get_fetcher(conf.conf)


def asked(server: webserver.Server) -> list[tuple[str, str, Any]]:
    """Give method, path and body of the requests so far."""
    return [(one.method, one.path, json.loads(one.body)) for one in server.requests]


def query(request: Request) -> dict[str, list[str]]:
    return parse_qs(urlsplit(request.target).query)


@pytest.mark.parametrize(
    ("options", "path", "attribute"),
    [
        ({}, "/v1/search/resource/generic", "project_id"),
        ({"scope_attribute": "domain_id"}, "/v1/search/resource/generic", "domain_id"),
        ({"resource_types": []}, "/v1/search/resource/generic", "project_id"),
        ({"resource_types": [""]}, "/v1/search/resource/generic", "project_id"),
        ({"resource_types": ["volume", "", "volume"]}, "/v1/search/resource/volume", "project_id"),
        ({"resource_types": ["a/b c"]}, "/v1/search/resource/a%2Fb%20c", "project_id"),
    ],
)
def test_the_request(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    options: dict[str, Any],
    path: str,
    attribute: str,
) -> None:
    assert build(conf, f"{server.url}/", **options).get_tenants() == []
    assert asked(server) == [("POST", path, {})]
    (request,) = server.requests
    sent = query(request)
    assert sorted(sent.pop("attrs")) == sorted([attribute, "id"])
    assert sent == {"details": ["true"], "limit": ["1000"], "sort": ["id:asc"]}
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["accept"] == headers["content-type"] == "application/json"
    # User "admin", no password.
    assert headers["authorization"].lower() == "basic ywrtaw46"


def test_the_types_one_after_the_other_and_a_path(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda request: Reply(body=[{"id": "1", "project_id": request.path[-1]}])
    url = f"{server.url}/basic/"
    assert build(conf, url, resource_types=["network", "volume"]).get_tenants() == ["e", "k"]
    assert [path for _, path, _ in asked(server)] == [
        "/basic/v1/search/resource/network",
        "/basic/v1/search/resource/volume",
    ]


def test_each_value_once(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    values = ["b", "a", "", None, "b", 7, "ü"]
    server.answer = lambda _request: Reply(
        body=[{"id": str(n), "project_id": value} for n, value in enumerate(values)]
        # One of a type that has no such attribute.
        + [{"id": "x"}]
    )
    assert build(conf, server.url).get_tenants() == ["7", "a", "b", "ü"]


class Pages:
    """Answers as Gnocchi does with ``details``: the resources of a page come type by type."""

    def __init__(self, resources: list[dict[str, Any]], limit: int) -> None:
        self._resources = sorted(resources, key=lambda one: one["id"])
        self._limit = limit

    def __call__(self, request: Request) -> Reply:
        after = request.fields.get("marker", "")
        page = [one for one in self._resources if one["id"] > after][: self._limit]
        page.sort(key=lambda one: one["type"])
        headers = {}
        if len(page) == self._limit:
            wrong = f"<http://gnocchi{request.path}?marker={page[-1]['id']}>"
            headers = {"Link": f'{wrong}; rel="next"'}
        return Reply(body=page, headers=headers)


def test_page_by_page(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    resources = [
        {"id": f"{n:02}", "type": f"type-{n % 2}", "project_id": f"p{n:02}"} for n in range(11)
    ]
    server.answer = Pages(resources, 4)
    found = build(conf, server.url).get_tenants()
    assert found == [f"p{n:02}" for n in range(11)]
    assert [request.fields.get("marker") for request in server.requests] == [None, "03", "07"]


def test_resources_without_a_value_come_to_an_end(
    conf: cfg_fixture.Config, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    # The old way, asking for all but the known scopes, never left such a page.
    resources = [{"id": f"{n:02}", "type": "t", "project_id": None} for n in range(4)]
    server.answer = Pages(resources, 2)
    with caplog.at_level(logging.WARNING):
        assert build(conf, server.url).get_tenants() == []
    assert len(server.requests) == 3
    assert "none of 4 resources of type generic has a value in 'project_id'" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"gnocchi_endpoint": ""}, r"gnocchi_endpoint .*\[fetcher_gnocchi\]"),
        ({"gnocchi_endpoint": "ftp://x"}, r"\[fetcher_gnocchi\] gnocchi_endpoint: not an http"),
        ({"gnocchi_auth_type": "keystone"}, r"\[fetcher_gnocchi\] auth_type: not set"),
    ],
)
def test_settings_are_checked_at_start(
    conf: cfg_fixture.Config, options: dict[str, Any], reason: str
) -> None:
    url = options.pop("gnocchi_endpoint", "http://gnocchi")
    with pytest.raises(cfg.Error, match=reason):
        build(conf, url, **options)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500, "oops"), "HTTP 500: oops"),
        (
            Reply(404, {"description": "Resource type x does not exist"}),
            r"\[fetcher_gnocchi\] resource_types: .*Resource type x does not exist",
        ),
        (Reply(401, {"error": {"message": "go away"}}), "HTTP 401: go away"),
        (Reply(200, "{"), "not valid JSON"),
        (Reply(200, {"a": 1}), "not a list of objects"),
        (Reply(200, [1]), "not a list of objects"),
        (Reply(hang_up=True), "connection broken"),
    ],
)
def test_no_list_rather_than_a_wrong_one(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    monkeypatch: pytest.MonkeyPatch,
    reply: Reply,
    reason: str,
) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    server.answer = lambda request: (
        reply if request.path.endswith("volume") else Reply(body=[{"id": "1", "project_id": "p"}])
    )
    with pytest.raises(GnocchiFetcherError, match=reason):
        build(conf, server.url, resource_types=["generic", "volume"]).get_tenants()


@pytest.mark.service
class TestRealServer:
    """A Gnocchi with resources of several types and projects."""

    @pytest.fixture(scope="class")
    def own(self, gnocchi_server: gnocchi.Server) -> str:
        """Name of a type and a prefix of projects that nobody else uses."""
        name = f"own-{gnocchi_server.suffix}"
        gnocchi_server.resource_type(name, ["domain_id"])
        for number in range(7):
            kind = (name, "volume", "image")[number % 3]
            attributes = {"domain_id": f"{name}-{number // 2}"} if kind == name else {}
            project = None if number == 6 else f"{name}-{number}"
            ended = 1709640000.0 if number == 3 else None
            gnocchi_server.resource(
                kind, project, started=1709632800, ended=ended, attributes=attributes
            )
        gnocchi_server.write()
        return name

    def test_without_keystone(
        self, conf: cfg_fixture.Config, own: str, gnocchi_server: gnocchi.Server
    ) -> None:
        found = build(conf, gnocchi_server.url).get_tenants()
        assert {f"{own}-{n}" for n in range(6)} <= set(found)
        assert found == sorted(set(found))

    def test_with_keystone(
        self, conf: cfg_fixture.Config, own: str, gnocchi_server: gnocchi.Server
    ) -> None:
        with keystone.cloud() as cloud:
            user = cloud.user(cloud.project(), ["admin"])
            region = cloud.endpoint("metric", gnocchi_server.keystone_url)
            # What an authentication plugin takes is known when the fetcher is built.
            conf.load_raw_values(group="fetcher_gnocchi", **user.options())
            fetcher = build(conf, "", gnocchi_auth_type="keystone", region_name=region)
            assert {f"{own}-{n}" for n in range(6)} <= set(fetcher.get_tenants())

    def test_types(
        self, conf: cfg_fixture.Config, own: str, gnocchi_server: gnocchi.Server
    ) -> None:
        found = build(conf, gnocchi_server.url, resource_types=[own]).get_tenants()
        assert found == [f"{own}-0", f"{own}-3"]

    def test_an_attribute_of_one_type(
        self, conf: cfg_fixture.Config, own: str, gnocchi_server: gnocchi.Server
    ) -> None:
        for types in ([own], ["generic"]):
            fetcher = build(
                conf, gnocchi_server.url, resource_types=types, scope_attribute="domain_id"
            )
            found = {scope for scope in fetcher.get_tenants() if scope.startswith(own)}
            assert found == {f"{own}-0", f"{own}-1", f"{own}-3"}

    def test_small_pages(
        self,
        conf: cfg_fixture.Config,
        own: str,
        gnocchi_server: gnocchi.Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from cloudkitty.gnocchi.client import GnocchiClient

        whole = GnocchiClient.search_resources
        monkeypatch.setattr(
            GnocchiClient, "search_resources", lambda *a, **k: whole(*a, **{**k, "limit": 2})
        )
        found = build(conf, gnocchi_server.url).get_tenants()
        assert {f"{own}-{n}" for n in range(6)} <= set(found)

    def test_an_unknown_type(
        self, conf: cfg_fixture.Config, gnocchi_server: gnocchi.Server
    ) -> None:
        fetcher = build(conf, gnocchi_server.url, resource_types=["nope"])
        with pytest.raises(GnocchiFetcherError, match=r"resource_types: .*nope does not exist"):
            fetcher.get_tenants()
