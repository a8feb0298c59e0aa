# SPDX-License-Identifier: Apache-2.0
"""Scripts over HTTP (contract api.md 8, D3, D7, D8, D10, D13, D16, D20 to D22)."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE, NOBODY, fault

P = "/v1/rating/module_config/pyscripts"
S = f"{P}/scripts"
KEYS = [
    "script_id", "name", "data", "checksum", "created_at", "start", "end", "description",
    "deleted", "created_by", "updated_by", "deleted_by",
]  # fmt: skip
TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
LATER = (dt.datetime.now(dt.UTC) + dt.timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%S")
UNKNOWN = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def make(api, name="one", data="x = 1\n", **attributes):
    answer = api.post(S, {"name": name, "data": data, **attributes})
    assert answer.status_int == 201, answer.text
    return answer.json


def test_a_script_with_all_defaults(any_api):
    answer = any_api.post(S, {"name": "ü 1", "data": "# ü\n"})
    assert answer.status_int == 201
    made = answer.json
    assert list(made) == KEYS
    assert made["checksum"] == hashlib.sha512("# ü\n".encode()).hexdigest()
    assert made["start"] == made["created_at"]
    assert (made["end"], made["created_by"], made["updated_by"]) == (None, "user-admin", None)
    assert answer.headers["Location"] == f"http://localhost{S}/{made['script_id']}"
    assert any_api.get(f"{S}/{made['script_id']}").json == made
    assert any_api.get(S).json == {"scripts": [made]}


def test_a_list_without_sources(any_api):
    made = make(any_api)
    del made["data"]
    assert any_api.get(f"{S}?no_data=true").json == {"scripts": [made]}
    assert "data" in any_api.get(f"{S}?no_data=false").json["scripts"][0]
    fault(any_api.get(f"{S}?no_data=maybe"), 400)
    fault(any_api.get(f"{S}?unknown=1"), 400)


def test_large_sources(any_api):
    data = "".join(f"x{i} = {hashlib.sha512(str(i).encode()).hexdigest()!r}\n" for i in range(3000))
    made = make(any_api, data=data)
    assert any_api.get(f"{S}/{made['script_id']}").json["data"] == data


@pytest.mark.parametrize("source", ["for for", "x = (", "\x00", "\ufeffx = 1", "9" * 5000])
def test_a_source_that_cannot_be_compiled_is_stored_with_a_warning(api, source, caplog):
    made = make(api, data=source)
    assert api.get(f"{S}/{made['script_id']}").json["data"] == source
    warned = "scopes it applies to will fail: script 'one', line 1: " in caplog.text
    assert warned == (source != "\ufeffx = 1")


def test_storing_a_script_does_not_run_it(api, tmp_path):
    target = tmp_path / "ran"
    made = make(api, data=f"open({str(target)!r}, 'w')", start=TOMORROW)
    body = {"name": "one", "data": f"open({str(target)!r}, 'a')"}
    assert api.put(f"{S}/{made['script_id']}", body).status_int == 201
    assert not target.exists()


def test_a_script_can_be_stored_where_none_can_run(api, conf, caplog):
    conf.config(group="pyscripts", interpreter="/no/such/python")
    make(api)
    assert "stored without being checked: cannot start /no/such/python" in caplog.text


def test_names_are_unique_among_the_living(any_api):
    made = make(any_api)
    text = f"Script one already exists (UUID: {made['script_id']})"
    assert fault(any_api.post(S, {"name": "one", "data": ""}), 409) == text
    make(any_api, "One")
    make(any_api, "one ")
    for _ in range(2):
        assert any_api.delete(f"{S}/{made['script_id']}").status_int == 204
        again = make(any_api)
        assert again["script_id"] != made["script_id"]
        made = again
    assert len(any_api.get(f"{S}?deleted=true").json["scripts"]) == 5


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": "a"}, "data"),
        ({"name": "a", "data": None}, "data"),
        ({"name": "a", "data": 5}, "data"),
        ({"name": "a", "data": "\ud800"}, "data"),
        ({"data": "x"}, "name"),
        ({"name": None, "data": "x"}, "name"),
        ({"name": "", "data": "x"}, "name"),
        ({"name": "n" * 256, "data": "x"}, "name"),
        ({"name": "a\x00", "data": "x"}, "name"),
        ({"name": "a", "data": "x", "checksum": "1"}, "Cannot set read only field"),
        ({"name": "a", "data": "x", "description": "d" * 257}, "description"),
        ({"name": "a", "data": "x", "start": "2030-13-01"}, "start"),
        ({"name": "a", "data": "x", "start": "2020-01-01"}, "start in the past"),
        ({"name": "a", "data": "x", "end": "2020-01-01"}, "start after end"),
        ({"name": "a", "data": "x", "tenant_id": "t"}, "tenant_id"),
        ([], ""),
    ],
)
def test_what_cannot_be_made(any_api, body, named):
    assert named in fault(any_api.post(S, body), 400)
    assert any_api.get(S).json == {"scripts": []}


def test_a_body_is_needed(api):
    fault(api("POST", S, headers={"Content-Type": "application/json"}), 400)


def test_dates_of_scripts(any_api):
    made = make(any_api, start=f"{TOMORROW}+02:00", end=LATER[:10])
    start = dt.datetime.fromisoformat(TOMORROW) - dt.timedelta(hours=2)
    assert made["start"] == start.isoformat()
    assert made["end"] == f"{LATER[:10]}T23:59:59"
    answer = any_api.post(f"{S}?force=true", {"name": "b", "data": "", "start": "2020-01-01"})
    assert answer.json["start"] == "2020-01-01T00:00:00"


def test_filters(api):
    def names(query):
        return [script["name"] for script in api.get(f"{S}?{query}").json["scripts"]]

    make(api, "now", description="Hello 100%")
    make(api, "later", start=TOMORROW, end=LATER, description="hello you")
    gone = make(api, "gone")
    api.delete(f"{S}/{gone['script_id']}")
    assert names("") == ["now", "later"]
    assert names("deleted=true") == ["now", "later", "gone"]
    assert names("deleted=true&deleted_by=user-admin") == ["gone"]
    assert names("description=HELLO") == ["now", "later"]
    assert names("description=%25") == ["now"]
    assert names("created_by=nobody") == []
    assert names("is_active=true&deleted=true") == ["now"]
    assert names(f"start={TOMORROW}") == ["later"]
    assert names(f"end={LATER[:8]}01") == names("end=2100-01-01")[:0]
    assert names("end=2100-01-01") == ["later"]


def test_one_that_has_not_started_can_be_rewritten(any_api):
    made = make(any_api, start=TOMORROW, end=LATER, description="d")
    url = f"{S}/{made['script_id']}"
    answer = any_api.put(url, {"name": "other", "data": "y = 2"})
    assert answer.status_int == 201
    assert answer.headers["Location"] == f"http://localhost{url}"
    changed = answer.json
    assert changed == {
        **made,
        "data": "y = 2",
        "checksum": hashlib.sha512(b"y = 2").hexdigest(),
        "end": None,
        "description": None,
        "updated_by": "user-admin",
    }
    assert any_api.put(url, {"name": "x", "end": LATER}).json["data"] == "y = 2"
    assert any_api.put(url, {"name": "x", "data": ""}).json["data"] == ""
    fault(any_api.put(url, {"name": "x", "start": "2020-01-01"}), 400)
    fault(any_api.put(url, {"name": "x", "end": "2020-01-01"}), 400)
    fault(any_api.put(url, {"data": "x"}), 400)


def test_the_whole_object_sent_back_changes_nothing(any_api):
    for number, attributes in enumerate(({}, {"start": TOMORROW, "end": LATER})):
        made = make(any_api, f"s{number}", **attributes)
        body = {name: value for name, value in made.items() if name != "checksum"}
        for _ in range(2):
            answer = any_api.put(f"{S}/{made['script_id']}", body)
            assert answer.status_int == 201
            assert answer.json == made


def test_one_that_runs_can_be_given_an_end_once(any_api):
    made = make(any_api)
    url = f"{S}/{made['script_id']}"
    for wrong in ({"data": "x = 2"}, {"name": "two"}, {"description": "d"}, {"start": TOMORROW}):
        assert "[end]" in fault(any_api.put(url, {"name": "one", **wrong}), 400)
    assert "in the future" in fault(any_api.put(url, {"name": "one", "end": "2020-01-01"}), 400)
    body = {name: value for name, value in made.items() if name != "checksum"}
    for _ in range(2):
        changed = any_api.put(url, {**body, "end": LATER})
        assert changed.status_int == 201
        assert changed.json == {**made, "end": LATER, "updated_by": "user-admin"}
    assert "defined end date" in fault(any_api.put(url, {"name": "one", "end": TOMORROW}), 400)


@pytest.mark.parametrize("method", ["get", "delete", "put"])
def test_one_that_is_not_there(any_api, method):
    made = make(any_api)
    any_api.delete(f"{S}/{made['script_id']}")
    for script_id in (made["script_id"], UNKNOWN, "x"):
        body = ({"name": "one", "data": "x"},) if method == "put" else ()
        text = fault(getattr(any_api, method)(f"{S}/{script_id}", *body), 404)
        assert text.startswith("No such script: None (UUID: ")


@pytest.mark.parametrize("path", [P, f"{P}/script", f"{P}/scripts/x/y"])
def test_paths_that_are_none(api, path):
    assert api.get(path).status_int in {404, 405}


@pytest.mark.parametrize("who", [ALICE, NOBODY])
def test_only_those_who_may(api, who):
    made = make(api)
    url = f"{S}/{made['script_id']}"
    for answer in (
        api.get(S, as_=who),
        api.get(url, as_=who),
        api.post(S, {"name": "x", "data": "x"}, as_=who),
        api.put(url, {"name": "x"}, as_=who),
        api.delete(url, as_=who),
    ):
        fault(answer, 403)


def test_long_user_ids(any_api):
    who = {**webapi.ADMIN, "X-User-Id": "u" * 64}
    assert any_api.post(S, {"name": "x", "data": ""}, as_=who).json["created_by"] == "u" * 64
