# SPDX-License-Identifier: Apache-2.0
"""The shipped pipeline in a server process, with a real Keystone: who gets in, and sees what."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from cloudkitty.tests import keystone
from cloudkitty.tests.api import pipeline
from cloudkitty.tests.conformance import server
from cloudkitty.tests.keystone import Cloud, User

pytestmark = pytest.mark.service

NOVEMBER = {"begin": "2026-11-01", "end": "2026-12-01"}
CONFIGURATION = """
[DEFAULT]
auth_strategy = keystone
api_paste_config = {paste}
[api]
workers = 1
[collect]
metrics_conf = {metrics}
[database]
connection = sqlite:///{directory}/ck.sqlite
[orchestrator]
coordination_url = file://{directory}/locks
[keystone_authtoken]
{authtoken}
"""


class Site:
    """The API, two projects with a point each, and people."""

    def __init__(self, url: str, cloud: Cloud) -> None:
        self.url = url
        self.cloud = cloud
        self.admin = cloud.user(cloud.project(), ["admin"])
        self.projects = [cloud.project("a"), cloud.project("b")]
        self.members = [cloud.user(project, ["member"]) for project in self.projects]
        self.reader = cloud.user(self.projects[0], ["reader"])

    def get(self, path: str, token: str | None = None, **query: str) -> requests.Response:
        headers = {"X-Auth-Token": token} if token else {}
        return requests.get(f"{self.url}{path}", params=query, headers=headers, timeout=30)

    def post(self, token: str) -> requests.Response:
        period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
        points = [
            {
                "vol": {"unit": "u", "qty": 1},
                "groupby": {"id": f"r-{number}", "project_id": project},
                "metadata": {},
            }
            for number, project in enumerate(self.projects)
        ]
        return requests.post(
            f"{self.url}/v2/dataframes",
            json={"dataframes": [{"period": period, "usage": {"cpu": points}}]},
            headers={"X-Auth-Token": token},
            timeout=30,
        )

    def ids(self, token: str, **query: str) -> set[str]:
        """Ids of the resources whose points are seen."""
        answer = self.get("/v2/dataframes", token, **NOVEMBER, **query)
        if answer.status_code == 404:
            return set()
        assert answer.status_code == 200, answer.text
        return {
            point["groupby"]["id"]
            for frame in answer.json()["dataframes"]
            for points in frame["usage"].values()
            for point in points
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("keystone")
    with keystone.cloud() as cloud:
        options = "\n".join(f"{name} = {value}" for name, value in cloud.authtoken().items())
        config = directory / "cloudkitty.conf"
        config.write_text(
            CONFIGURATION.format(
                paste=pipeline.SHIPPED,
                metrics=pipeline.SHIPPED.with_name("metrics.yml"),
                directory=directory,
                authtoken=options,
            )
        )
        with server.serving(config) as url:
            site = Site(url, cloud)
            assert site.post(site.admin.token()).status_code == 204
            yield site


@pytest.mark.parametrize("token", [None, "wrong", "gAAAAA" + "x" * 177])
@pytest.mark.parametrize("path", ["/v1/rating/modules", "/v2/summary", "/v2/no/such"])
def test_without_a_good_token(site: Site, path: str, token: str | None) -> None:
    answer = site.get(path, token)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{site.cloud.url}"'
    assert answer.json()["error"]["code"] == 401


def test_expired_and_revoked_tokens(site: Site) -> None:
    expired, revoked = site.reader.short_token(2), site.reader.token()
    assert site.get("/v2/summary", expired).status_code == 200
    site.cloud.revoke(revoked)

    assert site.get("/v2/summary", revoked).status_code == 401
    deadline = time.monotonic() + 30
    while site.get("/v2/summary", expired).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert site.get("/v2/summary", expired).status_code == 401


@pytest.mark.parametrize("path", ["/", "/healthcheck", "/v2/openapi.json"])
def test_what_needs_no_token(site: Site, path: str) -> None:
    assert site.get(path).status_code == 200


def test_what_each_role_may_do(site: Site) -> None:
    member, other = site.members
    calls = ("/v2/summary", "/v2/scope", "/v1/rating/modules", "/v1/info/config")
    nobody = site.cloud.user(site.projects[0], ["service"])

    def statuses(user: User) -> list[int]:
        token = user.token()
        return [site.get(path, token).status_code for path in calls]

    assert statuses(site.admin) == [200, 404, 200, 200]
    assert statuses(member) == [200, 403, 403, 200]
    assert statuses(site.reader) == [200, 403, 403, 200]
    assert statuses(nobody) == [403, 403, 403, 200]
    assert site.post(other.token()).status_code == 403
    assert site.get("/v2/summary", member.token(scoped=False)).status_code == 403


def test_everybody_sees_their_own_project(site: Site) -> None:
    a, b = (member.token() for member in site.members)

    assert site.ids(site.admin.token()) == {"r-0", "r-1"}
    assert site.ids(a) == site.ids(site.reader.token()) == {"r-0"}
    assert site.ids(b) == {"r-1"}
    # A filter on another project is replaced, one on its resource finds nothing.
    assert site.ids(a, filters=f"project_id:{site.projects[1]}") == {"r-0"}
    assert site.ids(a, filters="id:r-1") == set()
    rows = site.get("/v2/summary", a, groupby="project_id", **NOVEMBER).json()["results"]
    assert [row[-1] for row in rows] == [site.projects[0]]


def test_headers_that_a_client_sends_do_not_count(site: Site) -> None:
    spoofed = {"X-Auth-Token": site.reader.token(), "X-Roles": "admin", "X-Is-Admin": "True"}

    answer = requests.get(f"{site.url}/v2/scope", headers=spoofed, timeout=30)

    assert answer.status_code == 403
