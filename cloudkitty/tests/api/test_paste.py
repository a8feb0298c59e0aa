# SPDX-License-Identifier: Apache-2.0
"""The pipeline in front of the API: which files are found, and what its filters obey."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from cloudkitty.api import paste
from cloudkitty.tests.api import pipeline

ORIGIN = "http://dashboard.example.org"


@pytest.fixture(autouse=True)
def _database(sqlite_database):
    """The storage is built with the application."""


def test_filters_read_the_configuration_of_the_process(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path, cors={"allowed_origin": [ORIGIN]})

    answer = app.get("/", headers={"Origin": ORIGIN})

    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert exposed == "X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID"


def test_the_paste_file_wins(conf, tmp_path):
    file = tmp_path / "api_paste.ini"
    theirs = "oslo_middleware.cors:filter_factory\nallowed_origin = http://theirs.example.org"
    file.write_text(pipeline.TRUSTING.replace("oslo_middleware.cors:filter_factory", theirs))
    app = pipeline.load(conf, file, cors={"allowed_origin": [ORIGIN]})

    assert "Access-Control-Allow-Origin" not in app.get("/", headers={"Origin": ORIGIN}).headers
    answer = app.get("/", headers={"Origin": "http://theirs.example.org"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://theirs.example.org"


def test_preflight_is_answered_for_any_path(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path, cors={"allowed_origin": [ORIGIN]})

    answer = app.options(
        "/v2/summary",
        headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"},
    )

    assert (answer.status_int, answer.body) == (200, b"")
    assert answer.headers["Access-Control-Allow-Methods"] == "PATCH"
    assert answer.headers["Access-Control-Max-Age"] == "3600"


PROXY = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "pub.example.com",
    "X-Forwarded-Prefix": "/rating",
}


def test_headers_of_proxies_are_ignored_by_default(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path)

    href = app.get("/", headers=PROXY).json["versions"][0]["links"][0]["href"]

    assert href == "http://localhost:80/v1"


def test_headers_of_proxies_are_obeyed_when_told_so(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path, oslo_middleware={"enable_proxy_headers_parsing": True})

    href = app.get("/", headers=PROXY).json["versions"][0]["links"][0]["href"]

    assert href == "https://pub.example.com/rating/v1"


def test_health_is_beside_the_api(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path)

    answer = app.get("/healthcheck")

    assert answer.text == "OK"
    assert "x-openstack-request-id" not in answer.headers


def test_every_answer_has_a_request_id(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path)

    for path in ("/", "/v1/nothing", "/v2/nothing", "/nothing"):
        answer = app.get(path, expect_errors=True)
        assert answer.headers["x-openstack-request-id"].startswith("req-"), path


def test_older_files_call_the_pipelines_themselves_so(conf, tmp_path):
    file = tmp_path / "old.ini"
    file.write_text(
        "[pipeline:cloudkitty+noauth]\npipeline = request_id ck_api\n"
        "[app:ck_api]\npaste.app_factory = cloudkitty.api.app:app_factory\n"
        "[filter:request_id]\npaste.filter_factory = oslo_middleware:RequestId.factory\n"
    )
    app = pipeline.load(conf, file, auth="noauth")

    assert app.get("/v2/summary").json["total"] == 0


def test_version_one_of_the_storage_hides_v2(conf, tmp_path):
    app = pipeline.trusting(conf, tmp_path, storage={"version": 1})

    assert [version["id"] for version in app.get("/").json["versions"]] == ["v1"]
    assert app.get("/v2/summary", expect_errors=True).status_int == 404


def test_a_missing_file_is_named(conf):
    conf.config(api_paste_config="nothing.ini")

    with pytest.raises(cfg.ConfigFilesNotFoundError, match=r"nothing\.ini"):
        paste.find(cfg.CONF)


def test_a_relative_name_is_found_beside_the_configuration_file(tmp_path):
    config = tmp_path / "ck.conf"
    config.write_text("[DEFAULT]\n")
    (tmp_path / "mine.ini").write_text("")
    own = cfg.ConfigOpts()
    own.register_opt(cfg.StrOpt("api_paste_config", default="mine.ini"))
    own(["--config-file", str(config)], project="cloudkitty-test")

    assert paste.find(own) == str(tmp_path / "mine.ini")
