# SPDX-License-Identifier: Apache-2.0
"""``auth_strategy = http_basic``: names and passwords in place of Keystone."""

from __future__ import annotations

import base64

import bcrypt
import pytest
import requests
from oslo_config import cfg
from oslo_middleware import basic_auth as oslo_basic_auth

from cloudkitty.api import basic_auth
from cloudkitty.tests.api import pipeline
from cloudkitty.tests.conformance import server

USERS = ["root - admin", "alice project-a member,reader", "watcher project-b reader"]
PASSWORD = "correct: horse"


def digest(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def entry(name: str, password: str = PASSWORD) -> str:
    return f"{name}:{digest(password)}\n"


@pytest.fixture
def htpasswd(tmp_path):
    file = tmp_path / "htpasswd"
    names = ("root", "alice", "watcher", "stranger", "jürgen")
    file.write_text("# users\n" + "".join(map(entry, names)))
    return file


@pytest.fixture
def app(conf, sqlite_database, htpasswd):
    return load(conf, htpasswd)


def load(conf, file, users=USERS):
    cfg.CONF.register_opts(oslo_basic_auth.OPTS, group="oslo_middleware")
    return pipeline.load(
        conf,
        pipeline.SHIPPED,
        auth="http_basic",
        oslo_middleware={"http_basic_auth_user_file": str(file)},
        api={"http_basic_user": users},
    )


def credentials(name, password=PASSWORD):
    pair = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def get(app, path, headers):
    return app.get(path, headers=headers, expect_errors=True)


def statuses(app, headers):
    paths = ("/v2/summary", "/v2/scope", "/v1/rating/modules")
    return [get(app, path, headers).status_int for path in paths]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        credentials("alice", "wrong"),
        credentials("alice", ""),
        credentials("alice", "x" * 100),
        credentials("nobody"),
        credentials(""),
        credentials("# users"),
        credentials("al"),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"alice").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff:\xff").decode()},
        {"Authorization": "Bearer x"},
        {"X-User-Id": "root", "X-Roles": "admin", "X-Auth-Token": "x"},
    ],
)
@pytest.mark.parametrize("path", ["/v2/summary", "/v1/rating/modules", "/v2/nothing"])
def test_who_gets_in(app, path, headers):
    answer = get(app, path, headers)

    assert answer.status_int == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert answer.content_type == "application/json"
    assert answer.json["error"]["code"] == 401
    assert answer.headers["X-OpenStack-Request-ID"].startswith("req-")


def test_roles_and_projects_come_from_the_configuration(app):
    assert statuses(app, credentials("root")) == [200, 404, 200]
    assert statuses(app, credentials("alice")) == [200, 403, 403]
    assert statuses(app, credentials("watcher")) == [200, 403, 403]
    assert statuses(app, credentials("stranger")) == [403, 403, 403]
    assert statuses(app, credentials("jürgen")) == [403, 403, 403]


def test_everybody_sees_their_own_project(app):
    points = [
        {"vol": {"unit": "u", "qty": 1}, "groupby": {"project_id": name}, "metadata": {}}
        for name in ("project-a", "project-b")
    ]
    period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
    body = {"dataframes": [{"period": period, "usage": {"cpu": points}}]}
    app.post_json("/v2/dataframes", body, headers=credentials("root"), status=204)
    app.post_json("/v2/dataframes", body, headers=credentials("alice"), status=403)
    query = "/v2/summary?begin=2026-11-01&end=2026-12-01&groupby=project_id"

    def seen(name, **headers):
        answer = get(app, query, {**credentials(name), **headers})
        return [row[-1] for row in answer.json["results"]]

    assert seen("root") == ["project-a", "project-b"]
    assert seen("alice") == ["project-a"]
    assert seen("watcher") == ["project-b"]
    spoofed = {"X-Project-Id": "project-b", "X-Roles": "admin", "OpenStack-System-Scope": "all"}
    assert seen("alice", **spoofed) == ["project-a"]


@pytest.mark.parametrize("path", ["/", "/healthcheck", "/v2/openapi.json"])
def test_what_everybody_may_ask(app, path):
    assert get(app, path, {"X-Roles": "admin"}).status_int == 200


def test_a_password_can_be_changed_and_a_user_removed(app, htpasswd):
    assert get(app, "/v2/summary", credentials("alice")).status_int == 200
    htpasswd.write_text(entry("alice", "new") + entry("root"))

    assert get(app, "/v2/summary", credentials("alice")).status_int == 401
    assert get(app, "/v2/summary", credentials("alice", "new")).status_int == 200
    assert get(app, "/v2/summary", credentials("watcher")).status_int == 401


def test_good_passwords_are_not_worked_out_again(app, monkeypatch):
    assert get(app, "/v2/summary", credentials("alice")).status_int == 200
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_args: False)

    assert get(app, "/v2/summary", credentials("alice")).status_int == 200
    assert get(app, "/v2/summary", credentials("alice", "wrong")).status_int == 401


def test_a_file_that_is_gone_is_503(app, htpasswd):
    htpasswd.unlink()

    answer = get(app, "/v2/summary", credentials("alice"))

    assert answer.status_int == 503
    assert str(htpasswd) not in answer.text


@pytest.mark.parametrize(
    ("content", "users", "says"),
    [
        (None, USERS, "http_basic_auth_user_file .*: No such file"),
        ("alice:{SHA}abc\n", USERS, "Only bcrypt digested passwords are supported for alice"),
        ("", ["alice project-a"], "expected 'NAME PROJECT ROLE"),
        ("", ["a - admin", "a - reader"], "'a' comes twice"),
    ],
)
def test_what_is_wrong_is_said_at_once(conf, sqlite_database, tmp_path, content, users, says):
    file = tmp_path / "users"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ValueError, match=says):
        load(conf, file, users)


def test_users():
    assert basic_auth.users(["a - admin,,reader"]) == {
        "a": basic_auth.User(None, ("admin", "reader"))
    }


def test_a_server_process(tmp_path, htpasswd):
    config = tmp_path / "cloudkitty.conf"
    config.write_text(
        f"[DEFAULT]\nauth_strategy = http_basic\napi_paste_config = {pipeline.SHIPPED}\n"
        f"[database]\nconnection = sqlite:///{tmp_path}/ck.sqlite\n"
        f"[oslo_middleware]\nhttp_basic_auth_user_file = {htpasswd}\n"
        "[api]\nworkers = 1\nhttp_basic_user = root - admin\nhttp_basic_user = bob b reader\n"
    )

    with server.serving(config) as url:
        modules = f"{url}/v1/rating/modules"
        assert requests.get(modules, auth=("root", PASSWORD), timeout=30).status_code == 200
        assert requests.get(modules, auth=("root", "no"), timeout=30).status_code == 401
        assert requests.get(modules, timeout=30).status_code == 401
