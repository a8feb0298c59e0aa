# SPDX-License-Identifier: Apache-2.0
"""Scopes from the projects of a real Keystone (contract collect.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from keystoneauth1 import exceptions
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import keystone as ck_keystone
from cloudkitty.fetcher.base import BaseFetcher, get_fetcher
from cloudkitty.fetcher.keystone import KeystoneFetcherError
from cloudkitty.tests import keystone, prometheus, proxy, webserver
from cloudkitty.tests.keystone import Cloud, User
from cloudkitty.tests.webserver import Reply, Request

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with keystone.cloud() as found:
        yield found


@pytest.fixture(scope="module")
def service(cloud: Cloud) -> User:
    """Give the service user: admin in its own project, rating in none."""
    return cloud.user(cloud.project("service"), ["admin"], name="cloudkitty")


@dataclass(frozen=True)
class Projects:
    """Projects that differ in who has which role."""

    plain: str
    rated: str
    off: str
    others: str
    groups: str
    parent: str
    child: str


@pytest.fixture(scope="module")
def projects(cloud: Cloud, service: User) -> Projects:
    # Made once: Keystone takes its time.
    off, parent = cloud.project(enabled=False), cloud.project()
    names = ("c", "b", "d", "a")
    plain, rated, others, groups = (cloud.project(name) for name in names)
    made = Projects(plain, rated, off, others, groups, parent, cloud.project(parent_id=parent))
    for project in (rated, off):
        cloud.grant(service.id, project, "rating")
    cloud.grant(service.id, plain, "member")
    # Somebody else's role, that of a group and one that is handed down are not its own.
    cloud.user(others, ["rating"])
    group = cloud._make("groups", "group", {"name": f"g-{cloud.suffix}"})["id"]
    cloud.call("PUT", f"/groups/{group}/users/{service.id}")
    cloud.grant(group, groups, "rating", kind="groups")
    handed = f"/projects/{parent}/users/{service.id}/roles/{cloud.role('rating')}"
    cloud.call("PUT", f"/OS-INHERIT{handed}/inherited_to_projects")
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudkitty.keystone._PAUSE", 0.001)


Build = Callable[..., BaseFetcher]


@pytest.fixture
def build(conf: cfg_fixture.Config, service: User) -> Build:
    """Give the fetcher of the service user, or of another one."""

    def made(user: User = service, url: str = "", **options: Any) -> BaseFetcher:
        conf.config(backend="keystone", group="fetcher")
        credentials = user.options() | ({"auth_url": url} if url else {})
        # As an operator does: the credentials are shared, in a section of their own.
        conf.load_raw_values(group="authinfos", **credentials)
        conf.config(group="fetcher_keystone", auth_section="authinfos", **options)
        return get_fetcher(conf.conf)

    return made


def test_projects_with_the_role_rating(
    cloud: Cloud, build: Build, service: User, projects: Projects
) -> None:
    fetcher = build()
    with cloud.domain() as domain:
        body = {"project": {"name": "p", "domain_id": domain}}
        elsewhere = cloud.call("POST", "/projects", body).json()["project"]["id"]
        cloud.grant(service.id, elsewhere, "rating")
        listed = [one["id"] for one in cloud.call("GET", "/projects").json()["projects"]]
        wanted = {projects.rated, projects.off, elsewhere}
        # Nobody else's projects: they have other service users. In the order of Keystone.
        assert fetcher.get_tenants() == [one for one in listed if one in wanted]


def test_the_role_can_be_ignored(build: Build, projects: Projects) -> None:
    found = build(ignore_rating_role=True).get_tenants()
    assert {*astuple(projects)} <= {*found}
    assert len(found) == len({*found})


def test_disabled_projects(build: Build, projects: Projects) -> None:
    assert build(ignore_disabled_tenants=True).get_tenants() == [projects.rated]
    found = build(ignore_disabled_tenants=True, ignore_rating_role=True).get_tenants()
    assert projects.plain in found
    assert projects.off not in found


def test_the_requests(cloud: Cloud, build: Build, service: User, projects: Projects) -> None:
    with proxy.before(cloud.url) as front:
        fetcher = build(url=front.url)
        assert front.lines() == ["GET /v3", "POST /v3/auth/tokens", "GET /v3"]
        assert projects.rated in fetcher.get_tenants()
        listing, roles, assignments = front.lines()
        assert listing == "GET /v3/projects"
        assert roles == "GET /v3/roles?name=rating"
        parts = urlsplit(assignments.removeprefix("GET "))
        assert parts.path == "/v3/role_assignments"
        assert parse_qs(parts.query) == {
            "user.id": [service.id],
            "role.id": [cloud.role("rating")],
        }
        fetcher.get_tenants()
        assert len(front.lines()) == 3
        fetcher = build(url=front.url, ignore_rating_role=True)
        front.lines()
        assert projects.rated in fetcher.get_tenants()
        assert front.lines() == ["GET /v3/projects"]


@pytest.mark.parametrize("path", ["/v3/roles", "/v3/role_assignments"])
def test_who_may_not_list_assignments_asks_for_each_project(
    cloud: Cloud, build: Build, service: User, projects: Projects, path: str
) -> None:
    kept = [projects.plain, projects.rated, projects.groups, projects.child]
    gone, off = projects.others, projects.off
    body = {"error": {"code": 403, "message": "You are not authorized", "title": "Forbidden"}}
    asked = f"/users/{service.id}/roles"

    def refuse(request: Request) -> Reply | None:
        if request.path == path:
            return Reply(403, body)
        if request.path == "/v3/projects":
            # Those of all other tests would be asked for one by one.
            listed = [{"id": one, "enabled": one != off} for one in (*kept, gone, off)]
            return Reply(200, {"projects": listed, "links": {}})
        # One that was removed in between.
        return Reply(404, body) if request.path.endswith(f"{gone}{asked}") else None

    with proxy.before(cloud.url, refuse) as front:
        fetcher = build(url=front.url, ignore_disabled_tenants=True)
        front.lines()
        assert fetcher.get_tenants() == [projects.rated]
        lines = front.lines()
    wanted = [f"GET /v3/projects/{one}{asked}" for one in (*kept, gone)]
    assert sorted(lines[-len(wanted) :]) == sorted(wanted)


def test_without_the_role_in_keystone_nothing_is_rated(
    cloud: Cloud, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(request: Request) -> Reply | None:
        return Reply(200, {"roles": []}) if request.path == "/v3/roles" else None

    with proxy.before(cloud.url, refuse) as front:
        assert build(url=front.url).get_tenants() == []
    assert "Keystone has no role 'rating'" in caplog.text


def test_a_list_in_pages(cloud: Cloud, build: Build, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(request: Request) -> Reply | None:
        if request.path != "/v3/projects":
            return None
        if request.fields.get("marker") == "a":
            return Reply(200, {"projects": [{"id": "b"}], "links": {"next": None}})
        following = f"{front.url}/projects?marker=a"
        return Reply(200, {"projects": [{"id": "a"}], "links": {"next": following}})

    with proxy.before(cloud.url, refuse) as front:
        fetcher = build(url=front.url, ignore_rating_role=True)
        assert fetcher.get_tenants() == ["a", "b"]
        front.refuse = lambda r: (
            Reply(200, {"projects": [{"id": "a"}], "truncated": True, "links": {}})
            if r.path == "/v3/projects"
            else None
        )
        assert fetcher.get_tenants() == ["a"]
        assert "cuts its list of projects off" in caplog.text


def test_a_rejected_token_is_renewed(cloud: Cloud, build: Build, projects: Projects) -> None:
    fetcher: Any = build()
    before = fetcher._session.get_token()
    cloud.revoke(before)
    assert projects.rated in fetcher.get_tenants()
    assert fetcher._session.get_token() != before


FAILURES = [
    (Reply(401, {"error": {"message": "who?"}}), r"who\? \(HTTP 401\)"),
    (Reply(403, {"error": {"message": "not you"}}), r"not you \(HTTP 403\)"),
    (Reply(500, "oops"), r"HTTP 500"),
    (Reply(503, "busy"), r"HTTP 503"),
    (Reply(200, "<html>"), "not what it must be"),
    (Reply(200, {}), "not what it must be"),
    (Reply(200, []), "not what it must be"),
    (Reply(200, {"projects": [{}]}), "not what it must be"),
    (Reply(200, {"projects": 7}), "not what it must be"),
    (Reply(200, "{", declared=99), "Unexpected exception for http"),
    (Reply(hang_up=True), "Unable to establish connection to http"),
]


@pytest.mark.usefixtures("quick")
def test_failures(cloud: Cloud, build: Build) -> None:
    # One fetcher for all of them: it takes a second to log in.
    with proxy.before(cloud.url) as front:
        fetcher = build(url=front.url, ignore_rating_role=True)
        for reply, reason in FAILURES:
            front.refuse = lambda r, x=reply: x if r.path == "/v3/projects" else None  # type: ignore[misc]
            with pytest.raises(KeystoneFetcherError, match=reason) as caught:
                fetcher.get_tenants()
            assert "\n" not in str(caught.value)
            assert caught.value.__cause__ is not None


@pytest.mark.usefixtures("quick")
def test_the_last_list_counts_for_a_period(
    conf: cfg_fixture.Config, cloud: Cloud, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.before(cloud.url) as front:
        fetcher: Any = build(url=front.url, ignore_rating_role=True)
        good = fetcher.get_tenants()
        front.refuse = lambda _request: Reply(500, "oops")
        assert fetcher.get_tenants() == good
        assert f"going on with the {len(good)} projects of 0 s ago" in caplog.text
        fetcher._last_at -= conf.conf.collect.period + 1
        with pytest.raises(KeystoneFetcherError, match="HTTP 500"):
            fetcher.get_tenants()
        front.refuse = proxy.nobody
        assert fetcher.get_tenants()


@pytest.mark.usefixtures("quick")
def test_a_moment_of_weakness_is_not_noticed(cloud: Cloud, build: Build) -> None:
    replies = [Reply(503, "busy"), Reply(hang_up=True), Reply(429, {"error": {}})]
    with proxy.before(cloud.url) as front:
        fetcher = build(url=front.url, ignore_rating_role=True)
        front.refuse = lambda _request: replies.pop(0) if replies else None
        assert fetcher.get_tenants()
        assert not replies


@pytest.mark.usefixtures("quick")
def test_keystone_may_be_away_at_start(
    cloud: Cloud, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    port = prometheus.free_port()
    fetcher = build(url=f"http://127.0.0.1:{port}/v3", ignore_rating_role=True)
    assert "Keystone cannot be used now, trying again later: Unable to establish" in caplog.text
    with pytest.raises(KeystoneFetcherError, match="Connection refused"):
        fetcher.get_tenants()
    with proxy.before(cloud.url, port=port):
        assert fetcher.get_tenants()


def test_a_keystone_that_hangs_does_not_hold_the_start(
    build: Build, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ck_keystone, "_BRIEF_TIMEOUT", 0.1)
    with webserver.serving(lambda _request: Reply(200, "{}", pause=1)) as server:
        build(url=f"{server.url}/v3")
    assert "timed out" in caplog.text


def test_a_wrong_password_is_told_at_start(cloud: Cloud, build: Build, service: User) -> None:
    wrong = User(cloud, service.id, service.name, "no such password", service.project_id)
    with pytest.raises(cfg.Error, match=rf"\[authinfos\]: Keystone at {cloud.url} refuses: .*401"):
        build(wrong)


@pytest.mark.parametrize("version", ["3", "v3", "3.0", "3.14"])
def test_versions_that_work(build: Build, version: str) -> None:
    assert isinstance(build(keystone_version=version, ignore_rating_role=True).get_tenants(), list)


@pytest.mark.parametrize("version", ["2", "2.0", "4", "3.99"])
def test_versions_that_there_are_not(build: Build, version: str) -> None:
    with pytest.raises(exceptions.VersionNotAvailable) as caught:
        build(keystone_version=version)
    assert str(caught.value) == (
        f"Could not find a suitable endpoint for client version: {version} "
        "([fetcher_keystone] keystone_version)"
    )


def test_a_version_that_is_none(build: Build) -> None:
    with pytest.raises(TypeError, match=r"^Invalid version specified: x$"):
        build(keystone_version="x")


def test_a_plugin_without_auth_url(conf: cfg_fixture.Config) -> None:
    conf.config(backend="keystone", group="fetcher")
    conf.config(group="fetcher_keystone", auth_type="none")
    with pytest.raises(cfg.Error, match=r"\[fetcher_keystone\] auth_type = none: has no auth_url"):
        get_fetcher(conf.conf)


def test_an_application_credential(
    conf: cfg_fixture.Config, cloud: Cloud, service: User, projects: Projects
) -> None:
    path = f"/users/{service.id}/application_credentials"
    made = requests.post(
        f"{cloud.url}{path}",
        json={"application_credential": {"name": f"ac-{cloud.suffix}"}},
        headers={"X-Auth-Token": service.token()},
        timeout=30,
    ).json()["application_credential"]
    cloud.remove_later(f"{path}/{made['id']}")
    conf.config(backend="keystone", group="fetcher")
    conf.load_raw_values(
        group="fetcher_keystone",
        auth_type="v3applicationcredential",
        auth_url=cloud.url.removesuffix("/v3"),
        application_credential_id=made["id"],
        application_credential_secret=made["secret"],
    )
    assert projects.rated in get_fetcher(conf.conf).get_tenants()
