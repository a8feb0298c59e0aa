# SPDX-License-Identifier: Apache-2.0
"""A member gets the data of the own project, whatever is asked (contract api.md 2.3, D33, D36)."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty.tests import webapi
from cloudkitty.tests.api.v1.frames import point, post

#: Prices tell projects apart: the sums of one are never what is of another.
PRICES = {"project-a": "1", "project-b": "1000", "None": "1000", "ALL": "1000", "": "1000"}
TYPES = ["cpu", "vol", "project_id", "type"]
OWN = Decimal(2 * len(TYPES))

PROJECTS = st.sampled_from([*PRICES, "null", "%", "_", "*", "project-a,project-b"])
NASTY = st.sampled_from(
    ["' OR '1'='1", '" OR "1"="1', "project-a' --", "project-a\\", "projec%", "{}", "[]", "a:b"]
)
WORDS = PROJECTS | NASTY | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DATES = st.sampled_from(
    ["2026-11-01", "2026-11-01T01:00:00", "2026-12-01", "2020-01-01", "2999-01-01", "x", ""]
)
GROUPS = st.lists(st.sampled_from(["tenant_id", "res_type", "project_id", "id", "time"])).map(
    ",".join
)
PARAMETERS = st.lists(
    st.one_of(
        st.tuples(st.just("tenant_id"), WORDS),
        st.tuples(st.sampled_from(["begin", "end"]), DATES),
        st.tuples(st.sampled_from(["service", "resource_type"]), st.sampled_from(TYPES) | WORDS),
        st.tuples(st.just("groupby"), GROUPS | WORDS),
        st.tuples(st.just("all_tenants"), st.sampled_from(["true", "false", "1", "0", "", "x"])),
        st.tuples(st.sampled_from(["filters", "project_id", "_method", "limit"]), WORDS),
    ),
    max_size=6,
)
CALLERS = st.sampled_from(
    [
        {"X-Project-Id": "project-a", "X-Roles": "member,reader"},
        {"X-Project-Id": "project-a", "X-Roles": "auditor"},
        {"X-Roles": "member,reader"},
        {"X-Roles": "member,reader", "X-Domain-Id": "project-b"},
        {"X-Roles": "reader", "OpenStack-System-Scope": "all"},
        {},
    ]
)
SHOT = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def any_api(database, conf):
    api = webapi.Api(conf)
    points = [point(project, price) for project, price in PRICES.items()]
    for hour in (0, 1):
        post(api, hour, **dict.fromkeys(TYPES, points))
    return api


def ask(api, path, parameters, caller):
    answer = api.get(f"/v1/{path}?{urlencode(parameters)}", as_=caller)
    assert answer.status_int in {200, 400, 403, 405}, answer.text
    return answer.json if answer.status_int == 200 else None


def check_total(found, caller):
    assert Decimal(found) <= (OWN if "X-Project-Id" in caller else 0)


def check_summary(found, caller):
    check_total(sum(Decimal(row["rate"]) for row in found["summary"]), caller)
    assert all(row["tenant_id"] in {"ALL", "project-a"} for row in found["summary"])


def check_frames(found, caller):
    for frame in found["dataframes"]:
        assert frame["tenant_id"] == caller["X-Project-Id"]
        for resource in frame["resources"]:
            assert resource["desc"]["project_id"] == caller["X-Project-Id"]


CHECKS = {
    "report/total": check_total,
    "report/summary": check_summary,
    "storage/dataframes": check_frames,
}


@SHOT
@given(path=st.sampled_from(sorted(CHECKS)), parameters=PARAMETERS, caller=CALLERS)
def test_nobody_sees_what_is_of_others(any_api, path, parameters, caller):
    found = ask(any_api, path, parameters, caller)

    if found is not None:
        CHECKS[path](found, caller)


def test_the_checks_see_something(any_api):
    """The property would hold of an API that answers nothing."""
    member = {"X-Project-Id": "project-a", "X-Roles": "reader"}
    november = [("begin", "2026-11-01"), ("end", "2026-12-01")]

    assert Decimal(ask(any_api, "report/total", november, member)) == OWN
    for path, check in CHECKS.items():
        everything = ask(any_api, path, [*november, ("all_tenants", "1")], webapi.ADMIN) or ask(
            any_api, path, november, webapi.ADMIN
        )
        with pytest.raises((AssertionError, KeyError)):
            check(everything, member)
