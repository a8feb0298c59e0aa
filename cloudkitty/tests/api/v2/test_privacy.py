# SPDX-License-Identifier: Apache-2.0
"""Whatever a member asks, the answer is the one of a cloud in which there is nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from urllib.parse import urlencode

import pytest
from oslo_config import cfg

from cloudkitty import db
from cloudkitty.db import schema
from cloudkitty.tests import services, webapi
from cloudkitty.tests.api.v2 import test_explain
from cloudkitty.tests.rating.hashmap.rulebook import Rulebook
from cloudkitty.tests.webapi import ADMIN, ALICE, NOBODY

MINE, THEIRS = "project-a", "project-b"
READER = {"X-Roles": "reader"}
AUDITOR = {"X-Project-Id": MINE, "X-Roles": "auditor"}
DAY = "2026-11-03"


def point(project, name, price, **labels):
    groupby = {"id": name, "user_id": f"user-{project}", **labels}
    if project is not None:
        groupby["project_id"] = project
    return {
        "vol": {"unit": "u", "qty": "2"},
        "rating": {"price": price},
        "groupby": groupby,
        "metadata": {"flavor": f"flavor-{project}", "size": "large"},
    }


#: Frames of the one project and of others: same resources, same periods, more of everything.
OWN = {"cpu": [point(MINE, "r-1", "1.5"), point(MINE, "r-2", "2")]}
OTHERS = {
    "cpu": [
        point(THEIRS, "r-1", "1000"),
        point(THEIRS, "r-3", "2000", secret="s"),
        point(None, "r-4", "4000"),
        point(f"{MINE},x", "r-5", "8000"),
        point("PROJECT-A", "r-6", "16000"),
    ],
    "disk": [point(THEIRS, "r-7", "32000")],
}


class Cloud:
    """A database and the API on it."""

    def __init__(self, conf, url, usages) -> None:
        self._conf, self._url = conf, url
        self.use()
        schema.create_all(db.get_engine())
        self.api = webapi.Api(conf)
        for hour in (4, 5):
            period = {"begin": f"{DAY}T{hour:02}:00:00", "end": f"{DAY}T{hour + 1:02}:00:00"}
            frames = [{"period": period, "usage": usage} for usage in usages]
            assert self.api.post("/v2/dataframes", {"dataframes": frames}).status_int == 204
        self._rate(others=OTHERS in usages)
        for usage in usages:
            for name in {one["groupby"].get("project_id") for one in usage["cpu"]} - {None}:
                self._order(name)

    def _rate(self, *, others: bool) -> None:
        """Rate an hour by rules for all and for some; those of others are different rules."""
        test_explain.turn_on("hashmap")
        with db.session_for_write() as session:
            book = Rulebook(session)
            book.mapping("cpu/flavor", "1", value="big", mapping_id="for-all")
            book.mapping("cpu/flavor", "2", value="big", mapping_id="mine", tenant_id=MINE)
            if others:
                book.mapping("cpu", "9", group="x", mapping_id="theirs", tenant_id=THEIRS)
                book.mapping("cpu/flavor", "9", value="small", tenant_id=THEIRS)
                book.threshold("cpu/vcpus", "1", "9", tenant_id=THEIRS)
        for scope in (MINE, THEIRS) if others else (MINE,):
            test_explain.rate(
                *(
                    test_explain.series("cpu", "2", scope, 1, name=f"r-{flavor}", flavor=flavor)
                    for flavor in ("big", "small")
                ),
            )

    def _order(self, name) -> None:
        scope = {"scope_id": name, "last_processed_timestamp": DAY}
        assert self.api.post("/v2/scope", scope).status_int == 200
        wish = {f"{end}_reprocess_time": DAY for end in ("start", "end")}
        wish |= {"scope_ids": [name], "reason": "a secret"}
        assert self.api.post("/v2/task/reprocesses", wish).status_int == 202

    def use(self) -> None:
        if self._conf.conf.database.connection == self._url:
            return
        self._conf.config(connection=self._url, group="database")
        db.reset()

    def ask(self, method, path, who, body=None):
        """Give status and text."""
        self.use()
        options = {} if body is None else {"json": body}
        answer = self.api(method, path, as_=who, **options)
        return answer.status_int, answer.text


@pytest.fixture
def clouds(engine_name, tmp_path, conf) -> Iterator[tuple[Cloud, Cloud]]:
    """A cloud with everybody, and one where the member is alone."""
    from oslo_db import options

    options.set_defaults(cfg.CONF)
    with (
        services.fresh_database(engine_name, tmp_path) as crowded,
        services.fresh_database(engine_name, tmp_path) as lonely,
    ):
        yield Cloud(conf, crowded, [OWN, OTHERS]), Cloud(conf, lonely, [OWN])
        db.reset()


NAMES = [
    *("project_id", "PROJECT_ID", "type", "id", "user_id", "flavor", "secret", "size"),
    *("month", "year", "day_of_the_year", "time", "time-d", "time-w", "time-y", "tenant_id"),
    *("scope_id", "price", "qty", "unit", "begin", "", "*", "1=1", "_", "%"),
]
VALUES = [
    *(MINE, THEIRS, "PROJECT-A", "project-_", "%", "*", "", "None", "null", "cpu", "disk"),
    *("r-1", "r-3", "r-4", "r-7", f"user-{THEIRS}", f"flavor-{THEIRS}", "s", "large", "u"),
    *("' OR '1'='1", '" OR 1=1 --', "x') OR (1=1", "\\", "11", "2026", "1000"),
]
#: Filters that something matches.
MATCHING = [
    *(f"project_id:{name}" for name in (MINE, THEIRS, "PROJECT-A", "None", "")),
    *(f"id:r-{number}" for number in range(1, 8)),
    *("type:cpu", "type:disk", f"flavor:flavor-{THEIRS}", "secret:s", "size:large", "month:11"),
    f"user_id:user-{THEIRS}",
]
FIELDS = [
    *("*", "SUM(price)", "SUM(price) AS x,MAX(qty) AS y", "COUNT(qty) AS n", "LAST(flavor) AS f"),
    *("LAST(secret)", "MIN(price) FROM x", "price", "qty, price", "project_id", "", "a b"),
]
DATES = [
    *(DAY, "2026-12-01", "2026-11-01", f"{DAY}T05:00:00", f"{DAY}T05:30:00+01:00"),
    *("2027-01-01", "2020-01-01"),
]
#: Parameters that each resource takes: with others it says 400 without a look at the data.
TAKEN = {
    "/v2/summary": "filters groupby custom_fields response_format begin end offset limit",
    "/v2/dataframes": "filters begin end offset limit explain",
    "/v2/scope": "scope_id offset limit",
    "/v2/task/reprocesses": "scope_ids offset limit",
    f"/v2/task/reprocesses/{THEIRS}": "scope_ids offset limit",
    f"/v2/task/reprocesses/{MINE}": "offset limit",
    "/v2/rating/modules": "",
    "/v2/rating/modules/hashmap": "",
}
# Most questions go where data are, from those who see any.
PATHS = [*["/v2/summary"] * 12, *["/v2/dataframes"] * 8, *TAKEN]
CALLERS = [*[ALICE] * 12, READER, AUDITOR, NOBODY]


def a_filter(random: Random) -> str:
    if random.random() < 0.8:
        return random.choice(MATCHING)
    return f"{random.choice(NAMES)}:{random.choice(VALUES)}"


def a_query(random: Random) -> str:
    """Give a path with parameters."""
    path = random.choice(PATHS)
    every = {
        "filters": [a_filter(random) for _ in range(random.randint(1, 3))],
        "groupby": ",".join(random.choices(NAMES, k=random.randint(1, 3))),
        "custom_fields": random.choice(FIELDS),
        "response_format": random.choice(["table", "object", "xml"]),
        "begin": random.choice(DATES),
        "end": random.choice(DATES[::-1]),
        "offset": random.choice([0, 1, 2, 3, 100]),
        "limit": random.choice([1, 2, 3, 1000]),
        "explain": random.choice(["true", "true", "false"]),
        "tenant_id": random.choice(VALUES),
        "project_id": random.choice(VALUES),
        "all_tenants": "true",
        "scope_id": random.choice(VALUES),
        "scope_ids": random.choice(VALUES),
    }
    taken = TAKEN[path].split() if random.random() < 0.95 else every
    asked = {name: value for name, value in every.items() if random.random() < 0.3}
    if random.random() < 0.5:
        asked["filters"] = every["filters"]
    return f"{path}?{urlencode({n: v for n, v in asked.items() if n in taken}, doseq=True)}"


@pytest.mark.usefixtures("_all_of_november")
def test_others_make_no_difference(clouds):
    asked = []
    for seed in range(500):
        random = Random(seed)
        asked.append((a_query(random), random.choice(CALLERS)))

    crowded, lonely = ([cloud.ask("GET", *one) for one in asked] for cloud in clouds)

    for one, answer, alone in zip(asked, crowded, lonely, strict=True):
        assert answer == alone, one
        assert answer[0] < 500, one


@pytest.fixture
def _all_of_november(monkeypatch):
    """The default interval is the present month: let the data be in it."""
    from cloudkitty import timeutils

    now = timeutils.parse_iso(DAY)
    monkeypatch.setattr(timeutils, "utcnow", lambda: now)


WRITES = [
    ("POST", "/v2/dataframes", {"dataframes": []}),
    ("PUT", "/v2/scope", {"scope_id": "@", "state": DAY}),
    ("PUT", "/v2/scope", {"all_scopes": True, "state": DAY}),
    ("PATCH", "/v2/scope", {"scope_id": "@", "active": False}),
    ("POST", "/v2/scope", {"scope_id": "@", "last_processed_timestamp": DAY}),
    (
        "POST",
        "/v2/task/reprocesses",
        {"scope_ids": "@", "start_reprocess_time": DAY, "end_reprocess_time": DAY, "reason": "x"},
    ),
    ("PUT", "/v2/rating/modules/hashmap", {"enabled": True}),
    ("PUT", "/v2/rating/modules/@", {"enabled": True}),
]


def test_who_may_not_write_learns_nothing(clouds):
    answers = {
        cloud.ask(method, path.replace("@", name), who, meant(body, name))
        for cloud in clouds
        for method, path, body in WRITES
        for who in (ALICE, READER, AUDITOR, NOBODY)
        for name in (MINE, THEIRS, "nobody")
    }

    ((status, text),) = answers
    assert status == 403
    assert json.loads(text) == {"message": "You are not authorized to perform this action"}


def meant(body, name):
    """Give the body for a scope."""
    return {key: name if value == "@" else value for key, value in body.items()}


def test_the_clouds_do_differ(clouds):
    """What the tests above compare is different for an administrator."""
    crowded, lonely = clouds
    month = "begin=2026-11-01&end=2026-12-01"
    for path in (
        f"/v2/summary?{month}",
        f"/v2/dataframes?{month}",
        "/v2/scope",
        "/v2/task/reprocesses",
    ):
        assert crowded.ask("GET", path, ADMIN) != lonely.ask("GET", path, ADMIN)
    asked = ("GET", f"/v2/dataframes?{month}&explain=true")
    assert "theirs" in crowded.ask(*asked, ADMIN)[1]
    assert '"id":"mine"' in crowded.ask(*asked, ALICE)[1]
    own = json.loads(crowded.ask("GET", f"/v2/summary?{month}", ALICE)[1])
    assert own["results"][0][2:] == [12.0, 11.0]
