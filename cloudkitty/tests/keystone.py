# SPDX-License-Identifier: Apache-2.0
"""A real Keystone for tests: projects, users and tokens of one test's own.

::

    with keystone.cloud() as cloud:
        alice = cloud.user(cloud.project(), ["member"])
        app.get("/v2/summary", headers={"X-Auth-Token": alice.token()})

``tools/services.sh`` starts it; without it the test is skipped, or fails where services are
required. Tests share the server: every name has a suffix of its own, and what a test has made is
removed at its end.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from cloudkitty.tests import services

VARIABLE = "CLOUDKITTY_TEST_KEYSTONE_URL"
_DOMAIN = "default"


@dataclass(frozen=True)
class User:
    """Somebody with a password and roles in one project (None: in none)."""

    cloud: Cloud
    id: str
    name: str
    password: str
    project_id: str | None

    def token(self, *, scoped: bool = True) -> str:
        """Give a new token, for the user's project unless `scoped` is false."""
        scope = {"project": {"id": self.project_id}} if scoped and self.project_id else "unscoped"
        return self.cloud.issue(self.name, self.password, scope)

    def short_token(self, seconds: float) -> str:
        """Give a token that expires then: that of an application credential which does."""
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
        path = f"/users/{self.id}/application_credentials"
        body = {"name": uuid.uuid4().hex, "expires_at": expires.replace(tzinfo=None).isoformat()}
        answer = requests.post(
            f"{self.cloud.url}{path}",
            json={"application_credential": body},
            headers={"X-Auth-Token": self.token()},
            timeout=30,
        )
        assert answer.ok, answer.text
        made = answer.json()["application_credential"]
        self.cloud.remove_later(f"{path}/{made['id']}")
        kind = "application_credential"
        return self.cloud.authenticate(
            {"methods": [kind], kind: {"id": made["id"], "secret": made["secret"]}}
        )

    def options(self) -> dict[str, str]:
        """Give the options of a section with these credentials (``auth_type`` and so on)."""
        return {
            "auth_type": "password",
            "auth_url": self.cloud.url,
            "username": self.name,
            "password": self.password,
            "user_domain_id": _DOMAIN,
            "project_id": self.project_id or "",
        }

    def environment(self, region: str = "RegionOne") -> dict[str, str]:
        """Give the variables that command line clients read."""
        return {
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": self.cloud.url,
            "OS_IDENTITY_API_VERSION": "3",
            "OS_USERNAME": self.name,
            "OS_PASSWORD": self.password,
            "OS_PROJECT_ID": self.project_id or "",
            "OS_USER_DOMAIN_ID": _DOMAIN,
            "OS_REGION_NAME": region,
        }


class Cloud:
    """The administrator's view of the server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"
        self.suffix = uuid.uuid4().hex[:12]
        self._http = requests.Session()
        self._made: list[str] = []
        scope = {"project": {"name": "admin", "domain": {"id": _DOMAIN}}}
        token = self.issue(parts.username or "", parts.password or "", scope)
        self._http.headers["X-Auth-Token"] = token

    def project(self, name: str = "project", domain: str = _DOMAIN, **attributes: Any) -> str:
        """Make a project; gives its id. `attributes` are more of its attributes."""
        full = f"{name}-{self.suffix}-{len(self._made)}"
        body = {"name": full, "domain_id": domain, **attributes}
        found: str = self._make("projects", "project", body)["id"]
        return found

    @contextlib.contextmanager
    def domain(self) -> Iterator[str]:
        """Make a domain for the block; at its end all that is in it goes too."""
        body = {"name": f"domain-{self.suffix}-{len(self._made)}"}
        found: str = self.call("POST", "/domains", {"domain": body}).json()["domain"]["id"]
        try:
            yield found
        finally:
            self.call("PATCH", f"/domains/{found}", {"domain": {"enabled": False}})
            self.call("DELETE", f"/domains/{found}")

    def role(self, name: str) -> str:
        """Give the id of a role, made if there is none."""
        found = self.call("GET", f"/roles?name={name}").json()["roles"]
        if found:
            known: str = found[0]["id"]
            return known
        # Shared by all tests, so it stays.
        made: str = self.call("POST", "/roles", {"role": {"name": name}}).json()["role"]["id"]
        return made

    def user(self, project_id: str | None, roles: Sequence[str], name: str = "user") -> User:
        """Make a user with roles in a project."""
        full, password = f"{name}-{self.suffix}-{len(self._made)}", uuid.uuid4().hex
        body = {"name": full, "password": password, "domain_id": _DOMAIN}
        found = self._make("users", "user", body)
        for role in roles:
            self.grant(found["id"], project_id, role)
        return User(self, found["id"], full, password, project_id)

    def grant(self, user: str, project: str | None, role: str, kind: str = "users") -> None:
        """Give a role in a project to a user (`kind` ``groups``: to a group)."""
        self.call("PUT", f"/projects/{project}/{kind}/{user}/roles/{self.role(role)}")

    def endpoint(self, kind: str, url: str | Mapping[str, str]) -> str:
        """Put a service into the catalogue, in a region of its own; gives the region.

        `url` is that of all interfaces, or has one for each.
        """
        region = f"region-{self.suffix}-{len(self._made)}"
        self.call("POST", "/regions", {"region": {"id": region}})
        self.remove_later(f"/regions/{region}")
        service = self._make("services", "service", {"type": kind, "name": f"ck-{self.suffix}"})
        for interface in ("public", "internal", "admin"):
            body = {
                "service_id": service["id"],
                "interface": interface,
                "url": url if isinstance(url, str) else url[interface],
                "region_id": region,
            }
            self._make("endpoints", "endpoint", body)
        return region

    def revoke(self, token: str) -> None:
        """Make a token worthless."""
        self.call("DELETE", "/auth/tokens", headers={"X-Subject-Token": token})

    def issue(self, name: str, password: str, scope: Any) -> str:
        """Give a token for a password."""
        user = {"name": name, "password": password, "domain": {"id": _DOMAIN}}
        return self.authenticate({"methods": ["password"], "password": {"user": user}}, scope)

    def authenticate(self, identity: dict[str, Any], scope: Any = None) -> str:
        """Give a token for any way to say who one is."""
        auth = {"identity": identity, **({"scope": scope} if scope else {})}
        # Not as the administrator: a token in the header would be another way.
        answer = requests.post(f"{self.url}/auth/tokens", json={"auth": auth}, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def authtoken(self) -> dict[str, str]:
        """Give the options of ``[keystone_authtoken]``, for a service user made for this."""
        user = self.user(self.project("service"), ["service"], name="cloudkitty")
        return {"www_authenticate_uri": self.url, **user.options()}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send a request as the administrator; every refusal fails the test."""
        answer = self._http.request(
            method, f"{self.url}{path}", json=body, headers=headers, timeout=30
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def remove_later(self, path: str) -> None:
        """Have something removed at the end, before what has been made so far."""
        self._made.append(path)

    def close(self) -> None:
        """Remove what was made, the last first."""
        for path in reversed(self._made):
            self._http.delete(f"{self.url}{path}", timeout=30)
        self._http.close()

    def _make(self, collection: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.call("POST", f"/{collection}", {kind: body}).json()[kind]
        self.remove_later(f"/{collection}/{found['id']}")
        return found


@contextlib.contextmanager
def cloud() -> Iterator[Cloud]:
    """Give the server to a test; what it makes is removed afterwards."""
    found = Cloud(services.env(VARIABLE))
    try:
        yield found
    finally:
        found.close()
