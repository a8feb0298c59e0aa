# SPDX-License-Identifier: Apache-2.0
"""``/v2/task/reprocesses``: schedules are checked, stored and listed."""

from __future__ import annotations

import pytest

from cloudkitty import db, messaging, timeutils
from cloudkitty.state import schedule
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE

URL = "/v2/task/reprocesses"
BODY = {
    "scope_ids": ["a"],
    "start_reprocess_time": "2026-11-01T00:00:00",
    "end_reprocess_time": "2026-11-02T00:00:00",
    "reason": "fix rules",
}
SHOWN = {
    "scope_id": "a",
    "reason": "fix rules",
    "start_reprocess_time": "2026-11-01T00:00:00",
    "end_reprocess_time": "2026-11-02T00:00:00",
    "current_reprocess_time": "",
}


@pytest.fixture(autouse=True)
def _period(conf):
    conf.config(period=3600, group="collect")


@pytest.fixture
def api(sqlite_database, conf):
    return with_scopes(webapi.Api(conf))


@pytest.fixture
def any_api(database, conf):
    return with_scopes(webapi.Api(conf))


def with_scopes(api):
    for name in ("a", "b"):
        body = {"scope_id": name, "last_processed_timestamp": "2026-11-20T05:00:00"}
        assert api.post("/v2/scope", body).status_int == 200
    body = {"scope_id": "off", "last_processed_timestamp": "2026-11-20", "active": False}
    assert api.post("/v2/scope", body).status_int == 200
    return api


def order(api, **given):
    return api.post(URL, {**BODY, **given})


def message(answer):
    assert answer.status_int == 400
    return answer.json["message"]


def listed(api, query="", path=URL):
    answer = api.get(f"{path}?{query}")
    assert answer.status_int == 200, answer.text
    return answer.json["results"]


def test_a_schedule_is_made_and_shown(any_api):
    answer = order(any_api)

    assert (answer.status_int, answer.json) == (202, {})
    assert listed(any_api) == [SHOWN]
    (found,) = schedule.unfinished()
    with db.session_for_write() as session:
        schedule.progress(session, found, found.window.start)
    current = {"current_reprocess_time": "2026-11-01T00:00:00"}
    assert listed(any_api) == [{**SHOWN, **current}]


@pytest.mark.parametrize(
    ("scope_ids", "names"),
    [
        ("a", {"a"}),
        ("a,b", {"a", "b"}),
        (["b", "a", "b"], {"a", "b"}),
        ("ALL", {"a", "b"}),
        (["ALL"], {"a", "b"}),
    ],
)
def test_whom_it_is_for(api, scope_ids, names):
    assert order(api, scope_ids=scope_ids).status_int == 202

    assert {one["scope_id"] for one in listed(api)} == names
    assert len(listed(api)) == len(names)


def test_dates_have_offsets_and_are_shown_in_utc(api):
    from dateutil import tz

    timeutils.set_local_timezone(tz.gettz("America/New_York"))
    answer = order(
        api,
        start_reprocess_time="2026-11-01T02:00:00+02:00",
        end_reprocess_time="20261102T000000Z",
    )

    assert answer.status_int == 202
    assert listed(api) == [SHOWN]


def test_one_period_is_enough(api):
    end = BODY["start_reprocess_time"]

    assert order(api, end_reprocess_time=end).status_int == 202


@pytest.mark.parametrize("reason", [["fix"], "x" * 16_383, 5, "\N{GRINNING FACE}"])
def test_reasons(any_api, reason):
    assert order(any_api, reason=reason).status_int == 202

    shown = reason[0] if isinstance(reason, list) else str(reason)
    assert listed(any_api)[0]["reason"] == shown


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"reason": None}, "expected str (path: '['reason']')"),
        ({"reason": ["a", "b"]}, "length of value must be 1 (path: '['reason']')"),
        ({"reason": "x" * 16_384}, "too long, at most 16383 characters (path: '['reason']')"),
        ({"reason": "\0"}, "not a valid text (path: '['reason']')"),
        ({"scope_ids": []}, "length of value must be at least 1 (path: '['scope_ids']')"),
        ({"scope_ids": None}, "expected str (path: '['scope_ids']')"),
        ({"scope_ids": [None]}, "expected str (path: '['scope_ids']')"),
        ({"start_reprocess_time": "then"}, "not a valid date (path: '['start_reprocess_time']')"),
        ({"end_reprocess_time": None}, "not a valid date (path: '['end_reprocess_time']')"),
        ({"colour": "red"}, "extra keys not allowed (path: '['colour']')"),
    ],
)
def test_what_is_no_schedule(api, given, text):
    found = message(order(api, **given))

    assert found.startswith("Invalid data '{")
    assert found.endswith(f"' : {text}")
    assert listed(api) == []


@pytest.mark.parametrize("missing", list(BODY))
def test_what_a_schedule_needs(api, missing):
    body = {name: value for name, value in BODY.items() if name != missing}

    found = message(api.post(URL, body))

    assert found.endswith(f"required key not provided (path: '['{missing}']')")


SCOPE = "[{'id': 1, 'identifier': 'a', 'active': True}]"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"scope_ids": ["ALL", "a"], "reason": " "},
            (
                "Cannot use 'ALL' with scope ID [['ALL', 'a']]. Either schedule a reprocessing "
                "for all active scopes using 'ALL' option, or inform only the scopes you desire "
                "to schedule a reprocessing."
            ),
        ),
        (
            {"reason": " \t", "end_reprocess_time": "2020-01-01"},
            (
                "Empty or blank reason text is not allowed. Please, do inform/register the reason "
                "for the reprocessing of a previously processed timestamp."
            ),
        ),
        (
            {"end_reprocess_time": "2026-10-31T00:30:00"},
            (
                "End reprocessing timestamp [2026-10-31 00:30:00+00:00] cannot be less than start "
                "reprocessing timestamp [2026-11-01 00:00:00+00:00]."
            ),
        ),
        (
            {
                "start_reprocess_time": "2026-11-06T00:30:00",
                "end_reprocess_time": "2026-11-06T01:10:00",
                "scope_ids": ["no"],
            },
            (
                "The provided reprocess time window does not comply with the configured collector "
                "period. A valid time window near the provided one is "
                "['2026-11-06 00:00:00+00:00', '2026-11-06 02:00:00+00:00']"
            ),
        ),
        (
            {"scope_ids": ["a", "no", "off"]},
            (
                "Scopes ['no', 'off'] scheduled to reprocess [start=2026-11-01 00:00:00+00:00, "
                "end=2026-11-02 00:00:00+00:00] do not exist."
            ),
        ),
        (
            {
                "start_reprocess_time": "2026-11-20T06:00:00",
                "end_reprocess_time": "2026-11-20T06:00:00",
            },
            (
                "Cannot execute a reprocessing [start=2026-11-20 06:00:00+00:00] for scope "
                f"{SCOPE} starting after the last possible timestamp [2026-11-20 05:00:00+00:00]."
            ),
        ),
        (
            {"end_reprocess_time": "2026-11-20T06:00:00"},
            (
                f"Cannot execute a reprocessing [end=2026-11-20 06:00:00+00:00] for scope {SCOPE} "
                "ending after the last possible timestamp [2026-11-20 05:00:00+00:00]."
            ),
        ),
        (
            {"scope_ids": "b,a", "start_reprocess_time": "2026-11-02T00:00:00"},
            (
                f"Cannot schedule a reprocessing for scope {SCOPE} for reprocessing time "
                "[2026-11-02T00:00:00+0000 - 2026-11-02T00:00:00+0000], because it already has a "
                "schedule for a similar time range "
                "[2026-11-01T00:00:00+0000 - 2026-11-02T00:00:00+0000]."
            ),
        ),
    ],
)
def test_what_is_refused_and_why(any_api, given, text):
    assert order(any_api).status_int == 202

    assert message(order(any_api, **given)) == text
    assert listed(any_api) == [SHOWN]


def test_order_and_pages(any_api):
    for name in ("a", "b"):
        for day in (10, 12):
            when = {f"{end}_reprocess_time": f"2026-11-{day}" for end in ("start", "end")}
            assert order(any_api, scope_ids=name, reason=f"{name}{day}", **when).status_int == 202

    def reasons(query="", path=URL):
        return [one["reason"] for one in listed(any_api, query, path)]

    assert reasons() == ["b12", "b10", "a12", "a10"]
    assert reasons("order=ASC&offset=1&limit=2") == ["a12", "b10"]
    assert reasons("scope_ids=a") == ["a12", "a10"]
    assert reasons("scope_ids=a,no&scope_ids=b&order=desc&limit=1") == ["b12"]
    assert reasons("order=asc", f"{URL}/b") == ["b10", "b12"]
    assert reasons("scope_ids=b", f"{URL}/a") == ["a12", "a10"]
    assert reasons("", f"{URL}/A") == []
    assert reasons("offset=9") == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("order=foo", "The order [foo] is not valid. Accepted values are ['asc', 'desc']."),
        ("order=", "The order [] is not valid. Accepted values are ['asc', 'desc']."),
        ("order=asc&order=asc", "length of value must be 1 (path: '['order']')"),
        ("limit=0", "value must be at least 1 (path: '['limit']')"),
        ("offset=-1", "value must be at least 0 (path: '['offset']')"),
        ("colour=red", "extra keys not allowed (path: '['colour']')"),
    ],
)
@pytest.mark.parametrize("path", [URL, f"{URL}/a"])
def test_what_cannot_be_asked(api, path, query, text):
    assert message(api.get(f"{path}?{query}")).endswith(text)


def test_processors_are_told(api, monkeypatch):
    told = []
    monkeypatch.setattr(messaging, "wake_for_schedules", lambda: told.append(1))
    order(api, scope_ids="no")
    assert told == []
    order(api)
    assert told == [1]


@pytest.mark.parametrize("path", [URL, f"{URL}/project-a", f"{URL}?scope_ids=project-a"])
@pytest.mark.parametrize(
    "who",
    [ALICE, webapi.NOBODY, {"X-Roles": "admin", "OpenStack-System-Scope": "all"}],
)
def test_only_administrators_may(api, path, who):
    for answer in (api.get(path, as_=who), api.post(URL, BODY, as_=who)):
        assert answer.status_int == 403
        assert answer.json == {"message": "You are not authorized to perform this action"}
    assert listed(api) == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", URL, "GET, HEAD, OPTIONS, POST"),
        ("DELETE", URL, "GET, HEAD, OPTIONS, POST"),
        ("POST", f"{URL}/a", "GET, HEAD, OPTIONS"),
        ("DELETE", f"{URL}/a", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods(api, method, path, allow):
    answer = api(method, path)

    assert answer.status_int == 405
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("rules", ["current", "valid_then"])
def test_by_which_rules(any_api, rules):
    assert order(any_api, rules=rules).status_int == 202

    (one,) = schedule.unfinished()
    assert one.rules == rules
    shown = {} if rules == "valid_then" else {"rules": rules}
    assert listed(any_api) == [{**SHOWN, **shown}]


@pytest.mark.parametrize("rules", ["mine", None, ["current"], ""])
def test_rules_are_one_of_three(api, rules):
    text = message(order(api, rules=rules))

    assert text.endswith("expected one of valid_then, current, as_rated (path: '['rules']')")


def test_as_rated_needs_rules_that_are_recorded(any_api):
    text = message(order(any_api, rules="as_rated"))

    assert text == (
        "Scope [a] cannot be reprocessed as it was rated: the rules of 25 of the 25 periods are "
        "not recorded."
    )
    assert listed(any_api) == []
    # What else is wrong is told before.
    assert "do not exist" in message(order(any_api, rules="as_rated", scope_ids=["nobody"]))
