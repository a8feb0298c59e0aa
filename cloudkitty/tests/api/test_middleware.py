# SPDX-License-Identifier: Apache-2.0
"""Tokens: the shipped pipeline asks a server that speaks Keystone's protocol."""

from __future__ import annotations

import pytest
import webtest
from oslo_config import cfg

from cloudkitty.api import middleware
from cloudkitty.api.app import app_factory
from cloudkitty.policies import enforcer
from cloudkitty.tests import webserver

ROLES = {
    "admin-token": ("project-admin", ["admin", "member", "reader"]),
    "alice-token": ("project-a", ["member", "reader"]),
}


def keystone(request: webserver.Request) -> webserver.Reply:
    """Answer as Keystone does to what keystonemiddleware asks."""
    host = request.headers.get("Host", "")
    if request.path in {"/", "/v3", "/v3/"}:
        version = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"http://{host}/v3/"}],
            "media-types": [],
        }
        body = {"version": version} if "v3" in request.path else {"versions": {"values": [version]}}
        return webserver.Reply(200 if "v3" in request.path else 300, body)
    if request.method == "POST":
        return webserver.Reply(
            201, token("service", ["service"], host), {"X-Subject-Token": "service-token"}
        )
    subject = request.headers.get("X-Subject-Token", "")
    if subject not in ROLES:
        return webserver.Reply(404, {"error": {"code": 404, "title": "Not Found"}})
    return webserver.Reply(200, token(*ROLES[subject], host), {"X-Subject-Token": subject})


def token(project: str, roles: list[str], host: str) -> dict:
    domain = {"id": "default", "name": "Default"}
    endpoint = {"id": "e", "region": "R", "region_id": "R", "url": f"http://{host}/v3"}
    return {
        "token": {
            "methods": ["password"],
            "user": {"id": f"user-of-{project}", "name": "somebody", "domain": domain},
            "project": {"id": project, "name": project, "domain": domain},
            "roles": [{"id": role, "name": role} for role in roles],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "audit_ids": ["a"],
            "catalog": [
                {
                    "type": "identity",
                    "name": "keystone",
                    "id": "k",
                    "endpoints": [
                        {**endpoint, "interface": interface}
                        for interface in ("public", "internal", "admin")
                    ],
                }
            ],
        }
    }


@pytest.fixture
def identity():
    with webserver.serving(keystone) as server:
        yield server


@pytest.fixture
def app(conf, identity, sqlite_database, tmp_path):
    return load(conf, tmp_path, identity.url)


def load(conf, directory, url, **options):
    """Give the application behind the filter, which has a configuration of its own.

    Plugins of Keystone add options that are required, which other tests do not set.
    """
    options = options or {
        "www_authenticate_uri": "http://public.example.org",
        "auth_type": "password",
        "auth_url": url,
        "username": "cloudkitty",
        "password": "secret",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "project_name": "service",
    }
    file = directory / "keystone.conf"
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    file.write_text(f"[keystone_authtoken]\n{lines}")
    own = cfg.ConfigOpts()
    own(["--config-file", str(file)], project="cloudkitty-test")
    conf.config(auth_strategy="keystone")
    enforcer.reset()
    factory = middleware.AuthTokenMiddleware.factory(
        {"oslo_config_config": own}, acl_public_routes="/, /v1, /v2"
    )
    return webtest.TestApp(factory(app_factory({})))


def get(app, path, token=None, **headers):
    if token:
        headers["X-Auth-Token"] = token
    return app.get(path, headers=headers, expect_errors=True)


@pytest.mark.parametrize("token", [None, "unknown"])
@pytest.mark.parametrize("path", ["/v2/summary", "/v1/rating/modules", "/v2/nothing"])
def test_without_a_good_token(app, path, token):
    answer = get(app, path, token)

    assert answer.status_int == 401
    assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://public.example.org"'
    assert answer.json["error"]["code"] == 401


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/v1", 405), ("/v1/", 405), ("/v2/", 404)]
)
def test_public_paths_need_none(app, path, status):
    assert get(app, path).status_int == status


def test_roles_come_from_the_token(app):
    assert get(app, "/v1/rating/modules", "admin-token").status_int == 200
    assert get(app, "/v2/scope", "alice-token").status_int == 403
    assert get(app, "/v2/summary", "alice-token").status_int == 200


def test_roles_that_a_client_sends_do_not_count(app):
    spoofed = {"X-Roles": "admin", "X-Project-Id": "other"}

    assert get(app, "/v1/rating/modules", "alice-token", **spoofed).status_int == 403


def test_keystone_away_is_503(conf, sqlite_database, tmp_path):
    with webserver.serving(keystone) as server:
        app = load(conf, tmp_path, server.url)

    answer = get(app, "/v2/summary", "alice-token")

    assert answer.status_int == 503
    assert "127.0.0.1" not in answer.text


def test_no_way_to_ask_keystone_is_refused(conf, sqlite_database, tmp_path):
    with pytest.raises(ValueError, match=r"\[keystone_authtoken\] auth_type is not set"):
        load(conf, tmp_path, "", www_authenticate_uri="http://public.example.org")
